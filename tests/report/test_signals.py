"""The signals of a filtering problem, from the artifacts of a run."""

from dataclasses import replace

import pytest
from tests.report.test_fits import content, run

from bakeoff.report.folder import RunFolder
from bakeoff.report.signals import entry, figure, numbers

__all__ = ["run"]


def test_the_clean_signal_lies_where_it_should_come_out(run: RunFolder) -> None:
    drawn = figure(run, content())
    assert drawn is not None
    assert drawn.columns["error/0"] == [0.5, 0.5, 0.5]
    clean = next(trace for trace in drawn.traces if trace["y"] == {"column": "clean"})
    assert clean["yaxis"] == "y3"
    assert "what it leaves over is the signal" in drawn.note


def test_without_a_clean_signal_nothing_is_laid_over(run: RunFolder) -> None:
    drawn = figure(run, content() | {"signal": {"observed": [1.0, 2.0, 3.0]}})
    assert drawn is not None
    assert all(trace["y"] != {"column": "clean"} for trace in drawn.traces)
    assert not drawn.tables


def test_points_are_no_signal(run: RunFolder) -> None:
    assert figure(run, content() | {"signal": None}) is None


def test_odd_content_counts_as_missing(run: RunFolder) -> None:
    recipe = replace(run.results.recipes[0], name="unknown")
    assert entry({"recipes": {"unknown": 3}}, recipe) == {}
    assert numbers([1, None, "a"])[0] == 1.0
    assert numbers([1, None, "a"])[1:] == pytest.approx([float("nan")] * 2, nan_ok=True)
