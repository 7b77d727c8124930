"""Every seed and every metric."""

from dataclasses import replace
from pathlib import Path

import pytest

from bakeoff.report import seeds
from bakeoff.report.folder import RunFolder, read_folder
from bakeoff.report.results import parse
from bakeoff.report.spec import Figure


@pytest.fixture
def figure(run: RunFolder) -> Figure:
    found = seeds.figure(run.results)
    assert found is not None
    return found


def test_one_dot_a_seed(run: RunFolder, figure: Figure) -> None:
    dots = [t for t in figure.traces if t["mode"] == "markers"]
    assert len(dots) == 5
    for recipe, trace in zip(run.results.recipes, dots, strict=True):
        score = run.results.score(recipe)
        assert score is not None
        known = [value for value in score.values if value is not None]
        assert trace["x"] == pytest.approx([100 * value for value in known], rel=1e-5)
        assert "seed 0" in trace["hovertext"][0]


def test_a_line_joins_what_shares_a_seed(figure: Figure) -> None:
    joined = [t for t in figure.traces if t.get("opacity") and t["when"] == {"scale": ["all"]}]
    assert len(joined) == 5
    assert all(len(t["x"]) == 5 for t in joined)


def test_recipes_on_other_seeds_are_not_joined(run: RunFolder) -> None:
    figure = seeds.figure(run.results, {"swish"})
    assert figure is not None
    joined = [t for t in figure.traces if t.get("opacity") and t["when"] == {"scale": ["all"]}]
    assert all(len(t["x"]) == 4 for t in joined)


def test_seeds_without_a_score_are_left_out() -> None:
    score = {"test/accuracy": {"values": [0.5, None, 0.7], "mean": 0.6}}
    results = parse({"control": "a", "recipes": {"a": {"seeds": [3, 5, 8], "metrics": score}}})
    own = results.score(results.recipes[0])
    assert own is not None
    assert seeds.by_draw(results.recipes[0], own) == {3: 0.5, 8: 0.7}


def test_no_scores_no_figure() -> None:
    assert seeds.figure(parse({})) is None


def test_tables_of_all_metrics(run: RunFolder) -> None:
    test, validation = seeds.metric_tables(run.results)
    assert test.caption.startswith("On test examples")
    assert validation.caption.startswith("On validation examples")
    assert test.header[1] == "Accuracy (%)"
    for table, split in ((test, "test"), (validation, "validation")):
        for recipe, cells in zip(run.results.recipes, table.rows, strict=True):
            values = [cell.value for cell in cells[1:]]
            assert values == [s.mean for n, s in recipe.metrics.items() if n.startswith(split)]


def test_a_table_for_each_part_of_the_test_split() -> None:
    scores = {
        name: {"test/matthews_corrcoef": {"values": [v, v], "mean": v, "ci95": [v - 0.1, v + 0.1]}}
        for name, v in (("near", 0.5), ("far", 0.25))
    }
    parts = {name: {"count": 7, "metrics": own} for name, own in scores.items()}
    own = {"metrics": scores["near"], "parts": parts}
    results = parse({"control": "a", "recipes": {"a": own, "b": {"metrics": scores["near"]}}})
    whole, near, far = seeds.metric_tables(results)
    assert whole.caption.startswith("On test examples: mean")
    assert near.caption.startswith("On the 7 test examples of near: mean over seeds")
    assert [row[1].value for row in far.rows] == [0.25, None]
    odd = parse({"recipes": {"a": {"parts": {"near": 3, "far": {"count": "x", "metrics": []}}}}})
    assert all(not table.header[1:] for table in seeds.metric_tables(odd))


def test_differences_in_other_metrics(run: RunFolder) -> None:
    assert seeds.difference_table(run.results) is None
    others = [replace(v, metric="test/f1_macro", reason="secondary") for v in run.results.verdicts]
    table = seeds.difference_table(replace(run.results, verdicts=(*run.results.verdicts, *others)))
    assert table is not None
    assert len(table.rows) == 4
    assert list(table.header) == [
        "Recipe",
        "Test accuracy (points)",
        "Test macro F1 (points)",
    ]
    assert all(cell.outcome is None for cells in table.rows for cell in cells)


def test_one_dot_a_fold(folded: Path) -> None:
    results = read_folder(folded).results
    figure = seeds.figure(results)
    assert figure is not None
    assert figure.title == "Every fold"
    plain, wide = [t for t in figure.traces if t["mode"] == "markers"]
    assert (len(plain["x"]), len(wide["x"])) == (6, 5)
    assert "repeat 1, fold 1" in wide["hovertext"][-1]
    joined = [t for t in figure.traces if t.get("opacity")]
    assert sorted(len(t["x"]) for t in joined) == [1, 2, 2, 2, 2, 2]
    assert figure.layout["xaxis"]["title"]["text"].startswith("Cross-validated accuracy (%)")
