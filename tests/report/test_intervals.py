"""The interval plot draws the verdicts' own numbers."""

from dataclasses import replace

import pytest

from bakeoff.report import intervals, words
from bakeoff.report.folder import RunFolder
from bakeoff.report.results import Results
from bakeoff.report.spec import Figure, Trace


@pytest.fixture
def figure(run: RunFolder) -> Figure:
    found = intervals.figure(run.results)
    assert found is not None
    return found


def lines(figure: Figure) -> list[Trace]:
    return [trace for trace in figure.traces if trace["mode"] == "lines"]


def test_intervals_are_the_results(run: RunFolder, figure: Figure) -> None:
    drawn = [tuple(trace["x"]) for trace in lines(figure)]
    for verdict in run.results.judged():
        for ends in (verdict.ci95, verdict.ci_this_test_set):
            assert ends is not None
            expected = tuple(pytest.approx(100 * end, rel=1e-5) for end in ends)
            assert any(pair == expected for pair in drawn)


def test_this_test_set_is_thinner_and_beside(figure: Figure) -> None:
    wide, thin = lines(figure)[:2]
    assert wide["line"]["width"] > 2 * thin["line"]["width"]
    assert thin["y"][0] < wide["y"][0]


def test_outcomes_differ_in_shape_colour_and_words(figure: Figure) -> None:
    points = [t for t in figure.traces if t["mode"] == "markers"]
    looks = {(t["marker"]["symbol"], t["marker"]["color"]) for t in points}
    assert len(looks) == 3  # better twice, undecided, worse
    texts = " ".join(str(note["text"]) for note in figure.layout["annotations"])
    for outcome in ("better", "worse", "undecided"):
        assert outcome in texts
        assert outcome in figure.summary


def test_margin_band_and_zero(figure: Figure) -> None:
    (band,) = figure.layout["shapes"]
    assert (band["x0"], band["x1"]) == (-0.5, 0.5)
    assert figure.layout["xaxis"]["zeroline"] is True


def test_no_line_runs_through_a_word(figure: Figure) -> None:
    assert {note["bgcolor"] for note in figure.layout["annotations"]} == {"--ground"}


def test_far_differences_get_an_arrow_in_the_closer_view(figure: Figure) -> None:
    (arrow,) = [t for t in figure.traces if t["mode"] == "markers+text"]
    assert "far outside" in arrow["text"][0]
    assert [c.name for c in figure.controls] == ["scale"]
    hidden = [t for t in figure.traces if t.get("when") == {"scale": ["all"]}]
    assert len(hidden) == 3  # softmax: two intervals and its point


def test_no_closer_view_without_outliers(run: RunFolder) -> None:
    near = [v for v in run.results.verdicts if v.a != "softmax"]
    figure = intervals.figure(replace(run.results, verdicts=tuple(near)))
    assert figure is not None
    assert not figure.controls


def test_every_interval_lies_in_the_full_range(run: RunFolder, figure: Figure) -> None:
    low, high = figure.layout["xaxis"]["range"]["of"]["all"]
    for trace in lines(figure):
        assert all(low < x < high for x in trace["x"])


def test_nothing_to_draw(run: RunFolder) -> None:
    unknown = [replace(v, difference=None) for v in run.results.verdicts]
    assert intervals.figure(replace(run.results, verdicts=tuple(unknown))) is None
    assert intervals.figure(replace(run.results, verdicts=())) is None


def test_without_intervals_the_point_stays(run: RunFolder) -> None:
    bare = [replace(v, ci95=None, ci_this_test_set=None) for v in run.results.verdicts]
    figure = intervals.figure(replace(run.results, verdicts=tuple(bare), margin=None))
    assert figure is not None
    assert not lines(figure)
    assert figure.layout["shapes"] == []


def test_table_holds_every_number(run: RunFolder) -> None:
    results: Results = run.results
    table = intervals.table(results, words.Metric(results.metric))
    assert len(table.rows) == 4
    for verdict, cells in zip(results.judged(), table.rows, strict=True):
        values = {cell.value for cell in cells}
        assert {verdict.difference, verdict.numbers["p_corrected"], verdict.cost_ratio} <= values
    assert table.rows[1][-1].text == "10 to 20"


def test_a_protocol_leaves_room_for_what_is_better(run: RunFolder) -> None:
    """On one line they would be cut at both ends of a small plot."""

    def titles(results: Results) -> tuple[str, str, list[int]]:
        metric = results.judged_by
        layout = intervals._layout(results, [(run.results.judged()[0], 0.0)], metric, (-1, 1), None)
        axis, margin = layout["xaxis"], layout["margin"]
        assert isinstance(axis, dict)
        assert isinstance(margin, dict)
        shown = axis["title"]["text"]["of"]
        return shown["wide"], shown["narrow"], list(margin["b"]["of"].values())

    wide, narrow, room = titles(run.results)
    assert (wide.count("<br>"), narrow.count("<br>"), room) == (0, 1, [48, 64])
    long = replace(run.results, metric="test/perplexity", protocol="context=64,stride=32")
    wide, narrow, room = titles(long)
    assert (wide.count("<br>"), narrow.count("<br>"), room) == (1, 2, [64, 80])
    assert narrow.startswith("Difference in test perplexity<br>[token,context=64")
