"""A run folder for reading: its plan, and the records and predictions the plan asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bakeoff.core.cell import Replicate
from bakeoff.core.cell_files import CellFiles, cell_files, cell_name, record_of
from bakeoff.core.errors import InputError
from bakeoff.core.record import Record
from bakeoff.core.table import Table
from bakeoff.study.declaration import Resampling
from bakeoff.study.plan import PLAN, Plan, asked, read_plan


@dataclass(frozen=True)
class Folder:
    """A run folder's plan, records and predictions.

    Attributes:
        path: Of the run folder.
        plan: `plan.json`: what was asked, resolved, with the margin.
        files: What its cells left.
        records: Of the cells the plan asks for, by recipe, then by replicate (the plan's, without
            the offset of a recipe run again). What other settings left behind is not among them.
        final: Of the recipe chosen on folds, scored on test, by seed.
        trials: Of the cells that tried settings, by recipe: for each combination, in the plan's
            order.
        served: Of the cells that were fitted for the trials of other recipes alone, by recipe.
    """

    path: Path
    plan: Plan
    files: CellFiles
    records: Mapping[str, Mapping[Replicate, Record]]
    final: Mapping[int, Record] = field(default_factory=dict)
    trials: Mapping[str, Sequence[Sequence[Record]]] = field(default_factory=dict)
    served: Mapping[str, Sequence[Record]] = field(default_factory=dict)

    def everything(self) -> list[Record]:
        """All records, those of a search last."""
        compared = [record for records in self.records.values() for record in records.values()]
        tried = [record for trials in self.trials.values() for some in trials for record in some]
        served = [record for records in self.served.values() for record in records]
        return [*compared, *self.final.values(), *tried, *served]

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
        return self.files.predictions(record, split)


def altered(folder: Folder) -> list[str]:
    """Of what finished cells left, weights included, what is not as their records say."""
    return [
        f"{cell_folder(record)}/{name}"
        for record in folder.everything()
        for name, value in record.files.items()
        if folder.files.digest(cell_name(record), name) not in (None, value)
    ]


def cell_folder(record: Record) -> str:
    """A cell's place in its run folder."""
    return f"cells/{cell_name(record)}"


def open_folder(path: Path) -> Folder:
    """A run folder for reading.

    Raises:
        InputError: where it is none.
    """
    plan = read_plan(path)
    if plan is None:
        raise InputError(f"{path}: not a run folder: it has no {PLAN}")
    files = cell_files(path)

    def records(name: str, cells: Mapping[str, str], offset: int) -> dict[Replicate, Record]:
        """The finished ones of a recipe's cells, by replicate as planned."""
        found = {}
        for at, key in asked(cells).items():
            cell = f"{name}/{at.at_seed(at.seed + offset).folder}"
            record = record_of(files, cell, path)
            if record is not None and record.key == key:
                found[at] = record
        return found

    planned, chosen = plan["recipes"], plan.get("final")
    every = {n: records(n, recipe["cells"], recipe["seed_offset"]) for n, recipe in planned.items()}
    final = records(chosen["recipe"], chosen["cells"], 0) if chosen else {}
    trials = {
        name: [list(records(t["name"], t["cells"], 0).values()) for t in recipe["trials"]]
        for name, recipe in planned.items()
        if "trials" in recipe
    }
    served = {n: [*records(n, r.get("served", {}), 0).values()] for n, r in planned.items()}
    of_seed = {at.seed: record for at, record in final.items()}
    return Folder(path, plan, files, every, of_seed, trials, served)
