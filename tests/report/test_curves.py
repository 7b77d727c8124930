"""Learning curves: bands over seeds, uneven ends, several phases."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.report import curves
from bakeoff.report.folder import RunFolder, metric_rows, read_folder
from bakeoff.report.spec import Figure


@pytest.fixture
def figure(run: RunFolder) -> Figure:
    found = curves.figure(run)
    assert found is not None
    return found


def rewrite(folder: Path, cell: str, rows: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "cells" / cell / "metrics.jsonl").write_text(lines)


def test_bands_are_means_extremes_and_t_intervals() -> None:
    values = np.array([[1.0, 2.0], [3.0, 2.0], [5.0, 2.0]])
    found = curves.bands(values)
    assert found["mean"].tolist() == [3, 2]
    assert found["range/low"].tolist() == [1, 2]
    assert found["range/high"].tolist() == [5, 2]
    half = 4.302653 * 2 / 3**0.5
    assert found["interval/high"].tolist() == pytest.approx([3 + half, 2])
    one = curves.bands(values[:1])
    assert one["interval/low"].tolist() == [1, 2]


def test_thinning_keeps_both_ends() -> None:
    steps = np.arange(1000.0)
    kept = curves.thinned(steps, 50)
    assert len(kept) == 50
    assert (kept[0], kept[-1]) == (0, 999)
    assert curves.thinned(steps[:5], 50).tolist() == [0, 1, 2, 3, 4]


def test_means_are_those_of_the_rows(run: RunFolder, figure: Figure) -> None:
    last = [metric_rows(cell)[-1]["validation/accuracy"] for cell in run.cells["plain"]]
    assert figure.columns["0/0/validation/accuracy/last"] == [pytest.approx(100 * np.mean(last))]
    assert figure.columns["0/0/step"][-1] == 2110


def test_losses_of_both_splits_meet(figure: Figure) -> None:
    assert "0/0/train/loss/mean" in figure.columns
    assert "0/0/validation/loss/mean" in figure.columns
    quantities = [option.value for option in figure.controls[0].options]
    assert quantities == ["loss", "accuracy", "learning_rate"]
    assert figure.controls[0].value == "accuracy"


def test_curves_end_where_the_first_seed_stopped(own_folder: Path) -> None:
    cell = "plain/seed-3"
    run = read_folder(own_folder)
    rows = metric_rows(run.cells["plain"][3])[:6]
    rewrite(own_folder, cell, rows)
    figure = curves.figure(read_folder(own_folder))
    assert figure is not None
    assert len(figure.columns["0/0/step"]) == 6
    assert len(figure.columns["0/0/seed0/step"]) == 10
    assert "first seed stopped early" in figure.note


def test_phases_can_be_chosen(own_folder: Path) -> None:
    run = read_folder(own_folder)
    rows = metric_rows(run.cells["plain"][0])
    first = [row | {"phase": "pretrain"} for row in rows]
    for seed in range(5):
        rewrite(own_folder, f"plain/seed-{seed}", first + rows)
    figure = curves.figure(read_folder(own_folder))
    assert figure is not None
    phase = next(control for control in figure.controls if control.name == "phase")
    assert [option.label for option in phase.options] == ["pretrain", "train"]
    assert phase.value == "1"  # the one most recipes have
    assert not figure.fixed


def test_odd_rows_are_skipped(own_folder: Path) -> None:
    path = own_folder / "cells" / "plain" / "seed-0" / "metrics.jsonl"
    odd = '[1]\nnot json\n{"step": null}\n{"step": 5, "validation/accuracy": NaN}\n'
    path.write_text(path.read_text() + odd)
    assert curves.figure(read_folder(own_folder)) is not None


def test_many_curves_get_fewer_points(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "FEWEST_POINTS", 4)
    monkeypatch.setattr(curves, "ROOM", 1000)
    figure = curves.figure(run)
    assert figure is not None
    assert [len(figure.columns[f"0/0/{name}"]) for name in ("step", "seed0/step")] == [4, 4]


def test_nothing_shared_leaves_the_seeds(own_folder: Path) -> None:
    run = read_folder(own_folder)
    for seed in range(5):
        rows = [row | {"step": row["step"] + seed} for row in metric_rows(run.cells["plain"][seed])]
        rewrite(own_folder, f"plain/seed-{seed}", rows)
    figure = curves.figure(read_folder(own_folder))
    assert figure is not None
    assert figure.columns["0/0/validation/accuracy/mean"] == []
    assert len(figure.columns["0/0/validation/accuracy/seed4"]) == 10


def test_each_recipe_has_its_table(figure: Figure) -> None:
    assert len(figure.tables) == 5
    assert figure.tables[0].caption == "plain: means over 5 seeds"
    assert len(figure.tables[0].rows) == 10
    assert len(figure.tables[4].rows) == 20
