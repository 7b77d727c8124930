"""Networks, images and settings on which the frameworks are held against each other."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.protocols import Batch, Normaliser, Position
from bakeoff.core.recipe import Framework, Numerics
from bakeoff.core.streams import Streams
from bakeoff.execution import numerics
from bakeoff.scratch import layers
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.network import Sequence, initialise, perceptron, softmax_regression
from bakeoff.techniques.frameworks import Computing, Engine, engine

SETTLED = Numerics(device="cpu", precision="float32", threads=1)
SHAPE, CLASSES, COUNT = (8, 6, 3), 5, 70
NORMALISER = Normaliser(
    np.array([0.5, 0.4, 0.6], np.float32), np.array([0.2, 0.3, 0.25], np.float32)
)
_generator = np.random.default_rng(5)
IMAGES: NDArray[np.uint8] = _generator.integers(0, 256, (COUNT, *SHAPE), np.uint8)
LABELS: NDArray[np.int64] = _generator.integers(0, CLASSES, COUNT)
STREAMS = Streams(3)


def softmax() -> Sequence:
    """It normalises by itself, and starts from zeros, which say nothing: drawn here."""
    return drawn(softmax_regression(NORMALISER, SHAPE, CLASSES))


def mlp() -> Sequence:
    return drawn(perceptron(SHAPE, (32, 16), CLASSES))


def everything() -> Sequence:
    """A convolutional network with nearly every kind of layer."""
    block = Sequence(
        {
            "convolution": layers.Convolution(6, 8, (3, 2), stride=(2, 1), padding=(1, 0)),
            "layer-norm": layers.LayerNorm(8),
            "swish": layers.Swish(),
        }
    )
    return drawn(
        Sequence(
            {
                "first": layers.Convolution(3, 6, 3, padding=1, bias=False),
                "batch-norm": layers.BatchNorm(6),
                "leaky-relu": layers.LeakyRelu(0.1),
                "max-pool": layers.MaxPool(2, stride=1, padding=1),
                "block": layers.Residual(
                    block, layers.Convolution(6, 8, (3, 2), stride=(2, 1), padding=(1, 0))
                ),
                "average-pool": layers.AveragePool(2),
                "dropout": layers.Dropout(0.4),
                "flatten": layers.Flatten(),
                "hidden": layers.Affine(48, 16),
                "tanh": layers.Tanh(),
                "output": layers.Affine(16, CLASSES),
            }
        )
    )


NETWORKS = {"softmax": softmax, "mlp": mlp, "everything": everything}


def drawn(network: Sequence) -> Sequence:
    """The network with its initial weights."""
    initialise(network, STREAMS)
    return network


def normaliser_of(network: Layer) -> Normaliser | None:
    """None where the network normalises by itself."""
    kinds = {type(child) for child in getattr(network, "children", {}).values()}
    return None if layers.NormalisedAffine in kinds else NORMALISER


def engine_of(framework: Framework, network: Layer) -> Engine:
    """The network at work, in a process that computes with one thread."""
    numerics.apply(SETTLED, framework)
    return engine(network, Computing(framework, SETTLED), normaliser_of(network), SHAPE)


def batch(number: int, size: int = 16) -> Batch:
    """The `number`-th batch, over and over again."""
    indices = (np.arange(size) + number * size) % COUNT
    return Batch(IMAGES[indices], LABELS[indices], indices)


def at(step: int, rate: float = 0.05, parts: int = 1) -> Position:
    """A place in training; four updates an epoch."""
    return Position(step, step // 4, rate, parts)


@contextmanager
def unchanged(network: Sequence) -> Iterator[None]:
    """Fails where a parameter or an average is another one afterwards."""
    before = {path: v.tobytes() for path, v in (network.parameters | network.averages).items()}
    yield
    after = {path: v.tobytes() for path, v in (network.parameters | network.averages).items()}
    assert after == before
