"""Recipes: validated, frozen, in the layout of a study file."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.core.samples import TinySettings, Training, recipe

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import (
    BEFORE,
    DataSettings,
    FolderSource,
    Numerics,
    Ref,
    Settings,
    TableSource,
    references,
)


class Teaching(Settings):
    teacher: Ref | None = None
    others: tuple[Ref, ...] = ()
    named: dict[str, Ref | float] = {}
    inner: Training = Training()


def test_a_resolved_recipe_has_the_layout_of_a_study_file() -> None:
    assert recipe("any").resolved() == {
        "technique": "softmax",
        "data": {
            "set": "digits",
            "classes": None,
            "labels": "all",
            "validation": 0.1,
            "normalise": "auto",
        },
        "numerics": {
            "device": "cpu",
            "precision": "float32",
            "threads": 1,
            "deterministic": True,
        },
        "training": {"epochs": 3, "rate": 0.1},
    }


def test_numerics_say_what_differs_from_earlier_versions() -> None:
    settled = recipe().numerics
    assert settled.described().keys() == {"device", "precision", "threads", "deterministic"}
    for name, value in (("compile", True), ("compile", "auto"), ("channels_last", False)):
        changed = settled.model_copy(update={name: value})
        assert changed.described() == settled.described() | {name: value}
    assert Numerics.parse({**BEFORE, **settled.described()}) == settled


def test_settings_of_a_technique_are_kept_whole() -> None:
    mine = recipe(settings=TinySettings(training=Training(epochs=9)))
    assert mine.resolved()["training"] == {"epochs": 9, "rate": 0.1}
    with pytest.raises(ValidationError):
        mine.name = "other"


def test_settings_can_stand_in_sets_and_keys() -> None:
    both = {DataSettings(set=FolderSource(folder="x")), DataSettings(set=FolderSource(folder="x"))}
    assert len(both) == 1


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("cifar10", str),
        ({"folder": "pictures"}, FolderSource),
        ({"folder": "pictures", "size": 32, "channels": "rgb"}, FolderSource),
        ({"table": "reviews.csv", "text": "review", "label": "mood"}, TableSource),
    ],
)
def test_data_sets_are_named_or_lie_in_files(written: object, kind: type) -> None:
    assert isinstance(DataSettings.parse({"set": written}).set, kind)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"labels": 0}, "labels"),
        ({"labels": "some"}, "labels"),
        ({"validation": 0}, "validation"),
        ({"validation": 1.0}, "validation"),
        ({"validation": -1}, "validation"),
        ({"normalise": "pixel"}, "normalise"),
        ({"label": 3}, "label"),
    ],
)
def test_data_settings_are_checked(content: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError, match=rf"^data\.{field}: "):
        DataSettings.parse({"set": "digits"} | content, "data")


def test_numerics_are_checked() -> None:
    assert Numerics.parse({"threads": 3, "device": "cuda"}).threads == 3
    with pytest.raises(InputError) as caught:
        Numerics.parse({"threads": 0, "device": "gpu", "precision": "float16"}, "numerics")
    assert len(caught.value.faults) == 3


def test_references_are_found_wherever_they_stand() -> None:
    settings = Teaching(
        teacher=Ref(recipe="big"),
        others=(Ref(recipe="a"), Ref(recipe="b", seed=3)),
        named={"x": Ref(recipe="c"), "y": 0.5},
    )
    assert [ref.recipe for ref in references(settings)] == ["big", "a", "b", "c"]
    assert list(references(Teaching())) == []
    assert list(references([{"deep": [Ref(recipe="d")]}])) == [Ref(recipe="d")]
