"""Overrides, factors, refs and `auto`; every fault of every recipe at once."""

from typing import Any

import pytest
from tests.study.tiny import study

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import Numerics
from bakeoff.data.catalogue import load
from bakeoff.data.dataset import Dataset
from bakeoff.execution import numerics
from bakeoff.study.declaration import Declaration
from bakeoff.study.planned import Input, Planned
from bakeoff.study.resolve import declare, resolve

PLAIN: dict[str, Any] = {
    "name": "plain",
    "technique": "cnn",
    "data": {"labels": 300, "normalise": "feature"},
    "numerics": {"device": "cpu", "precision": "float32", "threads": 3},
    "model": {"width": 8, "batch_norm": True},
    "training": {"epochs": 3, "batch_size": 50},
}


def by_name(given: Declaration) -> dict[str, Planned]:
    return {p.name: p for p in declare(given)}


def resolved(given: Declaration, before: Numerics | None = None) -> dict[str, dict[str, Any]]:
    return {p.name: p.recipe.resolved() for p in resolve(given, load("digits"), before)}


def faults(given: Declaration) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        resolve(given, load("digits"))
    return caught.value.faults


# Overrides.


def test_a_dotted_path_sets_one_field() -> None:
    found = resolved(study(control=PLAIN, variants={"b": {"model.batch_norm": False}}))
    assert found["b"]["model"] == found["plain"]["model"] | {"batch_norm": False}
    assert found["b"]["model"]["width"] == 8


def test_a_section_is_replaced_not_merged() -> None:
    found = resolved(study(control=PLAIN, variants={"b": {"training": {"epochs": 4}}}))
    assert found["b"]["training"]["batch_size"] == 256
    assert found["b"]["training"]["epochs"] == 4
    assert found["b"]["model"]["width"] == 8


def test_another_technique_keeps_data_and_numerics_alone() -> None:
    variants = {"soft": {"technique": "softmax", "training.l2": 0.5}}
    found = resolved(study(control=PLAIN, variants=variants))
    assert found["soft"]["data"] == found["plain"]["data"]
    assert found["soft"]["data"]["labels"] == 300
    assert found["soft"]["numerics"] == found["plain"]["numerics"]
    assert found["soft"]["training"]["l2"] == 0.5
    assert found["soft"]["training"]["epochs"] == 30
    assert found["soft"]["training"]["batch_size"] == 64
    assert "model" not in found["soft"]


def test_names_are_unique_folders_and_not_in_the_recipe() -> None:
    planned = by_name(study(control=PLAIN, variants={"b": {"training.epochs": 4}}))
    assert list(planned) == ["plain", "b"]
    assert "name" not in planned["b"].recipe.resolved()
    assert planned["b"].changed == {"training.epochs": 4}


# Factors.


def test_factors_are_crossed_with_all_recipes() -> None:
    factors = {"data.labels": [100, "all"], "numerics.threads": [1, 2]}
    control = {"technique": "softmax"}
    variants = {"b": {"training.epochs": 4}, "again": {}}
    planned = by_name(study(control=control, variants=variants, factors=factors))
    assert len(planned) == 2 * 2 * 3
    b = planned["b@labels=all@threads=2"]
    assert b.level == {"data.labels": "all", "numerics.threads": 2}
    assert (b.recipe.data.labels, b.recipe.numerics.threads) == ("all", 2)
    assert b.plain_name == "b"
    assert planned["again@labels=100@threads=1"].seed_offset > 0


def test_factors_take_values_that_are_no_names() -> None:
    values = [None, {"rule": "patience", "window": 3}]
    factors = {"training.stopping": values}
    given = study(control={"technique": "softmax"}, variants={}, factors=factors)
    planned = by_name(given)
    assert list(planned) == ["softmax@stopping=None", "softmax@stopping=rule-patience-window-3"]
    assert planned["softmax@stopping=None"].level == {"training.stopping": None}


def test_several_factors_stand_behind_each_other_in_a_name() -> None:
    factors = {"data.validation": [0.2], "training.stopping": [None], "training.l2": [0.0, 0.1]}
    given = study(control={"technique": "softmax"}, variants={}, factors=factors)
    assert list(by_name(given))[1] == "softmax@validation=0.2@stopping=None@l2=0.1"


@pytest.mark.parametrize(
    ("factors", "fault"),
    [
        ({"training.epochs": []}, "factors.training.epochs: at least one value is needed"),
        (
            {"training.epochs": [1, 1]},
            "factors.training.epochs: two values with the same name (@epochs=1, @epochs=1)",
        ),
        (
            {"training.l2": [0.1, 0.2]},
            "variants.b.training.l2: is a factor, which sets it at every level",
        ),
        (
            {"data": [{"labels": 100}], "data.labels": [200, 300]},
            "factors.data.labels: 'data' is replaced beside it, as a whole; write the field into "
            "that",
        ),
        ({"data.labels.x": [1]}, "factors.data.labels.x: 'labels' is 200 and has no field 'x'"),
        (
            {"training": [{"epochs": 1}, {"epochs": 2}]},
            "variants.b.training.l2: is a factor, which sets it at every level",
        ),
    ],
)
def test_factors_that_make_no_sense(factors: dict[str, list[Any]], fault: str) -> None:
    control = {"technique": "softmax", "data": {"labels": 200}}
    variants = {"b": {"training.l2": 0.5}}
    assert faults(study(control=control, variants=variants, factors=factors)) == (fault,)


def test_a_faulty_factor_is_told_once_and_by_its_own_path() -> None:
    control, variants = {"technique": "softmax"}, {"b": {"training.l2": 0.5}}
    told = faults(study(control=control, variants=variants, factors={"training.epoch": [1, 2]}))
    assert len(told) == 1
    assert told[0].startswith("factors.training.epoch: unknown field; did you mean 'epochs'?")


# Faults.


def test_all_faults_of_all_recipes_at_once() -> None:
    told = faults(
        study(
            dataset="digit",
            metric="test/acuracy",
            control={"technique": "cnn", "data": {"labels": 0}},
            variants={
                "swish": {"model.activaton": "swish"},
                "big": {"training.batch_size": "many", "training.epoch": 3},
                "other": {"technique": "softmaxx"},
                "a/b": {"training.epochs": 3},
                "named": {"name": "x", "training.epochs": 4},
                "none": {},
                "both": {"training": {"epochs": 1}, "training.l2": 0.1},
                "cnn": {"training.epochs": 5},
            },
        )
    )
    expected = [
        "dataset: unknown data set 'digit'; did you mean 'digits'?",
        "metric: unknown metric 'test/acuracy'; did you mean 'test/accuracy'?",
        "control.data.labels: input should be",
        "variants.swish.model.activaton: unknown field; did you mean 'activation'?",
        "variants.big.training.batch_size: input should be",
        "variants.big.training.epoch: unknown field; did you mean 'epochs'?",
        "variants.other.technique: unknown technique 'softmaxx'; did you mean 'softmax'?",
        "'a/b': a recipe's name must match",
        "variants.named.name: a variant is named by its key",
        "variants.none: changes nothing",
        "variants.both.training.l2: 'training' is replaced beside it",
        "variants.cnn: this name is the control's",
    ]
    for start in expected:
        assert [line for line in told if line.startswith(start)], (start, told)


VARIANTS: dict[str, Any] = {
    "one": {"training.l2": 0.1},
    "two": {"data.validation": 0.2},
    "other": {"technique": "knn"},
}


@pytest.mark.parametrize(
    ("control", "fault"),
    [
        ({"technique": "softmaxx"}, "control.technique: unknown technique 'softmaxx'"),
        ({"technique": "softmax", "training": {"epoch": 3}}, "control.training.epoch: unknown"),
        ({"technique": "softmax", "training": {"select": "acc"}}, "control.training.select: "),
        ({"technique": "softmax", "data": {"labels": 0}}, "control.data.labels: input should be"),
        ({"technique": "softmax", "data": {"set": "mnist"}}, "control.data.set: 'mnist' received"),
        ({"technique": "softmax", "numerics": {"threads": 0}}, "control.numerics.threads: "),
        (
            {"technique": "softmax", "framework": "keras", "features": {"name": "patches"}},
            "control: framework keras received with patch features",
        ),
        (
            {"technique": "softmax", "training": {"epochs": 3, "iterations": 5}},
            "control.training: give either epochs or iterations",
        ),
        (
            {"name": "k", "technique": "knn", "encoder": {"recipe": "mpl"}},
            "control: unknown recipe",
        ),
    ],
)
def test_a_mistake_in_the_control_is_told_once(control: dict[str, Any], fault: str) -> None:
    variants = VARIANTS if control["technique"] != "knn" else {"two": {"k": 3}, "three": {"k": 2}}
    (told,) = faults(
        study(control=control, variants=variants, factors={"data.normalise": ["none"]})
    )
    assert told.startswith(fault)


def test_a_variants_own_mistake_is_told_beside_the_same_of_the_control() -> None:
    control = {"technique": "softmax", "training": {"epoch": 3}, "data": {"labels": 0}}
    variants = {
        "same": {"training": {"epoch": 3}},
        "field": {"training.epoch": 3},
        "technique": {"technique": "mlp", "training": {"epoch": 3}},
        "inherits": {"training": {"epochs": 3}},
    }
    told = [line.partition(":")[0] for line in faults(study(control=control, variants=variants))]
    assert told == [
        "control.data.labels",
        "control.training.epoch",
        "variants.same.training.epoch",
        "variants.field.training.epoch",
        "variants.technique.training.epoch",
    ]


def test_a_variants_own_unknown_ref_is_told_beside_the_controls() -> None:
    variants = {"a": {"encoder.recipe": "mpl"}, "b": {"k": 3}, "c": {"encoder": {"recipe": "mlb"}}}
    told = faults(study(control=encoded("mpl") | {"name": "base"}, variants=variants))
    assert [line.partition("' (")[0] for line in told] == [
        "control: unknown recipe 'mpl",
        "variants.a: unknown recipe 'mpl",
        "variants.c: unknown recipe 'mlb",
    ]


def test_a_control_of_another_task_is_told_once(texts: Dataset) -> None:
    control, variants = {"technique": "softmax"}, VARIANTS | {"other": {"technique": "mlp"}}
    given = study(dataset={"table": "x.csv"}, control=control, variants=variants)
    with pytest.raises(InputError) as caught:
        resolve(given, texts)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "control.technique",
        "variants.other.technique",
    ]


@pytest.mark.parametrize(
    "name", ["a/b", "a\\b", "..", "", ".hidden", "a b", "-x", "ü", "a@b", "a:b", "x" * 101]
)
def test_names_that_are_no_folders_everywhere(name: str) -> None:
    told = faults(study(variants={name: {"technique": "softmax"}}))
    assert told[0].startswith(f"{name!r}: a recipe's name must match")


def test_names_must_differ_in_more_than_case() -> None:
    told = faults(study(control={"technique": "majority", "name": "Knn"},
                        variants={"knn": {"technique": "knn"}}))  # fmt: skip
    assert told == ("Knn, knn: recipes' names must differ in more than their case",)


def test_the_control_needs_a_technique() -> None:
    assert faults(study(control={"name": "x"})) == ("control.technique: this field is required",)


def test_data_that_is_no_mapping() -> None:
    told = faults(study(control={"technique": "majority", "data": 5}))
    assert told[0].startswith("control.data: input should be a mapping")


def test_a_recipe_reads_the_studys_data_set() -> None:
    told = faults(study(variants={"b": {"data.set": "mnist"}}))
    assert told == (
        "variants.b.data.set: 'mnist' received, but the study's dataset is 'digits': all recipes "
        "need the same test examples",
    )
    same = study(control={"technique": "majority", "data": {"set": "digits"}})
    assert resolved(same)["majority"]["data"]["set"] == "digits"


def test_other_classes_are_other_test_examples() -> None:
    told = faults(study(variants={"b": {"technique": "softmax", "data.classes": ["1", "2"]}}))
    assert told == ("variants.b.data.classes: must be the control's: the same test examples",)
    same = study(factors={"data.classes": [["1", "2"], ["3", "4"]]})
    assert resolved(same)["softmax@classes=3-4"]["data"]["classes"] == ["3", "4"]


def test_what_was_not_declared_may_not_differ() -> None:
    told = faults(
        study(control={"technique": "softmax"}, variants={"b": {"training.iterations": 9}})
    )
    assert told == (
        "variants.b: differs from softmax in training.epochs (None against 30), which was not "
        "declared",
    )
    declared = {"training.iterations": 9, "training.epochs": None}
    assert "b" in resolved(study(control={"technique": "softmax"}, variants={"b": declared}))


def test_a_copy_of_the_control_is_no_variant() -> None:
    told = faults(study(control={"technique": "softmax"}, variants={"b": {"training.epochs": 30}}))
    assert told[0].startswith("variants.b: has every field of the control")


# Refs.


def encoded(name: str = "mlp", **more: Any) -> dict[str, Any]:
    return {"technique": "knn", "encoder": {"recipe": name, **more}}


def test_inputs_come_before_what_needs_them_and_in_the_same_level() -> None:
    variants = {"k": encoded(), "mlp": {"technique": "mlp"}}
    planned = declare(study(variants=variants, factors={"data.labels": [100, 200]}))
    assert [p.name for p in planned] == [
        *("majority@labels=100", "mlp@labels=100", "k@labels=100"),
        *("majority@labels=200", "mlp@labels=200", "k@labels=200"),
    ]
    assert planned[-1].inputs == {"mlp": Input("mlp@labels=200", None)}


def test_a_ref_may_name_a_seed() -> None:
    variants = {"k": encoded(seed=7), "mlp": {"technique": "mlp"}}
    assert declare(study(variants=variants))[-1].inputs == {"mlp": Input("mlp", 7)}


@pytest.mark.parametrize("name", ["mpl", "again"])
def test_unknown_refs(name: str) -> None:
    variants = {"k": encoded(name), "mlp": {"technique": "mlp"}, "again": None}
    told = faults(study(variants=variants))
    assert len(told) == 1
    assert told[0].startswith(f"variants.k: unknown recipe '{name}'")
    assert told[0].endswith("(allowed: majority, mlp)")


def test_circles() -> None:
    variants = {"a": encoded("c"), "b": encoded("a"), "c": encoded("b"), "d": encoded("a")}
    told = faults(study(variants=variants))
    assert told == ("recipes need each other's results in a circle: a -> c -> b -> a",)
    assert faults(study(variants={"a": encoded("a")}))[0].endswith("a -> a")


# What `auto` comes to.


def test_nothing_is_left_to_auto() -> None:
    control = {"technique": "softmax", "numerics": {}}
    found = resolved(study(control=control, variants={}, metric="test/f1_macro"))
    recipe = found["softmax"]
    assert recipe["training"]["select"] == "f1_macro"
    assert recipe["data"]["normalise"] == "channel"
    assert recipe["numerics"]["device"] == "cpu"
    assert isinstance(recipe["numerics"]["threads"], int)
    assert "auto" not in str(recipe)


def test_auto_compiles_by_the_shortest_fit_of_a_study(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 899 digits a tenth validates, and with a budget of labels fewer train."""
    asked: list[int] = []

    def resolve_compile(compile: Any, device: str, precision: str, updates: int) -> bool:
        asked.append(updates)
        return True

    monkeypatch.setattr("bakeoff.training.torch.numerics.resolve_compile", resolve_compile)
    control = PLAIN | {"data": {}, "training": {"epochs": 3, "batch_size": 50}}
    variants = {
        "long": {"training.epochs": 30},
        "other": {"technique": "softmax"},
        "few": {"data.labels": 120},
    }
    found = resolved(study(control=control, variants=variants))
    assert {recipe["numerics"]["compile"] for recipe in found.values()} == {True}
    assert asked == [9]
    resolved(study(control=control, variants={"long": variants["long"]}))
    resolved(study(control=control, variants={"i": {"training": {"iterations": 7}}}))
    resolved(study(control={"technique": "softmax"}, variants={"mlp": {"technique": "mlp"}}))
    assert asked[1:] == [51, 7]
    for count, updates in ((99, 16), (400, 10)):  # whole numbers of examples
        resolved(study(control=control | {"data": {"validation": count}}, variants={}))
        assert asked[-1] == 3 * updates


def test_auto_stays_what_it_was_when_the_study_began() -> None:
    before = Numerics(device="cpu", precision="float32", threads=7)
    given = study(control={"technique": "majority", "numerics": {}})
    assert resolved(given, before)["softmax"]["numerics"]["threads"] == 7
    explicit = study(control={"technique": "majority", "numerics": {"threads": 2}})
    assert resolved(explicit, before)["softmax"]["numerics"]["threads"] == 2


def test_what_was_computed_with_torch_stays_so_without_it() -> None:
    before = Numerics(device="cuda", precision="bfloat16", threads=1)
    assert resolved(study(), before)["softmax"]["numerics"]["device"] == "cuda"


def test_numerics_that_are_not_there_are_told_once() -> None:
    numerics = {"device": "cuda", "precision": "bfloat16"}
    told = faults(study(control={"technique": "majority", "numerics": numerics}))
    assert [line.partition(":")[0] for line in told] == [
        "control.numerics.device",
        "control.numerics.precision",
    ]


def test_weights_are_selected_by_a_metric_there_is() -> None:
    told = faults(study(control={"technique": "mlp", "training": {"select": "acc"}}))
    assert told[0].startswith("control.training.select: unknown metric 'acc'")


def test_a_technique_must_read_the_data(texts: Dataset) -> None:
    given = study(dataset={"table": "x.csv"}, variants={"b": {"technique": "softmax"}})
    with pytest.raises(InputError) as caught:
        resolve(given, texts)
    assert caught.value.faults == (
        "variants.b.technique: softmax reads image data; texts.csv holds text data",
    )


def in_keras(**more: Any) -> dict[str, Any]:
    return {"technique": "softmax", "framework": "keras", **more}


def test_a_framework_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "find_spec", lambda name: None if name == "tensorflow" else name)
    assert faults(study(variants={"softmax": {"technique": "softmax"}, "other": in_keras()})) == (
        "variants.other.framework: keras needs TensorFlow, which is not installed "
        "(pip install 'bakeoff[tensorflow]')",
    )


def test_threads_that_tensorflow_cannot_change_between_cells() -> None:
    more = {"numerics": {"threads": 2}}
    assert faults(study(variants={"one": in_keras(), "two": in_keras(**more)})) == (
        "numerics.threads: 1 in one, 2 in two received (allowed: one number for all recipes that "
        "compute in keras, since TensorFlow takes it once in a process)",
    )
    resolve(
        study(variants={"one": in_keras(), "two": {"technique": "mlp", **more}}), load("digits")
    )
