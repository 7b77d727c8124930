"""What a study will cost, before it runs: counted where it can be, probed where it cannot."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.core.cell import Cell
from bakeoff.core.protocols import Predictor, TrainingData
from bakeoff.core.recipe import Recipe
from bakeoff.core.streams import Streams
from bakeoff.data import splits
from bakeoff.execution import numerics
from bakeoff.execution.measure import Meter
from bakeoff.execution.run import CellRun
from bakeoff.study.resolve import Planned
from bakeoff.study.run import Ready, cells_of
from bakeoff.techniques import find
from bakeoff.training.observers import Silent

PROBE_STEPS = 12
PROBE_EXAMPLES = 2_000
BYTES_PER_PREDICTION = 12
"""Of one probability in a CSV file, with its comma."""


@dataclass(frozen=True)
class Estimate:
    """The predicted price of one recipe.

    Attributes:
        cells: How many cells of it are missing nothing but time.
        seconds: Of one cell: training and evaluation.
        memory_bytes: Resident, above the data.
        disk_bytes: Of one cell: weights and predictions.
    """

    recipe: str
    technique: str
    cells: int
    parameters: int
    macs_per_example: int
    seconds: float
    memory_bytes: int
    disk_bytes: int

    @property
    def total_seconds(self) -> float:
        """Of all its cells, one after another."""
        return self.seconds * self.cells


def estimate(ready: Ready, seeds: int | None = None) -> list[Estimate]:
    """The price of every recipe of a study.

    Loops are probed with a few updates on the real data, solves with a share of it; nothing is
    written into a run folder and test is not opened.
    """
    count = seeds or ready.looks.sizes[0]
    cells = {c.recipe.name: c for c in cells_of(ready, ready.planned, ready.looks.seeds[:1])}
    fitted: dict[str, Predictor] = {}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for planned in ready.planned:
            probe = _Probe(ready, planned, cells[planned.name], Path(folder) / planned.name)
            inputs = {name: fitted[unique] for name, unique in planned.inputs.items()}
            row, fitted[planned.name] = probe.run(inputs, count)
            found.append(row)
    return found


class _Probe:
    """A short fit of one recipe."""

    def __init__(self, ready: Ready, planned: Planned, cell: Cell, folder: Path) -> None:
        self.ready, self.recipe, self.cell, self.folder = ready, planned.recipe, cell, folder
        streams = Streams(cell.replicate.seed)
        split = splits.draw(ready.dataset, self.recipe.data, streams)
        self.data = split.training_data()
        self.streams = streams

    def run(self, inputs: Mapping[str, Predictor], count: int) -> tuple[Estimate, Predictor]:
        """The estimate, and the predictor of the short fit, for recipes that need one."""
        technique = find(self.recipe.technique)
        print_ = numerics.apply(self.recipe.numerics, technique.framework)
        recipe, data, scale = self._shortened()
        cell = Cell(recipe, self.cell.replicate, "", "", technique.version)
        run = CellRun(self.folder, self.streams, print_, True, Silent(), lambda: None)
        with Meter() as meter:
            predictor = technique.fit(cell, data, inputs, run)
        rate = self._examples_per_second(predictor)
        training = self._training_seconds(run, recipe, rate) * scale + run.warm_up_seconds
        validation = len(self.data.validation)
        test = 0 if self.ready.dataset.test is None else len(self.ready.dataset.test)
        evaluated = len(self.data.train) + validation + test
        layers = predictor.layers()
        parameters = sum(layer.parameters for layer in layers)
        classes = len(self.data.task.classes)
        row = Estimate(
            recipe=self.recipe.name,
            technique=technique.name,
            cells=count,
            parameters=parameters,
            macs_per_example=sum(layer.macs for layer in layers),
            seconds=training + evaluated / rate,
            memory_bytes=meter.peak_bytes,
            disk_bytes=4 * parameters + (validation + test) * BYTES_PER_PREDICTION * (classes + 2),
        )
        return row, predictor

    def _shortened(self) -> tuple[Recipe, TrainingData, float]:
        """A recipe of few updates, or a share of the data; and what its seconds stand for."""
        training: Any = getattr(self.recipe.settings, "training", None)
        if training is None:
            kept = min(len(self.data.train), PROBE_EXAMPLES)
            train = self.data.train.take(np.arange(kept))
            data = TrainingData(
                self.data.task,
                self.data.modality,
                train,
                self.data.validation,
                self.data.normaliser,
            )
            return self.recipe, data, len(self.data.train) / kept
        update = {
            "epochs": None,
            "iterations": PROBE_STEPS,
            "validate_every": PROBE_STEPS,
            "stopping": None,
        }
        settings = self.recipe.settings.model_copy(
            update={"training": training.model_copy(update=update)}
        )
        return self.recipe.model_copy(update={"settings": settings}), self.data, 1.0

    def _training_seconds(self, run: CellRun, recipe: Recipe, rate: float) -> float:
        """From the probe's seconds to those of all updates and validations."""
        settings: Any = getattr(self.recipe.settings, "training", None)
        if settings is None:
            return run.train_seconds
        validating = len(self.data.validation) / rate
        a_step = max(run.train_seconds - validating, 0.0) / (PROBE_STEPS - 1)
        per_epoch = -(-len(self.data.train) // settings.batch_size)
        steps = settings.iterations or settings.epochs * per_epoch
        validations = -(-steps // (settings.validate_every or per_epoch))
        return a_step * steps + validations * validating

    def _examples_per_second(self, predictor: Predictor) -> float:
        items = self.data.validation.items[:512]
        began = time.perf_counter()
        predictor.predict(items)
        return len(items) / max(time.perf_counter() - began, 1e-9)
