"""The fields of a study, and how changes are applied."""

from typing import Any

import pytest

from bakeoff.core.errors import InputError
from bakeoff.study.declaration import STAND_IN, Declaration, changed, extended, readable


def declare(**changes: Any) -> Declaration:
    content = {"question": "q?", "dataset": "digits", "control": {"technique": "majority"}}
    return Declaration.parse(content | changes)


def faults(**changes: Any) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        declare(**changes)
    return caught.value.faults


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"a": 5}, {"a": 5, "c": 3}),
        ({"a": {"x": 5}}, {"a": {"x": 5}, "c": 3}),
        ({"a.x": 5}, {"a": {"x": 5, "y": {"z": 2}}, "c": 3}),
        ({"a.y.z": 5}, {"a": {"x": 1, "y": {"z": 5}}, "c": 3}),
        ({"a.y.new": 5}, {"a": {"x": 1, "y": {"z": 2, "new": 5}}, "c": 3}),
        ({"b.x": 5}, {"a": {"x": 1, "y": {"z": 2}}, "c": 3, "b": {"x": 5}}),
        ({}, {"a": {"x": 1, "y": {"z": 2}}, "c": 3}),
    ],
)
def test_changes_replace_and_never_merge(changes: dict[str, Any], expected: Any) -> None:
    content = {"a": {"x": 1, "y": {"z": 2}}, "c": 3}
    assert changed(content, changes) == expected
    assert content == {"a": {"x": 1, "y": {"z": 2}}, "c": 3}


def test_nothing_has_fields_that_can_be_set() -> None:
    assert changed({"a": None}, {"a.x": 5}) == {"a": {"x": 5}}


def test_a_value_has_no_fields() -> None:
    with pytest.raises(InputError, match=r"c\.x: 'c' is 3 and has no field 'x'"):
        changed({"c": 3}, {"c.x": 5})


@pytest.mark.parametrize("order", [1, -1])
def test_a_field_beside_its_replaced_section_is_refused(order: int) -> None:
    changes = {"a": {"x": 1}, "a.y": 2}
    with pytest.raises(InputError, match=r"a\.y: 'a' is replaced beside it"):
        changed({}, dict(list(changes.items())[::order]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"training.epochs": 3}),
        ({"training.epochs": 1, "technique": "mlp"}, {"training.epochs": 3, "technique": "mlp"}),
        ({"training": {"epochs": 1, "l2": 0.1}}, {"training": {"epochs": 3, "l2": 0.1}}),
        ({"training.l2": 0.1}, {"training.l2": 0.1, "training.epochs": 3}),
    ],
)
def test_a_field_more_leaves_the_rest_of_a_variant(
    change: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert extended(change, "training.epochs", 3) == expected


def test_control_is_named_by_itself_or_its_technique() -> None:
    assert declare().control_name == "majority"
    assert declare(control={"technique": "softmax", "name": "plain"}).control_name == "plain"


def test_again_needs_no_value() -> None:
    assert declare(variants={"again": None}).variants == {"again": {}}


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b"])
def test_names_must_be_folders(name: str) -> None:
    assert faults(name=name) == (
        f"name: must be usable as the name of a folder (received {name!r})",
    )


def test_metric_is_on_test() -> None:
    assert faults(metric="validation/accuracy")[0].startswith("metric: must be test/<name>")


def test_a_margin_that_no_share_can_exceed() -> None:
    assert "must be less than 1: test accuracy is a share of 1" in faults(margin=2)[0]
    assert declare(margin=2, metric="test/mean_squared_error").margin == 2


def test_seeds_are_told_once() -> None:
    assert faults(seeds="many") == (
        "seeds: must be a number of seeds from 1 to 10000, a list of different seeds from 0, "
        "{exactly: n}, {race: true} (received 'many')",
    )


def test_all_faults_at_once() -> None:
    told = faults(variants={"no": 5}, contrl={}, references=[{"label": "x"}], margin=-1)
    assert {line.partition(":")[0] for line in told} == {
        "variants.no",
        "contrl",
        "references.0.value",
        "references.0.source",
        "margin",
    }
    assert "did you mean 'control'?" in next(line for line in told if line.startswith("contrl"))


def test_what_can_be_read_of_a_faulty_study() -> None:
    content = {
        "name": "..",
        "dataset": "digits",
        "contrl": {"technique": "knn"},
        "variants": {"a": {"k": 3}, "again": None, "bad": 5},
        "factors": {"data.labels": [100], "k": 3},
        "resampling": {"folds": 3},
        "metric": "test/accuracy",
        "margin": -1,
        "qestion": 3,
        "zzz": 1,
    }
    found = readable(content)
    assert found is not None
    assert found.control == {"technique": "knn"}
    assert found.variants == {"a": {"k": 3}, "again": {}, "bad": STAND_IN}
    assert found.factors == {"data.labels": [100]}
    assert (found.scored_split, found.metric) == ("fold", "fold/accuracy")


@pytest.mark.parametrize(
    "content", [{}, {"dataset": "digits"}, {"dataset": 3, "control": {}}, {"control": [], 1: 2}]
)
def test_nothing_can_be_read_without_data_set_and_control(content: dict[str, Any]) -> None:
    assert readable(content) is None
