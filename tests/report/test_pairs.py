"""The heat map of pairs of classes: which cells are filled, with what, and where there is none."""

from itertools import combinations
from typing import Any

import pytest

from bakeoff.report import pairs
from bakeoff.report.results import parse

CLASSES = ["cat", "dog", "<frog>", "ship"]
SCORES = dict(zip(combinations(CLASSES, 2), (0.6, 0.7, 0.9, 0.75, 0.95, 0.8), strict=True))


def content(metric: str = "test/accuracy", direction: str = "max") -> dict[str, Any]:
    recipes: dict[str, Any] = {}
    for gain, name in ((0.0, "plain"), (0.03, "ours")):
        for pair, score in SCORES.items():
            recipes[f"{name}@classes={'-'.join(pair)}"] = {
                "level": {"data.classes": list(pair)},
                "metrics": {metric: {"values": [score + gain], "mean": score + gain}},
            }
    control = next(iter(recipes))
    return {"control": control, "recipes": recipes, "metric": metric, "direction": direction}


def test_every_pair_has_its_place_below_the_diagonal() -> None:
    figure = pairs.figure(parse(content()))
    assert figure is not None
    values = figure.columns["0/value"]
    assert values[0] == [None] * 4
    for (a, b), score in SCORES.items():
        i, j = CLASSES.index(a), CLASSES.index(b)
        assert values[j][i] == pytest.approx(100 * score)
        assert values[i][j] is None
        assert figure.columns["1/text"][j][i] == f"{100 * score + 3:.2f}"
    assert "<b>cat</b> or <b>&lt;frog&gt;</b>" in figure.columns["0/hover"][2][0]
    (trace,) = figure.traces
    assert trace["zmin"] == pytest.approx(60)
    assert trace["zmax"] == pytest.approx(98)


def test_the_best_recipe_comes_first_and_all_values_are_in_the_table() -> None:
    figure = pairs.figure(parse(content()))
    assert figure is not None
    (control,) = figure.controls
    assert control.value == "1"
    assert [option.label.partition(" ")[0] for option in control.options] == ["plain", "ours"]
    (table,) = figure.tables
    assert list(table.header) == ["Pair", "plain", "ours"]
    assert len(table.rows) == 7
    assert table.rows[0][0].text == "cat or dog"
    assert table.rows[-1][1].value == pytest.approx(sum(SCORES.values()) / 6)
    assert "hardest cat or dog" in figure.summary
    assert "easiest dog or ship" in figure.summary


def test_less_is_better_turns_colours_and_words() -> None:
    figure = pairs.figure(parse(content("test/log_loss", "min")))
    assert figure is not None
    assert figure.controls[0].value == "0"
    assert "hardest dog or ship" in figure.summary
    assert figure.traces[0]["colorscale"][0] == [0, "--heat-2"]


def test_there_is_none_without_pairs() -> None:
    whole = content()
    for recipe in whole["recipes"].values():
        recipe["level"] = {"data.labels": 100}
    assert pairs.figure(parse(whole)) is None
    few = content()
    few["recipes"] = dict(list(few["recipes"].items())[:2])
    assert pairs.figure(parse(few)) is None
    three = content()
    for recipe in three["recipes"].values():
        recipe["level"] = {"data.classes": ["a", "b", "c"]}
    assert pairs.figure(parse(three)) is None
