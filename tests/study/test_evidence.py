"""Evidence: small, without data, and with the same numbers."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.archive import ARCHIVE, open_archive
from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.tasks import task_of
from bakeoff.report.folder import labels_and_predictions, metric_rows, read_folder
from bakeoff.study.evidence import pack
from bakeoff.study.folder import open_folder
from bakeoff.study.manifest import MANIFEST, write_manifest
from bakeoff.study.verify import verify


def test_it_gives_the_same_numbers(shared_run: Path, tmp_path: Path) -> None:
    target = pack(shared_run, tmp_path / "evidence")
    for name in ("results.json", "standings.csv", "plan.json", "study.yaml"):
        assert (target / name).read_bytes() == (shared_run / name).read_bytes()


def test_it_keeps_what_numbers_need_and_nothing_else(shared_run: Path, tmp_path: Path) -> None:
    target = pack(shared_run, tmp_path / "evidence")
    assert {p.name for p in target.iterdir()} == {
        *("manifest.json", "plan.json", "results.json", "standings.csv", "study.yaml"),
        ARCHIVE,
    }
    archive, cell = open_archive(target / ARCHIVE), "softmax/seed-1"
    assert {name for name in archive.files if name.startswith(cell)} == {
        f"{cell}/record.json",
        f"{cell}/metrics.jsonl",
    }
    for name, content in archive.files.items():
        assert (shared_run / "cells" / name).read_bytes() == content
    columns = {"id", "label", "prediction", "label_probability"}
    assert {split for name, split in archive.tables if name == cell} == {"validation", "test"}
    assert all(set(table) == columns for table in archive.tables.values())


def test_it_is_small(shared_run: Path, tmp_path: Path) -> None:
    target = pack(shared_run, tmp_path / "evidence")
    text = [path.read_bytes() for path in shared_run.glob("cells/*/*/predictions/*.csv")]
    assert (target / ARCHIVE).stat().st_size < sum(map(len, text)) / 8


def test_it_has_the_same_bytes_every_time(shared_run: Path, tmp_path: Path) -> None:
    one, other = (pack(shared_run, tmp_path / name) for name in ("one", "other"))
    assert (one / MANIFEST).read_bytes() == (other / MANIFEST).read_bytes()


def test_older_evidence_is_replaced_as_a_whole(
    small_run: Path, shared_run: Path, tmp_path: Path
) -> None:
    target = pack(shared_run, tmp_path / "evidence")
    pack(small_run, target)
    packed = open_archive(target / ARCHIVE)
    assert {name.partition("/")[0] for name in packed.files} == {"majority", "softmax"}
    assert verify(target).ok


def test_a_folder_beside_the_evidence_stays(small_run: Path, tmp_path: Path) -> None:
    kept = tmp_path / "evidence.old"
    kept.mkdir()
    (kept / "mine.txt").write_text("mine")
    for _ in range(2):
        pack(small_run, tmp_path / "evidence")
    assert (kept / "mine.txt").read_text() == "mine"
    assert {p.name for p in tmp_path.iterdir()} == {"evidence", "evidence.old"}


def test_an_empty_folder_will_do(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    assert verify(pack(small_run, tmp_path / "evidence")).ok


def test_nothing_else_is_replaced(
    small_run: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    out = copy_of(small_run)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    for target in (tmp_path / "mine", out, out / "cells", out / "new", tmp_path):
        with pytest.raises(InputError, match="evidence"):
            pack(out, target)
    with pytest.raises(InputError, match="something else than evidence"):
        pack(small_run, out)
    assert verify(out).ok
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


def test_a_run_that_was_changed_gives_no_evidence(
    small_run: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    out = copy_of(small_run)
    record = out / "cells" / "softmax" / "seed-0" / "record.json"
    record.write_text(record.read_text().replace('"test/accuracy": 0.', '"test/accuracy": 0.9'))
    with pytest.raises(InputError, match=r"not as the run left it.*\n.*record\.json: was changed"):
        pack(out, tmp_path / "evidence")
    assert not (tmp_path / "evidence").exists()


def test_a_run_without_finished_cells_gives_no_evidence(
    small_run: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    out = copy_of(small_run)
    for path in out.glob("cells/*/*/record.json"):
        path.unlink()
    with pytest.raises(InputError, match="holds no finished cells"):
        pack(out, tmp_path / "evidence")
    with pytest.raises(InputError, match="not a run folder"):
        pack(tmp_path, tmp_path / "evidence")


def test_reduced_predictions_keep_their_metrics(shared_run: Path, tmp_path: Path) -> None:
    folder = open_folder(pack(shared_run, tmp_path / "evidence"))
    record = folder.records["knn"][Replicate(seed=2)]
    stated = json.loads((shared_run / "cells/knn/seed-2/record.json").read_text())["metrics"]
    assert record.metrics == stated
    assert "label_probability" in folder.predictions(record, "test")


def test_the_report_is_made_of_evidence_too(shared_run: Path, tmp_path: Path) -> None:
    """But for pictures, which stay behind, it shows what the run's shows."""
    run = read_folder(shared_run)
    evidence = read_folder(pack(shared_run, tmp_path / "evidence"))
    assert [name for name, cells in evidence.cells.items() if cells] == [*run.cells]
    for name, cells in run.cells.items():
        for ours, theirs in zip(evidence.cells[name], cells, strict=True):
            assert metric_rows(ours) == metric_rows(theirs)
            one, other = (labels_and_predictions(cell, "test") for cell in (ours, theirs))
            assert one is not None
            assert other is not None
            assert np.array_equal(one, other)


def test_older_evidence_is_verified_and_packed_anew(
    shared_run: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Folders of cells, with compressed CSV, is how evidence was once kept."""
    old, folder = copy_of(shared_run), open_folder(shared_run)
    for name in ("artifacts", "splits"):
        shutil.rmtree(old / name, ignore_errors=True)
    (old / "report.html").unlink()
    for record in folder.everything():
        task = task_of(record.task, record.classes)
        cell = old / "cells" / record.name / record.replicate.folder
        shutil.rmtree(cell / "checkpoints")
        for split in ("validation", "test"):
            reduced = task.write(task.reduced(folder.predictions(record, split)))
            (cell / "predictions" / f"{split}.csv").unlink()
            (cell / "predictions" / f"{split}.csv.gz").write_bytes(gzip.compress(reduced))
    write_manifest(old)
    assert verify(old).faults == []
    one, other = pack(old, tmp_path / "anew"), pack(shared_run, tmp_path / "evidence")
    assert (one / MANIFEST).read_bytes() == (other / MANIFEST).read_bytes()
    again = pack(one, tmp_path / "again")
    assert (again / MANIFEST).read_bytes() == (one / MANIFEST).read_bytes()
