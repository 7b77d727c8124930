"""What a search tries: each recipe with other values of those of the fields that it has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bakeoff.core.errors import InputError, suggest, unknown
from bakeoff.core.frozen import flatten, plain
from bakeoff.core.recipe import Settings
from bakeoff.study.declaration import Declaration, changed
from bakeoff.study.grid import has_field, of_point, points
from bakeoff.study.planned import Planned
from bakeoff.techniques.recipes import parse_recipe


def grid_of(study: Declaration, name: str) -> Mapping[str, list[Any]]:
    """The fields that are searched in a recipe of this name, where it has them."""
    search = study.search
    named = search is not None and (search.of is None or name in search.of)
    return search.grid if search is not None and named else {}


def _searched(study: Declaration, p: Planned) -> dict[str, list[Any]]:
    """The fields that are searched in a recipe."""
    if p.seed_offset:
        return {}  # it takes what the control was given
    grid = grid_of(study, p.plain_name)
    return {path: values for path, values in grid.items() if has_field(p.recipe.settings, path)}


def tries(
    study: Declaration, p: Planned, content: Mapping[str, Any], where: str, faults: list[str]
) -> tuple[Planned, ...]:
    """A recipe with each combination of the values that are searched.

    Args:
        study: What is asked.
        p: The recipe.
        content: As it was read.
        where: Its place in the user's file.
        faults: Gets what is wrong with the values.
    """
    grid, found = _searched(study, p), []
    for point in points(grid, "search.grid", faults) if grid else ():
        try:
            recipe = parse_recipe(changed(content, point.values), p.name + point.suffix, where)
        except InputError as error:
            faults += [of_point(f, where, "search.grid", point.values) or f for f in error.faults]
        else:
            found.append(replace(p, recipe=recipe, values=_as_read(recipe.settings, point.values)))
    return tuple(found)


def _as_read(settings: Settings, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the settings have them: YAML reads `1e6` as text, which is then a number."""
    content = flatten(plain(settings))
    return {
        path: content.get(path, value) if isinstance(value, str) else value
        for path, value in values.items()
    }


def search_faults(study: Declaration, planned: Sequence[Planned]) -> list[str]:
    """A search is of recipes that there are, and of fields that they have."""
    if study.search is None:
        return []
    searched = {p.plain_name: _searched(study, p) for p in planned}
    faults: list[str] = []
    for name in study.search.of or ():
        if name not in {study.control_name, *study.variants}:
            names = [study.control_name, *study.variants]
            faults += unknown("recipe", name, names, "search.of").faults
        elif not searched.get(name, True):
            faults.append(f"search.of: {name} has none of the fields of search.grid")
    fields = {path for p in planned for path in flatten(plain(p.recipe.settings))}
    for path in study.search.grid if planned and not faults else ():
        if not any(path in grid for grid in searched.values()):
            near = suggest(path, sorted(fields))
            faults.append(f"search.grid.{path}: no recipe that is searched has this field{near}")
    return faults
