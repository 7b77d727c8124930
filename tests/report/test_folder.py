"""Reading a run folder that may hold anything."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from bakeoff.report.folder import RunFolder, labels_and_predictions, metric_rows, read_folder


def test_cells_come_in_order(run: RunFolder) -> None:
    assert [c.record.replicate.seed for c in run.cells["plain"]] == [0, 1, 2, 3, 4]
    assert len(list(run.records())) == 25
    assert run.study is not None


def test_packed_predictions_are_read_too(run: RunFolder, own_folder: Path) -> None:
    before = labels_and_predictions(run.cells["plain"][0], "test")
    for path in own_folder.rglob("test.csv"):
        path.with_name("test.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    after = labels_and_predictions(read_folder(own_folder).cells["plain"][0], "test")
    assert before is not None
    assert after is not None
    assert np.array_equal(before, after)


def test_rows_of_unknown_classes_are_left_out(own_folder: Path) -> None:
    path = own_folder / "cells" / "plain" / "seed-0" / "predictions" / "test.csv"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace(lines[1].split(",")[1], "", 1)
    path.write_text("\n".join(lines) + "\n")
    found = labels_and_predictions(read_folder(own_folder).cells["plain"][0], "test")
    assert found is not None
    assert len(found[0]) == len(found[1]) == 599


def test_quoted_names_are_read_too(own_folder: Path, run: RunFolder) -> None:
    path = own_folder / "cells" / "plain" / "seed-0" / "predictions" / "test.csv"
    path.write_text(path.read_text().replace(",Shirt,", ',"Shirt",'))
    assert '"' in path.read_text()
    quick = labels_and_predictions(run.cells["plain"][0], "test")
    quoted = labels_and_predictions(read_folder(own_folder).cells["plain"][0], "test")
    assert quick is not None
    assert quoted is not None
    assert np.array_equal(quick, quoted)


@pytest.mark.parametrize("content", ["", "id,label\n1,Bag\n", "label,id,prediction\nBag\n", "\n"])
def test_odd_tables_are_no_predictions(own_folder: Path, content: str) -> None:
    path = own_folder / "cells" / "plain" / "seed-0" / "predictions" / "test.csv"
    path.write_text(content)
    assert labels_and_predictions(read_folder(own_folder).cells["plain"][0], "test") is None


def test_broken_files_are_left_out(own_folder: Path) -> None:
    cell = own_folder / "cells" / "plain" / "seed-0"
    (cell / "predictions" / "test.csv").write_bytes(b"\xff\xfe")
    (cell / "metrics.jsonl").write_bytes(b"\xff")
    (own_folder / "cells" / "swish" / "seed-1" / "record.json").write_text('{"schema": 9}')
    (own_folder / "artifacts" / "disagreements.json").write_text("{")
    run = read_folder(own_folder)
    assert labels_and_predictions(run.cells["plain"][0], "test") is None
    assert metric_rows(run.cells["plain"][0]) == []
    assert len(run.cells["swish"]) == 4
    assert run.pictures() is None


def test_trials_are_no_cells_of_the_report(own_folder: Path) -> None:
    path = own_folder / "cells" / "plain" / "seed-0" / "record.json"
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps(content | {"purpose": "trial"}))
    assert len(read_folder(own_folder).cells["plain"]) == 4


def test_cells_of_other_settings_are_no_cells_of_the_report(own_folder: Path) -> None:
    path = own_folder / "cells" / "plain" / "seed-0" / "record.json"
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps(content | {"key": "0" * 16}))
    run = read_folder(own_folder)
    assert [cell.record.replicate.seed for cell in run.cells["plain"]] == [1, 2, 3, 4]
    assert len(list(run.records())) == 24


def test_images_are_pngs_of_this_folder(own_folder: Path, tmp_path: Path) -> None:
    run = read_folder(own_folder)
    inside = "artifacts/disagreements/0.png"
    picture = run.image(inside)
    assert picture is not None
    assert picture.startswith("data:image/png;base64,")
    outside = tmp_path / "secret.png"
    outside.write_bytes((own_folder / inside).read_bytes())
    (own_folder / "link.png").symlink_to(outside)
    (own_folder / "text.png").write_text("no picture")
    (own_folder / "large.png").write_bytes((own_folder / inside).read_bytes() + bytes(400_000))
    for name in (
        "../secret.png",
        str(outside),
        "link.png",
        "text.png",
        "large.png",
        "no.png",
        "\0",
    ):
        assert run.image(name) is None
