"""Recipes from plain data: every fault at once, and what is written can be read back."""

import json
from pathlib import Path
from typing import Any

import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import BEFORE, DataSettings, Numerics
from bakeoff.techniques import TECHNIQUES, framework_of
from bakeoff.techniques.mlp import MlpSettings
from bakeoff.techniques.recipes import parse_recipe, students

CONTENT: dict[str, Any] = {"technique": "mlp", "data": {"set": "digits"}}


def faults_of(content: dict[str, Any], where: str = "") -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        parse_recipe(content, where=where)
    return caught.value.faults


def test_defaults() -> None:
    recipe = parse_recipe(CONTENT)
    assert recipe.technique == recipe.name == "mlp"
    assert recipe.data == DataSettings(set="digits")
    assert recipe.numerics == Numerics()
    assert recipe.settings == MlpSettings()


def test_sections() -> None:
    recipe = parse_recipe(
        CONTENT
        | {
            "numerics": {"threads": 1},
            "model": {"hidden": [8, 4]},
            "training": {"iterations": 7, "optimizer": "adam"},
        }
    )
    assert isinstance(recipe.settings, MlpSettings)
    assert recipe.settings.model.hidden == (8, 4)
    assert recipe.settings.training.iterations == 7
    assert recipe.settings.training.epochs is None
    assert recipe.numerics.threads == 1


def test_name() -> None:
    assert parse_recipe(CONTENT | {"name": "wide"}).name == "wide"
    assert parse_recipe(CONTENT | {"name": "wide"}, "other").name == "other"
    first, second = parse_recipe(CONTENT, "a"), parse_recipe(CONTENT, "b")
    assert first.resolved() == second.resolved(), "a name is no part of what a recipe is"


@pytest.mark.parametrize("technique", sorted(TECHNIQUES))
def test_round_trip(technique: str) -> None:
    recipe = parse_recipe(CONTENT | {"technique": technique})
    again = parse_recipe(recipe.resolved(), recipe.name)
    assert again == recipe


def test_every_fault_at_once() -> None:
    content = {
        "technique": "mlp",
        "data": {"set": "digits", "labls": 3, "validation": 2.5},
        "numerics": {"threads": 0},
        "model": {"hiden": [3]},
        "trainin": {},
    }
    faults = faults_of(content, "variants.a")
    assert all(fault.startswith("variants.a.") for fault in faults)
    places = [fault.split(":")[0].removeprefix("variants.a.") for fault in faults]
    assert sorted(places) == [
        "data.labls",
        "data.validation",
        "model.hiden",
        "numerics.threads",
        "trainin",
    ]
    for meant in ("labels", "hidden", "training"):
        assert any(f"did you mean '{meant}'?" in fault for fault in faults)


def test_technique_is_required() -> None:
    assert faults_of({"data": {"set": "digits"}}) == ("technique: this field is required",)
    assert faults_of({"technique": None}) == ("technique: this field is required",)
    assert faults_of({}, "control") == ("control.technique: this field is required",)


def test_unknown_technique() -> None:
    (fault,) = faults_of(CONTENT | {"technique": "mpl"}, "control")
    assert fault.startswith("control.technique: unknown technique 'mpl'; did you mean 'mlp'?")


@pytest.mark.parametrize("wrong", [3, ["mlp"], {"name": "mlp"}])
def test_technique_that_is_no_name(wrong: object) -> None:
    (fault,) = faults_of(CONTENT | {"technique": wrong}, "control")
    assert fault.startswith("control.technique: ")


def test_data_set_is_required() -> None:
    assert faults_of({"technique": "mlp"}) == ("data.set: this field is required",)


@pytest.mark.parametrize("section", ["data", "numerics", "training"])
def test_section_that_is_no_mapping(section: str) -> None:
    (fault,) = faults_of(CONTENT | {section: 3}, "control")
    assert fault.startswith(f"control.{section}: input should be a mapping with ")
    assert fault.endswith("(received 3)")


def test_own_sections_of_another_technique() -> None:
    (fault,) = faults_of(CONTENT | {"technique": "softmax", "model": {}})
    assert fault == "model: unknown field (allowed: augmentation, features, framework, training)"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({}, "control.training.optimizer: muon received, but numpy has none (allowed: sgd,"),
        ({"framework": "keras"}, "control.training.optimizer: muon received, but keras has none"),
        ({"technique": "logistic"}, "control.training.optimizer: muon received, but numpy"),
        ({"technique": "scratch-cnn"}, "control.training.optimizer: muon received, but numpy"),
    ],
)
def test_what_a_framework_does_not_have_is_refused(content: dict[str, Any], fault: str) -> None:
    training = {"optimizer": "muon", "lookahead": {}, "averaging": {}}
    told = faults_of(CONTENT | {"training": training} | content, "control")
    assert told[0].startswith(fault)
    assert [line.partition(":")[0] for line in told[1:]] == [
        "control.training.lookahead",
        "control.training.averaging",
    ]


@pytest.mark.parametrize("technique", ["mlp", "scratch-cnn", "softmax"])
def test_what_torch_has_is_taken_where_torch_computes(technique: str) -> None:
    training = {"optimizer": "muon", "lookahead": {}, "averaging": {}, "label_smoothing": 0.1}
    content = {"technique": technique, "framework": "torch", "training": training}
    assert framework_of(parse_recipe(CONTENT | content)) == "torch"


def test_fields_that_are_not_used_leave_recipes_as_they_were_recorded() -> None:
    """So that a cell of the committed evidence would still be found finished."""
    evidence = Path(__file__).parents[2] / "evidence"
    for study in ("cv-architectures", "optimizers", "mlp-kmnist"):
        plan = json.loads((evidence / study / "plan.json").read_text(encoding="utf-8"))
        for name, planned in plan["recipes"].items():
            recorded = planned["recipe"]
            content = recorded | {"numerics": {**BEFORE, **recorded["numerics"]}}
            assert parse_recipe(content, name).resolved() == recorded


def test_who_can_be_taught_is_told_where_another_has_a_teacher() -> None:
    students_ = ["cnn", "distill", "fine-tune", "lora", "lstm", "mlp"]
    assert students() == [*students_, "probe", "scratch-cnn", "softmax"]
    training = {"teacher": {"recipe": "big"}, "epochz": 3}
    content = CONTENT | {"technique": "contrastive", "training": training}
    teacher, misspelt = faults_of(content, "variants.it")
    assert teacher == (
        "variants.it.training.teacher: received, but contrastive has no teachers "
        f"(allowed: with {', '.join(students())})"
    )
    assert misspelt.startswith("variants.it.training.epochz: unknown field")
    assert parse_recipe(CONTENT | {"training": {"teacher": None}}).settings.model_dump()


@pytest.mark.parametrize("technique", ["softmax", "logistic"])
def test_linear_techniques_refuse_to_blend_images(technique: str) -> None:
    (fault,) = faults_of(CONTENT | {"technique": technique, "augmentation": {"mixup": 0.2}})
    assert "augmentation.mixup: 0.2 received" in fault
