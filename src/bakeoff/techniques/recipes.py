"""Recipes from plain data: the technique's name decides which settings are read."""

from collections.abc import Mapping
from typing import Any

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DataSettings, Numerics, Recipe
from bakeoff.techniques import find, framework_of
from bakeoff.training.settings import TrainingSettings, check_framework

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
    faults: list[str] = []
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
