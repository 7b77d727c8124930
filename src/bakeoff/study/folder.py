"""A run folder for reading: its plan, and the records and predictions the plan asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.record import Record, read_record
from bakeoff.core.table import Table
from bakeoff.core.task import task_of
from bakeoff.study.declaration import Resampling
from bakeoff.study.plan import PLAN, Plan, asked, read_plan


@dataclass(frozen=True)
class Folder:
    """A run folder's plan, records and predictions.

    Attributes:
        path: Of the run folder.
        plan: `plan.json`: what was asked, resolved, with the margin.
        records: Of the cells the plan asks for, by recipe, then by replicate (the plan's, without
            the offset of a recipe run again). What other settings left behind is not among them.
        final: Of the recipe chosen on folds, scored on test, by seed.
    """

    path: Path
    plan: Plan
    records: Mapping[str, Mapping[Replicate, Record]]
    final: Mapping[int, Record] = field(default_factory=dict)

    def everything(self) -> list[Record]:
        """All records."""
        compared = [record for records in self.records.values() for record in records.values()]
        return [*compared, *self.final.values()]

    @property
    def resampling(self) -> Resampling | None:
        """How it was cross-validated, if it was."""
        found = self.plan.get("resampling")
        return None if found is None else Resampling.parse(found)

    def predictions(self, record: Record, split: str) -> Table:
        """The predictions a cell left, full or reduced.

        Raises:
            InputError: where they are missing or cannot be read.
        """
        folder = self.path / cell_folder(record) / "predictions"
        packed = folder / f"{split}.csv.gz"
        path = packed if packed.exists() else folder / f"{split}.csv"
        return task_of(record.task, record.classes).read(path)


def cell_folder(record: Record) -> str:
    """A cell's place in its run folder."""
    return f"cells/{record.name}/{record.replicate.folder}"


def open_folder(path: Path) -> Folder:
    """A run folder for reading.

    Raises:
        InputError: where it is none.
    """
    plan = read_plan(path)
    if plan is None:
        raise InputError(f"{path}: not a run folder: it has no {PLAN}")
    records = {
        name: _records(path / "cells" / name, recipe["cells"], recipe["seed_offset"])
        for name, recipe in plan["recipes"].items()
    }
    chosen = plan.get("final")
    final = _records(path / "cells" / chosen["recipe"], chosen["cells"]) if chosen else {}
    return Folder(path, plan, records, {at.seed: record for at, record in final.items()})


def _records(
    folder: Path, cells: Mapping[str, str], seed_offset: int = 0
) -> dict[Replicate, Record]:
    """The finished ones of a recipe's cells, by replicate as planned."""
    found = {}
    for at, key in asked(cells).items():
        record = read_record(folder / at.at_seed(at.seed + seed_offset).folder)
        if record is not None and record.key == key:
            found[at] = record
    return found
