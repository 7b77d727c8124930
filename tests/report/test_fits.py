"""Figures of regressions, from the artifacts of a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from bakeoff.report.fits import figures, notes_table
from bakeoff.report.folder import RunFolder, read_folder


def recipe(index: int, errors: list[float], overflow: int | None = None) -> dict[str, Any]:
    epoch = {"sample": [10, 20], "squared_error": errors, "overflow_at": overflow}
    return {"seed": 0, "notes": [f"note {index}"], "epoch": epoch}


def content() -> dict[str, Any]:
    plane = [[0.0, 1.0], [1.0, 2.0]]
    return {
        "columns": ["x1", "x<2>"],
        "points": {
            "first": [0.0, 1.0],
            "second": [1.0, 0.0],
            "target": [1.0, 1.0],
            "along_first": [0.0, 1.0],
            "along_second": [0.0, 1.0],
        },
        "signal": {"observed": [1.0, 2.0, 3.0], "clean": [1.0, 1.0, 1.0]},
        "recipes": {
            "wiener": {
                "seed": 0,
                "notes": [],
                "surface": plane,
                "output": [0.5, 1.5, 2.5],
                "leaves": {"output": 2.0, "error": 0.1},
            },
            "lms": recipe(1, [4.0, 1.0]) | {"surface": plane, "output": [0.0, 0.0, 0.0]},
            "wild": recipe(2, [4.0, 1e50], 17) | {"surface": plane},
        },
    }


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    names = ("wiener", "lms", "wild")
    results = {
        "metric": "test/mean_squared_error",
        "direction": "min",
        "control": "wiener",
        "dataset": {"name": "two-inputs", "task": "regression"},
        "recipes": {
            name: {
                "technique": "lms",
                "seeds": [0],
                "statuses": ["diverged" if name == "wild" else "done"],
                "metrics": {},
                "cost": {},
            }
            for name in names
        },
    }
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "fits.json").write_text(json.dumps(content()), encoding="utf-8")
    return read_folder(tmp_path)


def test_bounds_stand_beside_what_happened(run: RunFolder) -> None:
    table = notes_table(run)
    assert table is not None
    rows = [[cell.text for cell in row] for row in table.rows]
    assert rows == [
        ["lms", "note 1", "stayed finite"],
        ["wild", "note 2", "overflowed in its first epoch, at sample 18"],
    ]


def test_what_diverges_does_not_stretch_the_axis(run: RunFolder) -> None:
    figure = figures(run)["samples"]
    assert figure is not None
    low, high = figure.layout["yaxis"]["range"]
    assert low < 0 < high < 5
    ticks = figure.layout["yaxis"]["tickvals"]
    assert 2 <= len(ticks) <= 8, "few enough that none touches another"
    assert figure.columns["2/y"] == [4.0, 1e50]


def test_the_controls_surface_is_always_there(run: RunFolder) -> None:
    figure = figures(run)["planes"]
    assert figure is not None
    surfaces = [trace for trace in figure.traces if trace["type"] == "surface"]
    assert [trace.get("when") for trace in surfaces] == [
        None,
        {"beside": ["1"]},
        {"beside": ["2"]},
    ]
    assert figure.layout["scene"]["yaxis"]["title"]["text"] == "x&lt;2&gt;"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"recipes": {"lms": 3}, "points": []}'])
def test_without_artifacts_there_is_nothing(run: RunFolder, text: str) -> None:
    (run.path / "artifacts" / "fits.json").write_text(text, encoding="utf-8")
    assert set(figures(run).values()) == {None}
