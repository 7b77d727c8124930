"""What a study will cost, before it runs: counted where it can be, probed where it cannot."""

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.protocols import Predictor
from bakeoff.execution import numerics
from bakeoff.execution.measure import Meter
from bakeoff.execution.run import CellRun
from bakeoff.study.prepare import Ready
from bakeoff.study.resolve import Planned
from bakeoff.techniques import find, framework_of
from bakeoff.training.observers import Silent

PROBE_STEPS = 12
PROBE_EXAMPLES = 2_000
FINAL = "(chosen)"
"""Stands for the recipe that folds are going to choose; no recipe has such a name."""
BYTES_PER_PREDICTION = 12
"""Of one probability in a CSV file, with its comma."""


@dataclass(frozen=True)
class Estimate:
    """The predicted price of one recipe.

    Attributes:
        cells: How many there are of it, finished ones included.
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
    replicates = ready.replicates(range(count))
    first = ready.replicates(ready.looks.seeds)[0]
    fitted: dict[str, Predictor] = {}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for planned in ready.planned:
            inputs = {name: fitted[needed.recipe] for name, needed in planned.inputs.items()}
            probe = _Probe(ready, planned, first, inputs, Path(folder) / planned.name)
            row, fitted[planned.name] = probe.run(len(replicates))
            found.append(row)
    return found


def estimate_final(
    ready: Ready, found: Sequence[Estimate], seeds: int | None = None
) -> Estimate | None:
    """The price of scoring on test what the folds will choose; None where that is not asked.

    Which recipe it will be is not known: the dearest stands for all, with what it needs of others.
    It learns from all folds, so it takes k/(k-1) of a fold's time.
    """
    resampling = ready.study.resampling
    if resampling is None or not resampling.then_test:
        return None
    rows, planned = {row.recipe: row for row in found}, {p.name: p for p in ready.planned}

    def needed(name: str) -> set[str]:
        inputs = [needed(other.recipe) for other in planned[name].inputs.values()]
        return {name}.union(*inputs)

    seconds = {name: math.fsum(rows[n].seconds for n in needed(name)) for name in rows}
    dearest = max(seconds, key=lambda name: seconds[name])
    return replace(
        rows[dearest],
        recipe=FINAL,
        cells=seeds or ready.looks.sizes[0],
        seconds=seconds[dearest] * resampling.folds / (resampling.folds - 1),
    )


class _Probe:
    """A short fit of one recipe."""

    def __init__(
        self,
        ready: Ready,
        planned: Planned,
        first: Replicate,
        inputs: Mapping[str, Predictor],
        folder: Path,
    ) -> None:
        self.recipe, self.inputs, self.folder = planned.recipe, inputs, folder
        self.replicate = planned.drawn(first)
        split = ready.split(self.recipe.data, self.replicate)
        self.data = split.training_data()
        self.scored_size = len(split.test if split.fold is None else split.fold)
        self.technique = find(self.recipe.technique)
        self.training: Any = getattr(self.recipe.settings, "training", None)

    def run(self, count: int) -> tuple[Estimate, Predictor]:
        """The estimate, and the predictor of the short fit, for recipes that need one."""
        fingerprint = numerics.apply(self.recipe.numerics, framework_of(self.recipe))
        with Meter() as meter:
            predictor, run = self._fit(fingerprint, PROBE_EXAMPLES)
        parameters, macs = _sizes(predictor)
        rate = self._examples_per_second(predictor)
        if self.training is not None:
            training = self._loop_seconds(run, rate)
        else:
            kept, all_ = min(len(self.data.train), PROBE_EXAMPLES), len(self.data.train)
            training = run.train_seconds * all_ / kept
            if kept < all_:
                # What remembers examples grows with them, and so does the price of a prediction.
                half, _ = self._fit(fingerprint, PROBE_EXAMPLES // 2)
                fewer, before = _sizes(half), macs
                times = (all_ - kept) / (kept - PROBE_EXAMPLES // 2)
                parameters += round(times * (parameters - fewer[0]))
                macs += round(times * (macs - fewer[1]))
                rate *= before / macs if macs else 1.0
        predicted = len(self.data.validation) + self.scored_size
        columns = len(self.data.task.classes) + 2
        row = Estimate(
            recipe=self.recipe.name,
            technique=self.technique.name,
            cells=count,
            parameters=parameters,
            macs_per_example=macs,
            seconds=training + run.warm_up_seconds + (len(self.data.train) + predicted) / rate,
            memory_bytes=meter.peak_bytes,
            disk_bytes=4 * parameters + predicted * BYTES_PER_PREDICTION * columns,
        )
        return row, predictor

    def _fit(self, fingerprint: dict[str, Any], examples: int) -> tuple[Predictor, CellRun]:
        """A few updates on all examples, or a solve of some."""
        settings, data, folder = self.recipe.settings, self.data, self.folder / str(examples)
        if self.training is not None:
            update = {
                "epochs": None,
                "iterations": PROBE_STEPS,
                "validate_every": PROBE_STEPS,
                "stopping": None,
            }
            shortened = self.training.model_copy(update=update)
            settings = settings.model_copy(update={"training": shortened})
        else:
            size = len(data.train)
            rows = np.linspace(0, size - 1, min(size, examples)).astype(np.intp)
            data = replace(data, train=data.train.take(rows))
        recipe = self.recipe.model_copy(update={"settings": settings})
        cell = Cell(recipe, self.replicate, "", "", self.technique.version)
        run = CellRun(folder, self.replicate.streams, fingerprint, True, Silent(), lambda: None)
        return self.technique.fit(cell, data, self.inputs, run), run

    def _loop_seconds(self, run: CellRun, rate: float) -> float:
        """From the probe's seconds to those of all updates and validations."""
        validating = len(self.data.validation) / rate
        a_step = max(run.train_seconds - validating, 0.0) / (PROBE_STEPS - 1)
        per_epoch = -(-len(self.data.train) // self.training.batch_size)
        steps = self.training.iterations or self.training.epochs * per_epoch
        validations = -(-steps // (self.training.validate_every or per_epoch))
        return float(a_step * steps + validations * validating)

    def _examples_per_second(self, predictor: Predictor) -> float:
        items = self.data.validation.items[:512]
        began = time.perf_counter()
        predictor.predict(items)
        return len(items) / max(time.perf_counter() - began, 1e-9)


def _sizes(predictor: Predictor) -> tuple[int, int]:
    """Parameters, and multiply-accumulates of one prediction."""
    layers = predictor.layers()
    return sum(layer.parameters for layer in layers), sum(layer.macs for layer in layers)
