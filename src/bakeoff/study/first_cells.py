"""Which cells of a finished run are loaded again to be shown: the first one of each recipe."""

from collections.abc import Iterator

from bakeoff.core.record import Record
from bakeoff.study.folder import Folder
from bakeoff.study.prepare import Ready
from bakeoff.study.resolve import Planned


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
