"""Which cells of a finished run are loaded again to be shown: the first one of each recipe.

What is made of them says how and of which, so that a run that is done again makes it once.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bakeoff.core.record import Record
from bakeoff.study.folder import Folder
from bakeoff.study.planned import Planned
from bakeoff.study.prepare import Ready


def first_cells(
    ready: Ready, folder: Folder, *, every_level: bool = False
) -> Iterator[tuple[Planned, Record]]:
    """Recipes in the order of the plan, each with its cell of the first seed, or its first fold.

    Without recipes that have no such cell, and those run again with other seeds.

    Args:
        ready: The study.
        folder: Its run folder.
        every_level: Of all levels of the factors; else of the control's alone.
    """
    first = ready.replicates(ready.looks.seeds)[0]
    for planned in ready.planned:
        record = folder.records.get(planned.name, {}).get(first)
        shown = every_level or planned.level == ready.control.level
        if record is not None and shown and not planned.seed_offset:
            yield planned, record


def keys_of(cells: Iterable[tuple[Planned, Record]]) -> dict[str, str]:
    """The keys of cells, by recipe."""
    return {planned.name: record.key for planned, record in cells}


def is_made(path: Path, about: Mapping[str, Any]) -> bool:
    """Whether a file of artifacts is there and tells all this of how it was made."""
    try:
        told = json.loads(path.read_bytes())["about"]
        return bool(about.items() <= told.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
