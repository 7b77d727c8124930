"""Cost against score: the front, free recipes, labels that do not collide."""

from dataclasses import replace
from typing import Any

import pytest

from bakeoff.report import costs
from bakeoff.report.costs import PRICES, front, placements, points
from bakeoff.report.folder import RunFolder
from bakeoff.report.results import Results, parse
from bakeoff.report.spec import Table


def study(direction: str = "max", /, **recipes: tuple[float, float]) -> Results:
    rows: dict[str, Any] = {
        name: {
            "metrics": {"test/accuracy": {"values": [score], "mean": score}},
            "cost": {"train_seconds": seconds},
        }
        for name, (seconds, score) in recipes.items()
    }
    return parse(
        {"control": "a", "metric": "test/accuracy", "direction": direction, "recipes": rows}
    )


def names(found: list[costs.Point]) -> list[str]:
    return [point.recipe.name for point in found]


def test_front_is_what_nothing_beats() -> None:
    found = points(study(a=(1, 0.7), b=(2, 0.8), c=(3, 0.75), d=(4, 0.9), e=(2, 0.6)), PRICES[0])
    assert names(front(found, "max")) == ["a", "b", "d"]
    assert names(front(found, "min")) == ["a", "e"]


def test_equal_scores_leave_the_cheaper_one() -> None:
    found = points(study(a=(1, 0.8), b=(2, 0.8)), PRICES[0])
    assert names(front(found, "max")) == ["a"]


def test_what_is_free_stands_left_of_what_is_paid() -> None:
    found = points(study(a=(0, 0.3), b=(2, 0.8)), PRICES[0])
    assert [(p.x, p.free) for p in found] == [(0.5, True), (2, False)]
    figure = costs.figure(study(a=(0, 0.3), b=(2, 0.8), c=(3, 0.9)))
    assert figure is not None
    assert "a costs nothing in some unit" in figure.note


def test_nothing_is_drawn_where_nothing_costs() -> None:
    assert points(study(a=(0, 0.3)), PRICES[0]) == []
    assert costs.figure(study(a=(0, 0.3))) is None


def test_the_optimiser_s_memory_stands_in_the_table_where_recipes_differ_in_it() -> None:
    content = study(a=(1, 0.7), b=(2, 0.8), c=(3, 0.9))

    def told(*moments: int | None) -> Table:
        recipes = [
            replace(recipe, cost={**recipe.cost, "optimiser_bytes": value})
            for recipe, value in zip(content.recipes, moments, strict=True)
        ]
        figure = costs.figure(replace(content, recipes=tuple(recipes)))
        assert figure is not None
        (table,) = figure.tables
        return table

    table = told(2 << 20, 64, None)
    assert table.header[-1] == "Optimiser's memory"
    assert [row[-1].value for row in table.rows] == [2 << 20, 64, None]
    for same in ((64, 64, None), (None, None, None)):
        assert "Optimiser's memory" not in told(*same).header


def test_training_time_includes_that_of_teachers() -> None:
    content = study(a=(1, 0.7), b=(2, 0.8))
    taught = replace(content.recipes[1], cost={"train_seconds": 2.0, "upstream_seconds": 10.0})
    found = points(replace(content, recipes=(content.recipes[0], taught)), PRICES[0])
    assert found[1].x == 12


def test_latency_is_what_a_thousand_examples_take() -> None:
    content = study(a=(1, 0.7), b=(2, 0.8))
    price = next(p for p in PRICES if p.key == "evaluate_examples_per_second")
    fast = replace(content.recipes[1], cost={"evaluate_examples_per_second": 4000.0})
    found = points(replace(content, recipes=(content.recipes[0], fast)), price)
    assert [(p.recipe.name, p.x) for p in found] == [("b", 0.25)]
    assert price.write(0.25) == "250\u202fms"


def test_labels_do_not_collide() -> None:
    crowd = {f"recipe-{i}": (10 + 0.1 * i, 0.80 + 0.001 * i) for i in range(12)}
    found = points(study("max", **crowd, far=(100, 0.99)), PRICES[0])
    chosen = placements(found)
    assert len(chosen) == 13
    assert None in chosen  # no room for all
    assert chosen[-1] is not None


def test_every_choice_has_its_columns(run: RunFolder) -> None:
    figure = costs.figure(run.results)
    assert figure is not None
    offered = [option.value for option in figure.controls[0].options]
    assert offered[:3] == ["train_seconds", "macs_per_example", "parameters"]
    for price in offered:
        for trace in figure.traces:
            for scale in ("all", "close"):
                if trace.get("when") == {"scale": ["all"]} and scale == "close":
                    continue
                for value in trace.values():
                    if isinstance(value, dict) and "column" in value:
                        name = value["column"].replace("{price}", price).replace("{scale}", scale)
                        assert name in figure.columns


def test_points_are_the_results(run: RunFolder) -> None:
    figure = costs.figure(run.results)
    assert figure is not None
    for recipe in run.results.recipes:
        score = run.results.score(recipe)
        assert score is not None
        assert score.mean is not None
        assert score.ci95 is not None
        key = f"parameters/{recipe.index}"
        assert figure.columns[f"{key}/x"] == [recipe.cost["parameters"]]
        assert figure.columns[f"{key}/y"] == [pytest.approx(100 * score.mean)]
        up = 100 * (score.ci95[1] - score.mean)
        assert figure.columns[f"{key}/up"] == [pytest.approx(up)]


def test_seconds_that_are_no_price_are_called_so(run: RunFolder) -> None:
    figure = costs.figure(replace(run.results, costs_alone=False))
    assert figure is not None
    assert "no fair price" in figure.note


def test_the_seconds_that_are_no_price_are_marked() -> None:
    measured = {"train_seconds": 2.0, "tuning_seconds": 8.0, "peak_bytes": 3.0}
    rows = {
        "alone": {"cost": measured | {"alone": True, "tuning_alone": False}},
        "beside": {"cost": measured | {"alone": False, "tuning_alone": True}},
        "nothing": {"cost": {"train_seconds": 0.0, "alone": False}},
    }
    results = parse({"control": "alone", "metric": "test/accuracy", "recipes": rows})
    table = costs._table(results, results.judged_by)
    marked = {
        row[0].text: [name for name, cell in zip(table.header, row, strict=True) if cell.note]
        for row in table.rows
    }
    assert marked == {
        "alone": ["Time to choose settings"],
        "beside": ["Training time"],
        "nothing": [],
    }
