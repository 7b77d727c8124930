"""A small network, its step and some images, for the tests beside this file."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.protocols import Batch, Normaliser, Position
from bakeoff.core.streams import Streams
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.inference import Inference
from bakeoff.training.torch.initialise import initialise
from bakeoff.training.torch.numerics import Precision
from bakeoff.training.torch.step import TorchStep
from bakeoff.training.torch.transforms import Augmentation, Pixels

SHAPE, CLASSES, EXAMPLES = (8, 8, 3), 4, 24
CPU = torch.device("cpu")


class Small(nn.Module):
    """A convolution, perhaps batch norm and dropout, and two linear layers."""

    def __init__(self, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(SHAPE[2], 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6) if norm else nn.Identity()
        self.dropout1 = nn.Dropout(dropout)
        self.hidden = nn.Linear(6 * 64, 10)
        self.dropout2 = nn.Dropout(dropout)
        self.output = nn.Linear(10, CLASSES)

    def features(self, images: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(images))).flatten(1)
        return torch.relu(self.hidden(self.dropout1(x)))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.output(self.dropout2(self.features(images)))
        return logits


def batch(examples: int = EXAMPLES, seed: int = 0) -> Batch:
    """Images whose class can be told by their brightness."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, examples)
    images = generator.integers(0, 60, (examples, *SHAPE)) + 60 * labels[:, None, None, None]
    return Batch(images.astype(np.uint8), labels, np.arange(examples))


def inference(module: nn.Module, precision: Precision = "float32") -> Inference:
    """The module ready to read images."""
    normaliser = Normaliser(np.full(3, 0.5, np.float32), np.full(3, 0.25, np.float32))
    return Inference(module, Pixels(normaliser, SHAPE, CPU), precision)


def step(
    module: nn.Module | None = None,
    seed: int = 0,
    precision: Precision = "float32",
    augment: bool = False,
    **settings: Any,
) -> TorchStep:
    """A step of a freshly initialised network."""
    module = module or Small()
    streams = Streams(seed)
    ready = inference(module, precision)
    initialise(module, streams)
    draws = Draws(AugmentationSettings(flip=True, crop=2), SHAPE, EXAMPLES, streams)
    augmentation = Augmentation(draws, np.zeros(3, np.float32), CPU) if augment else None
    training = TrainingSettings.parse({"epochs": 1} | settings)
    return TorchStep(ready, training, streams, augmentation)


def at(number: int, parts: int = 1, rate: float = 0.02) -> Position:
    """A position in the first epoch."""
    return Position(number, 0, rate, parts)
