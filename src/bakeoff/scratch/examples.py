"""One small example of every layer and loss, for `bakeoff check-gradients`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bakeoff.scratch.layers import (
    Affine,
    AveragePool,
    BatchNorm,
    Convolution,
    Dropout,
    Flatten,
    Gru,
    Layer,
    LayerNorm,
    LeakyRelu,
    Lstm,
    MaxPool,
    NormalisedAffine,
    Relu,
    Residual,
    Rnn,
    Shape,
    Sigmoid,
    Swish,
    Tanh,
)
from bakeoff.scratch.losses import BinaryCrossEntropy, Hinge, Loss, SoftmaxCrossEntropy
from bakeoff.scratch.network import Sequence

WIDE = np.float64
SCALE, SHIFT = np.linspace(0.5, 2, 6), np.linspace(-1, 1, 6)


@dataclass(frozen=True)
class Example:
    """A layer in float64, and the shape of one of its inputs."""

    build: Callable[[], Layer]
    shape: Shape


def _shortcut() -> Layer:
    body = Sequence({"affine": Affine(6, 4, WIDE), "tanh": Tanh()})
    return Residual(body, Affine(6, 4, WIDE))


LAYERS: Mapping[str, Example] = {
    "affine": Example(lambda: Affine(6, 4, WIDE), (6,)),
    "average-pool": Example(lambda: AveragePool(3, 2, 1), (6, 5, 3)),
    "batch-norm": Example(lambda: BatchNorm(3, dtype=WIDE), (4, 3, 3)),
    "convolution": Example(lambda: Convolution(3, 4, 3, 2, 1, dtype=WIDE), (6, 5, 3)),
    "dropout": Example(lambda: Dropout(0.4), (6,)),
    "flatten": Example(Flatten, (3, 2)),
    "gru": Example(lambda: Gru(4, 3, WIDE), (5, 4)),
    "layer-norm": Example(lambda: LayerNorm(6, dtype=WIDE), (6,)),
    "leaky-relu": Example(LeakyRelu, (6,)),
    "lstm": Example(lambda: Lstm(4, 3, WIDE), (5, 4)),
    "max-pool": Example(lambda: MaxPool(2), (6, 4, 3)),
    "normalised-affine": Example(lambda: NormalisedAffine(SCALE, SHIFT, 4, WIDE), (6,)),
    "relu": Example(Relu, (6,)),
    "residual": Example(_shortcut, (6,)),
    "rnn": Example(lambda: Rnn(4, 3, WIDE), (5, 4)),
    "sigmoid": Example(Sigmoid, (6,)),
    "swish": Example(Swish, (6,)),
    "tanh": Example(Tanh, (6,)),
}
"""By the class's name in small letters."""

LOSSES: Mapping[str, tuple[Callable[[], Loss], int]] = {
    "binary-cross-entropy": (BinaryCrossEntropy, 1),
    "hinge": (Hinge, 4),
    "softmax-cross-entropy": (SoftmaxCrossEntropy, 4),
}
"""By the class's name in small letters, with the outputs they are fed."""
