"""A small Keras network of images, and what a step needs of it."""

from typing import Any

import numpy as np

from bakeoff.core.protocols import Batch, Normaliser, Position
from bakeoff.training.keras.inference import Inference
from bakeoff.training.keras.library import keras
from bakeoff.training.keras.step import KerasStep, Learning
from bakeoff.training.settings import TrainingSettings

SHAPE = (4, 3, 2)
NORMALISER = Normaliser(np.array([0.5, 0.4], np.float32), np.array([0.2, 0.3], np.float32))
_generator = np.random.default_rng(0)
IMAGES = _generator.integers(0, 256, (300, *SHAPE), np.uint8)
LABELS = _generator.integers(0, 3, 300)


def inference() -> Inference:
    """Two dense layers with weights drawn by Keras itself, the same every time."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="relu", name="hidden"),
            keras.layers.Dense(3, name="output"),
        ]
    )
    return Inference(model, NORMALISER, SHAPE)


def variables(made: Inference) -> dict[str, Any]:
    """The model's by path."""
    learnt = made.model.trainable_variables
    return {variable.path.partition("/")[2]: variable.value for variable in learnt}


def step(made: Inference, how: Learning | None = None, **settings: Any) -> KerasStep:
    """A step on it; L2 is on kernels."""
    chosen = TrainingSettings.parse({"epochs": 1, "optimizer": "momentum", **settings})
    found = variables(made)
    decayed = {path: 1 for path in found if path.endswith("kernel")}
    return KerasStep(made, chosen, found, {}, decayed, how or Learning())


def batch(start: int = 0, size: int = 16) -> Batch:
    indices = np.arange(start, start + size)
    return Batch(IMAGES[indices], LABELS[indices], indices)


def at(number: int = 0, rate: float = 0.1, parts: int = 1) -> Position:
    return Position(number, 0, rate, parts)
