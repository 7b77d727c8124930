"""Recipes from plain data: the technique's name decides which settings are read."""

from collections.abc import Mapping
from typing import Any

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Technique
from bakeoff.core.recipe import DataSettings, Numerics, Recipe
from bakeoff.techniques import TECHNIQUES, find, framework_of
from bakeoff.training.settings import TaughtSettings, TrainingSettings, check_framework

OWN_SECTIONS = ("name", "technique", "data", "numerics")


def parse_recipe(content: Mapping[str, Any], name: str | None = None, where: str = "") -> Recipe:
    """A recipe from the layout of a study file: the technique's sections beside `technique`.

    Args:
        content: As read from YAML or JSON.
        name: Of the recipe; None: `content`'s own, or the technique's.
        where: The path in the user's file, to begin each message with.

    Raises:
        InputError: with every fault at once.
    """
    place = f"{where}." if where else ""
    if content.get("technique") is None:
        raise InputError(f"{place}technique: this field is required")
    try:
        technique = find(str(content["technique"]))
    except InputError as error:
        raise InputError(f"{place}technique: {error}") from None
    sections = {key: value for key, value in content.items() if key not in OWN_SECTIONS}
    faults = _teacher_faults(technique, sections, place)
    if faults:  # told once
        sections["training"] = {k: v for k, v in sections["training"].items() if k != "teacher"}
    parsed: dict[str, Any] = {}
    for field, kind, value in (
        ("data", DataSettings, content.get("data", {})),
        ("numerics", Numerics, content.get("numerics", {})),
        ("settings", technique.settings, sections),
    ):
        try:
            parsed[field] = kind.parse(value, where if field == "settings" else f"{place}{field}")
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    chosen = name or content.get("name") or technique.name
    recipe = Recipe(name=str(chosen), technique=technique.name, **parsed)
    training = getattr(recipe.settings, "training", None)
    if isinstance(training, TrainingSettings):
        try:
            check_framework(training, framework_of(recipe))
        except InputError as error:
            raise InputError([f"{place}{fault}" for fault in error.faults]) from None
    return recipe


def students() -> list[str]:
    """The techniques that can have a teacher."""
    return [name for name in sorted(TECHNIQUES) if _can_be_taught(find(name))]


def _can_be_taught(technique: Technique) -> bool:
    field = technique.settings.model_fields.get("training")
    kind = None if field is None else field.annotation
    return isinstance(kind, type) and issubclass(kind, TaughtSettings)


def _teacher_faults(technique: Technique, sections: Mapping[str, Any], place: str) -> list[str]:
    """What is wrong where a teacher stands beside a technique that does not listen to one."""
    training = sections.get("training")
    given = isinstance(training, Mapping) and training.get("teacher") is not None
    if not given or _can_be_taught(technique):
        return []
    return [
        f"{place}training.teacher: received, but {technique.name} has no teachers "
        f"(allowed: with {', '.join(students())})"
    ]
