"""Small data, cells without a study, and a run in memory, for the tests of techniques."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.cell import Cell, Key, Replicate
from bakeoff.core.classification import Classification
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import (
    Arrays,
    Batches,
    Digests,
    Fitted,
    LoopPlan,
    Normaliser,
    Run,
    Step,
    ToRows,
    TrainingData,
)
from bakeoff.core.streams import Streams
from bakeoff.techniques.recipes import parse_recipe
from bakeoff.training.loop import Surroundings, run_loop


class MemoryRun:
    """Runs every phase at once and keeps nothing on disk unless told to."""

    def __init__(self, seed: int = 0) -> None:
        self.streams = Streams(seed)
        self.rows: list[dict[str, Any]] = []
        self.fitted: list[Fitted] = []
        self.notes: list[str] = []
        self.where = Surroundings()
        """Where its loops keep checkpoints, and what may stop them."""
        self.solved: dict[str, Key | None] = {}
        """The solves asked for, with the key they share."""

    def loop(self, phase: str, step: Step, batches: Batches, plan: LoopPlan) -> Fitted:
        """Train to the end."""
        fitted, progress = run_loop(step, batches, plan, self.where)
        self.rows += progress.rows
        self.fitted.append(fitted)
        return fitted

    def solve(self, phase: str, compute: Callable[[], Arrays], share: Key | None = None) -> Arrays:
        """Compute."""
        self.solved[phase] = share
        return compute()

    def solve_rows(self, phase: str, digests: Digests, compute: ToRows, share: Key) -> NDArray[Any]:
        """Compute."""
        self.solved[phase] = share
        return compute(np.arange(len(digests)))

    def note(self, fitted: Fitted, rows: Sequence[Mapping[str, Any]] = ()) -> None:
        """Remember."""
        self.fitted.append(fitted)
        self.rows += [dict(row) for row in rows]

    def remark(self, sentences: Sequence[str]) -> None:
        """Remember."""
        self.notes += sentences


def numbered(items: NDArray[np.uint8], labels: NDArray[np.int64]) -> Examples:
    """Examples whose identities are their positions."""
    return Examples(items, labels, np.arange(len(labels)).astype(np.str_))


def image_data(
    items: NDArray[np.uint8], labels: NDArray[np.int64], validation: int, classes: int
) -> TrainingData:
    """Training data whose last `validation` examples are the validation examples."""
    train = numbered(items[:-validation], labels[:-validation])
    pixels = items[:-validation].astype(np.float64) / 255
    mean, sd = pixels.mean(axis=(0, 1, 2)), pixels.std(axis=(0, 1, 2))
    return TrainingData(
        Classification([str(i) for i in range(classes)]),
        "image",
        train,
        numbered(items[-validation:], labels[-validation:]),
        Normaliser(mean.astype(np.float32), sd.astype(np.float32)),
    )


@cache
def _digits() -> TrainingData:
    from sklearn.datasets import load_digits

    bundled = load_digits()
    order = np.random.default_rng(0).permutation(len(bundled.target))
    items = np.rint(bundled.images[order] * (255 / 16)).astype(np.uint8)[..., None]
    return image_data(items, bundled.target[order].astype(np.int64), 450, 10)


@pytest.fixture
def digits() -> TrainingData:
    """scikit-learn's digits: 1,347 for training, 450 for validation; 8 x 8 x 1, 10 classes."""
    return _digits()


@pytest.fixture
def noise() -> TrainingData:
    """Random images, random labels: 60 for training, 20 for validation; 4 x 3 x 2, 3 classes."""
    generator = np.random.default_rng(0)
    items = generator.integers(0, 256, (80, 4, 3, 2), np.uint8)
    return image_data(items, generator.integers(0, 3, 80), 20, 3)


@pytest.fixture
def texts() -> TrainingData:
    """Four texts of two classes, and two for validation."""
    ids = np.array(["0", "1", "2", "3"], np.str_)
    train = Examples(["good", "bad", "good too", "fine"], np.array([1, 0, 1, 1]), ids)
    few = Examples(["bad", "good"], np.array([0, 1]), ids[:2])
    return TrainingData(Classification(["no", "yes"]), "text", train, few, None)


@pytest.fixture
def run() -> MemoryRun:
    """A run with seed 0."""
    return MemoryRun()


@pytest.fixture
def new_run() -> Callable[[int], MemoryRun]:
    """Runs by seed."""
    return MemoryRun


@pytest.fixture
def cell_of() -> Callable[..., Cell]:
    """A cell from a technique's name and its settings."""

    def build(technique: str, inputs: dict[str, Key] | None = None, **sections: Any) -> Cell:
        content = {"technique": technique, "data": {"set": "digits"}, **sections}
        recipe = parse_recipe(content)
        return Cell(recipe, Replicate(seed=0), "data", "split", 1, inputs or {})

    return build


_: type[Run] = MemoryRun
