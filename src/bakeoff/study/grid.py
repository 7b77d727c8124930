"""Values of fields, crossed: the levels of a study's factors, and what a search tries."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bakeoff.core.files import digest
from bakeoff.core.frozen import Frozen, flatten

LONGEST = 60
"""Characters of a value in a name; of a longer one, a digest tells it from others."""


class Point(NamedTuple):
    """One combination of values."""

    suffix: str
    """What it adds to a recipe's name."""
    values: dict[str, Any]
    """By the path of the field."""


def points(fields: Mapping[str, Sequence[Any]], place: str, faults: list[str]) -> list[Point]:
    """Every combination of the values of some fields; of no fields, one that changes nothing.

    Args:
        fields: Values by path.
        place: Where they stand in the study.
        faults: Gets what is wrong with them.
    """
    ends = Counter(path.rpartition(".")[2] for path in fields)
    labels: list[list[str]] = []
    for path, values in fields.items():
        if not values:
            faults.append(f"{place}.{path}: at least one value is needed")
        end = path.rpartition(".")[2]
        shown = [f"@{end if ends[end] == 1 else path}={_label(value)}" for value in values]
        if len(set(shown)) < len(shown):
            faults.append(f"{place}.{path}: two values with the same name ({', '.join(shown)})")
        labels.append(shown)
    suffixes = map("".join, itertools.product(*labels))
    crossed = itertools.product(*fields.values())
    found = [dict(zip(fields, values, strict=True)) for values in crossed]
    return [Point(*pair) for pair in zip(suffixes, found, strict=True)]


def has_field(settings: object, path: str) -> bool:
    """Whether settings have a field; one below a section that is not there, they have not."""
    for part in path.split("."):
        if not isinstance(settings, Frozen) or part not in type(settings).model_fields:
            return False
        settings = getattr(settings, part)
    return True


def holds(path: str, fields: Iterable[str]) -> bool:
    """Whether something is, or lies in, one of some fields."""
    return any(path == field or path.startswith(f"{field}.") for field in fields)


def overlap(one: str, other: str) -> bool:
    """Whether one of two fields is, or lies in, the other."""
    return holds(one, [other]) or holds(other, [one])


def overwritten(change: Mapping[str, Any], fields: Iterable[str]) -> list[str]:
    """The fields that a recipe changes and that crossing would set all the same."""
    leaves = [path for path, value in flatten(change).items() if value != {}]
    return [path for path in leaves if holds(path, fields)]


def of_point(fault: str, where: str, place: str, values: Iterable[str]) -> str | None:
    """A fault of a recipe, told of the place that gave the value; None: none of these did."""
    inner = fault.removeprefix(f"{where}.")
    return f"{place}.{inner}" if holds(inner.partition(":")[0], values) else None


def _label(value: Any) -> str:
    """A value as a part of a folder's name."""
    label = re.sub(r"[^A-Za-z0-9._+-]+", "-", str(value)).strip("-")
    if len(label) > LONGEST:
        label = f"{label[:LONGEST]}-{digest(str(value).encode())[:8]}"
    return label
