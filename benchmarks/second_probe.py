"""Seconds from asking for a probe until its training starts: the first on an encoder, and the next.

    python benchmarks/second_probe.py [--labels 45000]

The encoder is LeNet after a few updates by triplets on CIFAR-10, since what it learnt does not
matter here. The first probe computes the vectors of all its examples, the next ones, with other
penalties, find them in the cache.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.protocols import Batches, Fitted, LoopPlan, Predictor, Step
from bakeoff.data import catalogue, splits
from bakeoff.execution import numerics
from bakeoff.execution.run import CellRun
from bakeoff.techniques import find
from bakeoff.techniques.recipes import parse_recipe
from bakeoff.training.observers import Silent

PENALTIES = (0.001, 0.01, 0.1, 0.0001)
NUMERICS = {"device": "cpu", "precision": "float32", "threads": 2, "compile": False}


class Started(Exception):
    """Training would start now."""


class UntilItTrains(CellRun):
    """A run that ends where its first loop begins."""

    def loop(self, phase: str, step: Step, batches: Batches, plan: LoopPlan) -> Fitted:
        """Begin."""
        raise Started


def fit(
    content: dict[str, Any], data: Any, folder: Path, inputs: dict[str, Predictor], kind: Any
) -> Predictor:
    """Fit a recipe in a run of some kind; the encoder's key is made up, like the split's."""
    base = {"data": {"set": "cifar10"}, "numerics": NUMERICS}
    recipe = parse_recipe(base | content)
    technique, at = find(recipe.technique), Replicate(seed=0)
    fingerprint = numerics.apply(recipe.numerics, "torch")
    keys = dict.fromkeys(inputs, "0123456789abcdef")
    cell = Cell(recipe, at, "data", "split", technique.version, inputs=keys)
    run = kind(folder, at.streams, fingerprint, True, Silent(), lambda: None)
    return technique.fit(cell, data, inputs, run)


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--labels", type=int, default=45_000)
    labels = parser.parse_args().labels
    few = {"iterations": 5, "batch_size": 64}
    encoder = {"technique": "contrastive", "model": {"name": "lenet"}, "training": few}
    data = catalogue.load("cifar10")
    settings = parse_recipe({**encoder, "data": {"set": "cifar10", "labels": labels}}).data
    cut = splits.draw_cell(data, settings, Replicate(seed=0), None).training_data()
    seconds = []
    with tempfile.TemporaryDirectory() as name:
        os.environ["BAKEOFF_CACHE"] = f"{name}/cache"
        fitted = fit(encoder, cut, Path(name) / "encoder", {}, CellRun)
        for number, l2 in enumerate(PENALTIES):
            probe = {
                "technique": "probe",
                "encoder": {"recipe": "encoder"},
                "training": {"l2": l2},
            }
            began = time.perf_counter()
            try:
                fit(probe, cut, Path(name) / str(number), {"encoder": fitted}, UntilItTrains)
            except Started:
                seconds.append(round(time.perf_counter() - began, 3))
    told = {"examples": len(cut.train), "validating": len(cut.validation)}
    print(json.dumps(told | {"first_probe_seconds": seconds[0], "next_probes": seconds[1:]}))


if __name__ == "__main__":
    main()
