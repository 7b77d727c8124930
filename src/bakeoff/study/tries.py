"""What a search tries: each recipe with other values of those of the fields that it has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bakeoff.core.errors import InputError, suggest, unknown
from bakeoff.core.files import canonical_json
from bakeoff.core.frozen import flatten, plain
from bakeoff.core.recipe import Settings, references
from bakeoff.study.declaration import Declaration, Search, changed
from bakeoff.study.grid import Point, has_field, of_point, overlap, points
from bakeoff.study.looks import plan_looks
from bakeoff.study.planned import AGAIN_SEEDS, Planned
from bakeoff.techniques.recipes import parse_recipe

_MOST = AGAIN_SEEDS - 1
"""The highest seed of a study with a search: neither the control run again nor a trial has it."""


def grid_of(study: Declaration, name: str) -> Mapping[str, list[Any]]:
    """The fields that are searched in a recipe of this name, where it has them."""
    search = study.search
    named = search is not None and (search.of is None or name in search.of)
    return search.grid if search is not None and named else {}


def _searched(study: Declaration, p: Planned) -> dict[str, list[Any]]:
    """The fields that are searched in a recipe; the control run again takes what that was given."""
    if p.seed_offset:
        return {}
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
    grid = _searched(study, p)
    crossed = points(grid, "search.grid", faults) if grid else ()
    budget = None if study.search is None else study.search.labels
    fewer = {} if budget is None else {"data.labels": budget}
    made = [_with_values(p, changed(content, fewer), point, where, faults) for point in crossed]
    found = [one for one in made if one is not None]
    if len(found) == len(made):
        faults += _twice(found)
    return tuple(found)


def along(
    p: Planned, control: Planned, content: Mapping[str, Any], where: str, faults: list[str]
) -> tuple[Planned, ...]:
    """A recipe that is not searched, with what it has from each of the control's tries.

    Args:
        p: The recipe.
        control: Of its level.
        content: As it was read.
        where: Its place in the user's file.
        faults: Gets what is wrong with the values.
    """
    found: list[Planned] = []
    for one in () if p.tries or p.plain_name == control.plain_name else control.tries:
        values = {path: value for path, value in one.values.items() if _inherits(p, path)}
        if values:
            point = Point(one.name.removeprefix(control.name), values)
            made = _with_values(p, content, point, where, faults)
            found += [made] if made is not None else []
    return tuple(found)


def _inherits(p: Planned, path: str) -> bool:
    """Whether a recipe has a field from the control."""
    own = any(overlap(path, change) for change in p.changed)
    return "technique" not in p.changed and not own and has_field(p.recipe.settings, path)


def _with_values(
    p: Planned, content: Mapping[str, Any], point: Point, where: str, faults: list[str]
) -> Planned | None:
    try:
        recipe = parse_recipe(changed(content, point.values), p.name + point.suffix, where)
    except InputError as error:
        faults += [of_point(f, where, "search.grid", point.values) or f for f in error.faults]
        return None
    return replace(p, recipe=recipe, values=_as_read(recipe.settings, point.values))


def _twice(tried: Sequence[Planned]) -> list[str]:
    """Values that are written in two ways are tried once, or not understood."""
    names: dict[bytes, str] = {}
    faults = []
    for one in tried:
        first = names.setdefault(canonical_json(dict(one.values)), one.name)
        if first != one.name:
            faults.append(f"search.grid: {first} and {one.name} are tried with the same values")
    return faults


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
    searched: dict[str, set[str]] = {}  # a field can be there at some levels of a factor alone
    for p in planned:
        searched.setdefault(p.plain_name, set()).update(_searched(study, p))
    faults = _seed_faults(study, planned) + _budget_faults(study.search, planned)
    if study.search.of is not None and not study.search.of:
        faults.append("search.of: names no recipe (left out, all that have a field are searched)")
    for name in study.search.of or ():
        if name not in {study.control_name, *study.variants}:
            names = [study.control_name, *study.variants]
            faults += unknown("recipe", name, names, "search.of").faults
        elif any(p.plain_name == name and p.seed_offset for p in planned):
            faults.append(f"search.of: {name} has what is chosen for the control")
        elif not searched.get(name, True):
            faults.append(f"search.of: {name} has none of the fields of search.grid")
    for path in study.search.grid if planned and not faults else ():
        if not any(path in own for own in searched.values()):
            told = f"search.grid.{path}: no recipe that is searched has this field"
            faults.append(told + _elsewhere(path, planned))
    return faults


def _budget_faults(search: Search, planned: Sequence[Planned]) -> list[str]:
    """Trials are cheaper than what they are for, not dearer."""
    return [
        f"search.labels: {search.labels:,} received, but {p.name} learns from "
        f"{p.recipe.data.labels:,} examples (allowed: 1 to {p.recipe.data.labels:,})"
        for p in planned
        if p.tries and search.labels is not None
        if p.recipe.data.labels != "all" and p.recipe.data.labels < search.labels
    ]


def _elsewhere(path: str, planned: Sequence[Planned]) -> str:
    """Who has a field that no recipe that is searched has, or else what may have been meant."""
    others = dict.fromkeys(p.plain_name for p in planned if has_field(p.recipe.settings, path))
    if others:
        return f" (with it, but not in search.of: {', '.join(others)})"
    fields = {name for p in planned for name in flatten(plain(p.recipe.settings))}
    return suggest(path, sorted(fields))


def _seed_faults(study: Declaration, planned: Sequence[Planned]) -> list[str]:
    """No seed that counts may have had a part in a choice."""
    allowed = f"(allowed with a search, whose trials have seeds of their own: 0 to {_MOST:,})"
    faults = [
        f"seeds: {seed} received {allowed}"
        for seed in plan_looks(study.seeds).seeds
        if seed > _MOST
    ]
    pinned = {(p.plain_name, r.seed) for p in planned for r in references(p.recipe.settings)}
    return faults + [
        f"{name}: refers to a recipe with seed {seed} {allowed}"
        for name, seed in sorted(pinned, key=str)
        if seed is not None and seed > _MOST
    ]
