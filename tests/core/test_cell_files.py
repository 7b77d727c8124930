"""What cells left, read alike from folders and from an archive."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.core.samples import cell, record

from bakeoff.core.archive import ARCHIVE, archive_bytes
from bakeoff.core.cell_files import CellFiles, InFolders, Packed, cell_files, cell_name, record_of
from bakeoff.core.classification import Classification
from bakeoff.core.errors import InputError
from bakeoff.core.files import digest
from bakeoff.core.table import Table

RECORD = record(cell())
NAME = "plain/seed-0"
TABLE = Table(
    {
        "id": np.array(["3", "5"]),
        "label": np.array([1, -1]),
        "prediction": np.array([0, 1]),
        "label_probability": np.array([1 / 3, 0], np.float32),
    }
)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A run folder with one finished and one unfinished cell."""
    run = tmp_path / "run"
    folder = run / "cells" / NAME
    (folder / "predictions").mkdir(parents=True)
    (run / "cells" / "plain" / "seed-1").mkdir()
    RECORD.write(folder)
    (folder / "predictions" / "test.csv").write_bytes(Classification(["no", "yes"]).write(TABLE))
    return run


@pytest.fixture
def packed(folders: Path, tmp_path: Path) -> Path:
    """The same as evidence."""
    content = (folders / "cells" / NAME / "record.json").read_bytes()
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    data = archive_bytes({f"{NAME}/record.json": content}, {(NAME, "test"): TABLE})
    (evidence / ARCHIVE).write_bytes(data)
    return evidence


@pytest.mark.parametrize("where", ["folders", "packed"])
def test_both_are_read_alike(where: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(where)
    files = cell_files(path)
    assert isinstance(files, InFolders if where == "folders" else Packed)
    assert files.finished() == [NAME] == [cell_name(RECORD)]
    assert record_of(files, NAME, path) == RECORD
    assert record_of(files, "plain/seed-1", path) is None
    content = files.read(NAME, "record.json")
    assert content is not None
    assert files.digest(NAME, "record.json") == digest(content)
    assert files.read(NAME, "metrics.jsonl") is None
    assert files.digest(NAME, "metrics.jsonl") is None
    found = files.predictions(RECORD, "test")
    for name in TABLE:
        np.testing.assert_array_equal(found[name], TABLE[name])
    with pytest.raises(InputError, match="validation"):
        files.predictions(RECORD, "validation")


def test_compressed_predictions_of_older_evidence(folders: Path) -> None:
    path = folders / "cells" / NAME / "predictions" / "test.csv"
    path.with_name("test.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    found = cell_files(folders).predictions(RECORD, "test")
    np.testing.assert_array_equal(found["prediction"], TABLE["prediction"])


def test_a_record_that_is_none_is_told_with_its_place(folders: Path) -> None:
    path = folders / "cells" / NAME / "record.json"
    path.write_bytes(b"\xff")
    files: CellFiles = cell_files(folders)
    with pytest.raises(InputError, match=f"{path}: cannot be read"):
        record_of(files, NAME, folders)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=f"{path}: cannot be read"):
        record_of(files, NAME, folders)


def test_a_folder_without_cells_has_none(tmp_path: Path) -> None:
    assert cell_files(tmp_path).finished() == []


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"no")
    with pytest.raises(InputError, match="not a tar archive"):
        cell_files(tmp_path)
