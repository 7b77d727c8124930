"""Values of fields, crossed, and where they lie."""

import pytest

from bakeoff.study.grid import has_field, of_point, overwritten, points
from bakeoff.techniques.mlp import Mlp
from bakeoff.techniques.softmax import Softmax


def test_all_combinations_come_in_the_order_in_which_they_are_written() -> None:
    faults: list[str] = []
    found = points({"training.rate": [0.1, 0.2], "data.labels": [50, "all"]}, "factors", faults)
    assert faults == []
    assert [point.suffix for point in found] == [
        *("@rate=0.1@labels=50", "@rate=0.1@labels=all"),
        *("@rate=0.2@labels=50", "@rate=0.2@labels=all"),
    ]
    assert found[1].values == {"training.rate": 0.1, "data.labels": "all"}


def test_no_fields_make_one_point_that_changes_nothing() -> None:
    assert points({}, "factors", []) == [("", {})]


def test_fields_with_one_last_part_are_named_in_full() -> None:
    (point,) = points({"a.rate": [1], "b.rate": [2]}, "factors", [])
    assert point.suffix == "@a.rate=1@b.rate=2"


def test_long_values_have_names_of_their_own() -> None:
    faults: list[str] = []
    long = [{"hidden": [512] * 30, "activation": name} for name in ("relu", "swish")]
    first, second = points({"model": long}, "search.grid", faults)
    assert faults == []
    assert len(first.suffix) == len(second.suffix) < 80


def test_values_that_are_none_or_look_alike_are_told() -> None:
    faults: list[str] = []
    points({"a": [], "b": ["x y", "x-y"]}, "search.grid", faults)
    assert faults == [
        "search.grid.a: at least one value is needed",
        "search.grid.b: two values with the same name (@b=x-y, @b=x-y)",
    ]


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("training.learning_rate", True),
        ("training", True),
        ("training.learning_rat", False),
        ("training.stopping.patience", False),  # there is no stopping rule
        ("model.hidden", False),
    ],
)
def test_fields_are_looked_for_in_settings(path: str, there: bool) -> None:
    assert has_field(Softmax.settings.parse({}), path) == there


def test_techniques_have_fields_of_their_own() -> None:
    assert has_field(Mlp.settings.parse({}), "model.hidden")


def test_a_change_of_a_field_or_of_what_holds_it_would_be_overwritten() -> None:
    change = {"training": {"epochs": 2, "learning_rate": 0.1}, "model.width": 8}
    assert overwritten(change, ["training.learning_rate"]) == ["training.learning_rate"]
    assert overwritten(change, ["model", "augmentation"]) == ["model.width"]


def test_a_fault_is_told_where_the_value_stands() -> None:
    fault = "control.training.epochs: input should be greater than 0 (received -1)"
    told = of_point(fault, "control", "factors", {"training.epochs": -1})
    assert told == "factors.training.epochs: input should be greater than 0 (received -1)"
    assert of_point(fault, "control", "factors", {"training.batch_size": 8}) is None
