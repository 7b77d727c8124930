"""`results.json` as typed values."""

from typing import Any

from bakeoff.report.folder import RunFolder
from bakeoff.report.results import level_name, parse, short_name


def verdict(a: str, b: str, **more: Any) -> dict[str, Any]:
    return {"a": a, "b": b, "metric": "test/accuracy", "outcome": "better"} | more


def test_control_comes_first() -> None:
    found = parse({"control": "b", "recipes": {"a": {}, "b": {}, "c": {}}})
    assert [(r.name, r.index) for r in found.recipes] == [("b", 0), ("a", 1), ("c", 2)]
    assert found.recipe("c") is found.recipes[2]
    assert found.recipe("d") is None


def test_example_is_read_whole(run: RunFolder) -> None:
    results = run.results
    plain = results.recipes[0]
    score = results.score(plain)
    assert score is not None
    assert len(score.values) == 5
    assert plain.cost["parameters"] == 62_006
    assert plain.recipe["technique"] == "cnn"
    swish = results.verdict("swish")
    assert swish is not None
    assert swish.seeds_to_decide == (10.0, 20.0)
    assert results.controls() == {"plain"}


def test_diverged_seeds_by_seed_or_in_order() -> None:
    by_seed = {"seeds": [3, 4], "statuses": {"3": "done", "4": "diverged"}}
    in_order = {"seeds": [3, 4], "statuses": ["done", "diverged"]}
    found = parse({"recipes": {"a": by_seed, "b": in_order}})
    assert [recipe.diverged for recipe in found.recipes] == [("4",), ("4",)]


def test_seeds_to_decide_in_every_form() -> None:
    forms = (7, [5, 10], {"from": 5, "to": 10}, None, {"from": None, "to": 3})
    rows = [verdict("a", "b", seeds_to_decide=form) for form in forms]
    found = parse({"verdicts": rows}).verdicts
    assert [v.seeds_to_decide for v in found] == [(7, 7), (5, 10), (5, 10), None, None]


def test_levels_and_their_controls() -> None:
    few, many = {"data.labels": 200}, {"data.labels": "all"}
    found = parse(
        {
            "control": "plain@labels=200",
            "verdicts": [
                verdict("bn@labels=200", "plain@labels=200", level=few),
                verdict("bn@labels=all", "plain@labels=all", level=many),
                verdict("bn@labels=200", "plain@labels=200", level=few, metric="test/log_loss"),
            ],
        }
    )
    assert [name for name, _ in found.levels()] == ["data.labels = 200", "data.labels = all"]
    assert found.controls() == {"plain@labels=200", "plain@labels=all"}
    assert found.rivals() == {
        "bn@labels=200": "plain@labels=200",
        "bn@labels=all": "plain@labels=all",
    }
    assert found.verdicts[0].short_a == "bn"
    assert found.verdicts[1].short_b == "plain"
    assert len(found.judged()) == 2


def test_names_of_levels() -> None:
    assert level_name({}) == ""
    assert level_name({"a.b": 1, "c": True}) == "a.b = 1, c = true"
    assert short_name("x@b=1@d=2", {"a.b": 1, "c.d": 2}) == "x"
    assert short_name("x@b=1_2", {"a.b": "1/2"}) == "x"
    assert short_name("x", {}) == "x"


def test_unknown_outcomes_are_undecided() -> None:
    (found,) = parse({"verdicts": [{"outcome": "splendid"}]}).verdicts
    assert found.outcome == "undecided"


def test_planned_seeds() -> None:
    assert parse({"seeds_planned": 5}).seeds_planned == "5"
    assert parse({"seeds_planned": [1, 2]}).seeds_planned == "1, 2"
    assert parse({}).seeds_planned == ""
