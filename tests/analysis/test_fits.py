"""What is written about regressions: finite, short, and nothing where there is nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.analysis.fits import GRID, LARGEST, Fit, Scene, grid, write_fits
from bakeoff.core.examples import Examples


def scene(size: int, ordered: bool = False, count: int = 500) -> Scene:
    rows = np.random.default_rng(0).normal(size=(count, size))
    targets = rows.sum(axis=1)
    test = Examples(rows, targets, np.arange(count).astype(np.str_))
    return Scene(test, tuple(f"x{i}" for i in range(size)), ordered, targets if ordered else None)


def written(folder: Path, shown: Scene, fit: Fit) -> dict[str, Any]:
    write_fits(folder, shown, {"a": fit}, {"keys": {"a": "0"}})
    content: dict[str, Any] = json.loads((folder / "fits.json").read_text(encoding="utf-8"))
    return content


def test_two_inputs_have_a_surface(tmp_path: Path) -> None:
    shown = scene(2)
    places = grid(shown)
    assert places is not None
    assert places.shape == (GRID * GRID, 2)
    surface = places @ [2.0, -1.0]
    content = written(tmp_path, shown, Fit(3, shown.test.labels, surface, ("a note",)))
    points, row = content["points"], content["recipes"]["a"]
    assert row["seed"] == 3
    assert row["notes"] == ["a note"]
    first, second = points["along_first"], points["along_second"]
    for i, y in enumerate(second):
        for j, x in enumerate(first):
            assert row["surface"][i][j] == pytest.approx(2 * x - y, abs=1e-4)
    assert len(points["first"]) == len(points["target"]) == 300
    assert content["signal"] is None
    assert "output" not in row


def test_signals_are_told_from_what_is_left(tmp_path: Path) -> None:
    shown = scene(3, ordered=True)
    assert grid(shown) is None
    content = written(tmp_path, shown, Fit(0, shown.test.labels + 0.1))
    row = content["recipes"]["a"]
    assert content["points"] is None
    assert len(row["output"]) == len(content["signal"]["observed"]) == 400
    assert row["leaves"]["output"] == pytest.approx(0.01, rel=1e-4)
    assert row["leaves"]["error"] > 1


def test_errors_are_means_of_blocks(tmp_path: Path) -> None:
    errors = np.arange(1.0, 1001.0)
    shown = scene(2)
    epoch = written(tmp_path, shown, Fit(0, shown.test.labels, errors=errors))["recipes"]["a"][
        "epoch"
    ]
    assert epoch["sample"][-1] == 1000
    assert epoch["overflow_at"] is None
    widths = np.diff([0, *epoch["sample"]])
    total = (widths * np.array(epoch["squared_error"])).sum()
    assert total == pytest.approx(np.square(errors).sum(), rel=1e-5)


def test_what_overflowed_is_written_as_a_number(tmp_path: Path) -> None:
    errors = np.array([1.0, 1e200, np.inf, np.nan])
    shown = scene(2)
    fit = Fit(0, shown.test.labels, errors=errors, overflow_at=1)
    epoch = written(tmp_path, shown, fit)["recipes"]["a"]["epoch"]
    assert epoch["squared_error"] == [1.0, LARGEST, LARGEST, LARGEST]
    assert epoch["overflow_at"] == 1
