"""Axes: closer views, ticks, references."""

import math

import pytest

from bakeoff.report import axes, words
from bakeoff.report.results import parse


def test_outliers_make_a_closer_view() -> None:
    scores = [(0.90, (0.89, 0.91)), (0.91, None), (0.92, None), (0.10, None)]
    span = axes.near(scores, 0.90, 0.005, 100)
    assert span is not None
    assert 80 < span[0] < 89
    assert 92 < span[1] < 95


@pytest.mark.parametrize(
    ("scores", "centre"),
    [
        ([(0.90, None), (0.91, None), (0.92, None)], 0.90),  # no outlier
        ([(0.90, None), (0.10, None)], 0.90),  # too few
        ([(0.90, None), (0.10, None), (0.11, None)], None),  # no control
    ],
)
def test_no_closer_view(
    scores: list[tuple[float, tuple[float, float] | None]], centre: float | None
) -> None:
    assert axes.near(scores, centre, 0.001, 1) is None


def test_arrows_stand_inside_the_view() -> None:
    for value in (-50.0, 50.0):
        trace = axes.arrow((-2.0, 3.0), value, 1.0, "far")
        assert -2 < trace["x"][0] < 3
        assert trace["when"] == {"scale": ["close"]}
        assert ("left" in trace["marker"]["symbol"]) is (value < 0)


def test_log_range_leaves_room() -> None:
    low, high = axes.log_range([10, 1000])
    assert low == pytest.approx(0.8)
    assert high == pytest.approx(3.2)
    low, high = axes.log_range([5.0])
    assert low < math.log10(5) < high


SPANS = [(0.0, 0.7), (1.0, 2.5), (3.0, 9.0), (-2.0, 5.0), (4.79, 4.80), (0.4, 0.41), (9.0, 9.2)]


@pytest.mark.parametrize("base", [2, 10, 60])
@pytest.mark.parametrize("span", SPANS)
def test_ticks_are_few_round_and_inside(span: tuple[float, float], base: int) -> None:
    ticks = axes.log_ticks(span, lambda value: f"{value:g}", base)
    values = ticks["tickvals"]
    assert 1 <= len(values) <= axes.MOST_TICKS
    assert len(values) == len(ticks["ticktext"])
    for value in values:
        assert isinstance(value, float)
        assert 10 ** span[0] <= value <= 10 ** span[1]


def test_decades_are_preferred_where_there_are_many() -> None:
    ticks = axes.log_ticks((0, 6), str)
    assert ticks["tickvals"] == [1, 10, 100, 1e3, 1e4, 1e5, 1e6]


def test_references_cross_the_scores() -> None:
    results = parse({"references": [{"label": "<b>x", "value": 0.9}, {"label": "no value"}]})
    metric = words.Metric("test/accuracy")
    for axis in ("x", "y"):
        lines, notes = axes.reference_lines(results, metric, axis)
        assert len(lines) == len(notes) == 1
        assert lines[0][f"{axis}0"] == lines[0][f"{axis}1"] == pytest.approx(90)
        assert notes[0]["text"] == "&lt;b&gt;x"


def test_scale_control() -> None:
    control = axes.scale_control("control")
    assert control.value == "close"
    assert [option.value for option in control.options] == ["close", "all"]
