"""Little data and short cells, on which every technique is put to the test."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.errors import InputError, Interrupted
from bakeoff.core.examples import Modality
from bakeoff.core.protocols import Predictor, Technique, TrainingData
from bakeoff.core.recipe import (
    CorpusSource,
    DataSettings,
    Framework,
    Numerics,
    Recipe,
    Settings,
    TableSource,
    references,
)
from bakeoff.core.streams import Streams
from bakeoff.data import catalogue, splits
from bakeoff.data.dataset import Dataset
from bakeoff.execution import numerics
from bakeoff.execution.run import CellRun
from bakeoff.techniques import find, framework_of
from bakeoff.training.observers import Silent

LABELS = 120
"""Training examples."""
STEPS = 4
TRAINING = {"iterations": STEPS, "batch_size": 16, "validate_every": 2, "checkpoint_seconds": 0}
WORDS = {
    "good": ("fine", "bright", "warm", "kind"),
    "bad": ("dull", "cold", "late", "rude"),
    "so": ("plain", "usual", "middling", "fair"),
}


def corpus(folder: Path) -> Dataset:
    """Short texts to be foretold, from a file that is written into `folder`."""
    generator = np.random.default_rng(0)
    every = [word for words in WORDS.values() for word in words]
    lines = [f"number {i} is {' and '.join(generator.choice(every, 3))}" for i in range(1200)]
    path = folder / "texts.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return catalogue.load(CorpusSource(corpus=str(path), words=6))


def dataset_of(modality: Modality, folder: Path) -> Dataset:
    """Digits, generated numbers, or a table of short texts that is written into `folder`."""
    if modality != "text":
        return catalogue.load("digits" if modality == "image" else "two-inputs")
    generator = np.random.default_rng(0)
    rows = ["text,label"]
    for i in range(900):
        label = list(WORDS)[i % len(WORDS)]
        words = generator.choice(WORDS[label], 3).tolist()
        rows.append(f"number {i} is {' and '.join(words)},{label}")
    path = folder / "texts.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return catalogue.load(TableSource(table=str(path)))


def modality_of(technique: Technique) -> Modality:
    """What a technique is tried on: images, where it reads them; then texts, then numbers."""
    order: tuple[Modality, ...] = ("image", "text", "numbers")
    return next(modality for modality in order if modality in technique.modalities)


def settings_of(technique: Technique, framework: Framework | None = None) -> Settings:
    """The defaults, with a loop of a few updates, computed in a framework where one is named."""
    fields = technique.settings.model_fields
    short: dict[str, Any] = {"training": TRAINING} if "training" in fields else {}
    if framework is not None and "framework" in fields:
        short["framework"] = framework
    return technique.settings.parse(short)


def classes_of(technique: Technique, dataset: Dataset) -> tuple[str, ...]:
    """All classes, or two where the technique tells no more apart."""
    try:
        technique.untrained(settings_of(technique), dataset.shape, len(dataset.classes))
    except InputError:
        return dataset.classes[:2]
    return dataset.classes


@cache
def resolved(framework: str) -> Numerics:
    """One thread, on whatever this machine computes."""
    return numerics.resolve(Numerics(threads=1), {framework})


def cell_of(recipe: Recipe, seed: int = 0) -> Cell:
    """A cell outside any study."""
    version = find(recipe.technique).version
    return Cell(recipe, Replicate(seed=seed), "data", "split", version)


def run_of(
    recipe: Recipe, folder: Path, seed: int = 0, check: Callable[[], None] = lambda: None
) -> CellRun:
    """What a fit works through, on disk; this process computes as the recipe says from here on."""
    fingerprint = numerics.apply(recipe.numerics, framework_of(recipe))
    return CellRun(folder, Streams(seed), fingerprint, True, Silent(), check)


@dataclass
class Attempt:
    """What a fit left."""

    predictor: Predictor
    run: CellRun
    data: TrainingData
    checks: int
    """How often the fit asked whether to stop."""


@dataclass(frozen=True)
class Bench:
    """Fits one technique in a folder of the test's.

    Args:
        technique: Which.
        folder: A new one.
        framework: What it computes in; None: what its defaults do.
    """

    technique: Technique
    folder: Path
    framework: Framework | None = None

    def dataset(self) -> Dataset:
        """What the technique is tried on."""
        if "language-modelling" in self.technique.tasks:
            return corpus(self.folder)
        return dataset_of(modality_of(self.technique), self.folder)

    def data(self, seed: int = 0) -> TrainingData:
        """A few examples, drawn as any study draws them."""
        dataset = self.dataset()
        classes = classes_of(self.technique, dataset)
        labels, share = LABELS, 0.1
        if len(classes) < len(dataset.classes):  # of few examples, more must validate
            labels, share = 80, 0.4
        chosen = classes or None  # numbers have none
        settings = DataSettings(set="digits", labels=labels, classes=chosen, validation=share)
        return splits.draw(dataset, settings, Streams(seed)).training_data()

    def fit(self, place: str, seed: int = 0, stop_at: int | None = None) -> Attempt:
        """Fit on the examples of seed 0.

        Args:
            place: Name of the cell's folder; used again, it goes on there.
            seed: Of everything that is random in the fit.
            stop_at: The check at which a signal comes, from 1.

        Raises:
            Interrupted: where it came.
        """
        technique, settings = self.technique, settings_of(self.technique, self.framework)
        recipe = Recipe(
            name=technique.name,
            technique=technique.name,
            data=DataSettings(set="digits"),
            numerics=resolved(self.framework or technique.framework),
            settings=settings,
        )
        data, check = self.data(), Check(stop_at)
        run = run_of(recipe, self.folder / place, seed, check)
        predictor = technique.fit(cell_of(recipe, seed), data, self.inputs(settings), run)
        return Attempt(predictor, run, data, check.count)

    def inputs(self, settings: Settings) -> dict[str, Predictor]:
        """Fitted results of what the defaults refer to."""
        names = {reference.recipe for reference in references(settings)}
        return {
            name: Bench(find("mlp"), self.folder).fit(f"inputs/{name}").predictor
            for name in sorted(names)
        }


class Check:
    """Counts how often it is asked, and stops the fit once."""

    def __init__(self, stop_at: int | None) -> None:
        self.count, self._stop_at = 0, stop_at

    def __call__(self) -> None:
        self.count += 1
        if self.count == self._stop_at:
            raise Interrupted(15)


def same_bits(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two arrays are the same to the last bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
