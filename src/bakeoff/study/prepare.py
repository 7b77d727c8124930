"""From a study to cells that are ready to run: all that can be refused is refused here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DataSettings, Numerics
from bakeoff.core.streams import Streams
from bakeoff.data import catalogue, splits
from bakeoff.data.dataset import Dataset
from bakeoff.study.declaration import Declaration
from bakeoff.study.looks import LookPlan, plan_looks
from bakeoff.study.resolve import Planned, declare, resolve
from bakeoff.techniques import find


@dataclass(frozen=True)
class Ready:
    """A study checked and resolved: nothing in it can be refused any more."""

    study: Declaration
    dataset: Dataset
    planned: tuple[Planned, ...]
    looks: LookPlan

    @property
    def control(self) -> Planned:
        """The control of the first level."""
        return next(p for p in self.planned if p.plain_name == self.study.control_name)


def prepare(
    study: Declaration, offline: bool = False, before: Mapping[str, Any] | None = None
) -> Ready:
    """Check everything that can be wrong, before anything runs.

    Args:
        study: What is asked.
        offline: Fetch nothing.
        before: The plan of an earlier run in the same folder: what `auto` came to then, holds.

    Raises:
        InputError: for settings, data, names or metrics that are not allowed.
    """
    declare(study)  # its faults are told before any data are fetched
    dataset = catalogue.load(study.dataset, offline=offline)
    if dataset.test is None or not dataset.test.known.any():
        raise InputError(f"dataset: {dataset.name} has no labelled test split to compare on")
    numerics = None if before is None else Numerics.parse(before["numerics"])
    planned = resolve(study, dataset, numerics)
    ready = Ready(study, dataset, tuple(planned), plan_looks(study.seeds))
    faults: list[str] = []
    if study.margin is None and ready.control.inputs:
        faults.append(
            "margin: to be declared where the control needs another recipe's result, because that "
            "recipe is scored on test before there is a validation score of the control"
        )
    for settings in {p.recipe.data: None for p in planned}:
        try:  # budgets and classes that the data cannot serve
            splits.draw(dataset, settings, Streams(ready.looks.seeds[0]))
            splits.test_examples(dataset, settings)
        except InputError as error:
            faults += error.faults
    if faults := list(dict.fromkeys(faults)):
        raise InputError(faults)
    known = [] if before is None else [r["recipe"] for r in before["recipes"].values()]
    new = [p for p in planned if p.recipe.resolved() not in known]
    if faults := [fault for p in new for fault in _building_faults(p, dataset)]:
        raise InputError(faults)
    return ready


def _building_faults(p: Planned, dataset: Dataset) -> list[str]:
    """What is wrong with settings from which no predictor of these items can be built."""
    classes = p.recipe.data.classes or dataset.classes  # none where numbers are predicted
    try:
        find(p.recipe.technique).untrained(p.recipe.settings, dataset.shape, len(classes))
    except InputError as error:
        return [f"{p.name}: {fault}" for fault in error.faults]
    return []


def cells_of(
    ready: Ready, planned: Sequence[Planned], seeds: Sequence[int]
) -> dict[tuple[str, int], Cell]:
    """The cells of some recipes and seeds, and those they need, by recipe and drawn seed.

    They come seed by seed, so that recipes interleave in time; inputs before what needs them.
    """
    by_name = {p.name: p for p in ready.planned}
    hashes: dict[tuple[DataSettings, int], str] = {}
    cells: dict[tuple[str, int], Cell] = {}

    def add(p: Planned, seed: int) -> Cell:
        if (p.name, seed) in cells:
            return cells[p.name, seed]
        inputs = {
            name: add(by_name[needed.recipe], seed if needed.seed is None else needed.seed).key
            for name, needed in p.inputs.items()
        }
        at = (p.recipe.data, seed)
        if at not in hashes:
            hashes[at] = splits.draw(ready.dataset, p.recipe.data, Streams(seed)).hash
        cells[p.name, seed] = Cell(
            recipe=p.recipe,
            replicate=Replicate(seed=seed),
            data_hash=ready.dataset.hash,
            split_hash=hashes[at],
            version=find(p.recipe.technique).version,
            inputs=inputs,
        )
        return cells[p.name, seed]

    for seed in seeds:
        for p in planned:
            add(p, seed + p.seed_offset)
    return cells
