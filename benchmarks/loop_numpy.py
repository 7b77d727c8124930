"""What the product's loop costs over a bare NumPy loop: softmax regression by hand.

`bare` is the loop a competent person writes for this one model: preallocated memory, gradients by
hand, loss and hits added up, nothing else. It comes in two variants: images kept as uint8 and
normalised batch by batch, and images normalised once beforehand, at four times the memory.
`ours` is what a study runs: batches, step, loop. Both take the same number of updates on batches
of the same size, with momentum, from zero weights.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Batch, Normaliser
from bakeoff.core.streams import Streams
from bakeoff.core.task import Classification
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.scratch.network import softmax_regression
from bakeoff.scratch.optimisers import optimiser
from bakeoff.scratch.step import Inputs, NumpyStep
from bakeoff.training.loop import run_loop
from bakeoff.training.plan import plan
from bakeoff.training.settings import TrainingSettings

RATE, MOMENTUM, L2, CLASSES = 0.005, 0.9, 1e-3, 10


@dataclass(frozen=True, eq=False)
class Work:
    """What is trained on, and for how long.

    Args:
        images: (N, H, W, C) uint8.
        labels: (N,) int64.
        normalised: (N, H * W * C) float32, for the variant that has them ready; or None.
        batch_size: Examples of an update.
        steps: Updates.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    normalised: NDArray[np.float32] | None = None
    batch_size: int = 256
    steps: int = 400


def random_work(examples: int = 20000, precomputed: bool = False, steps: int = 400) -> Work:
    """Work of CIFAR-10's shapes; the numbers do not matter to the clock."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (examples, 32, 32, 3), np.uint8)
    labels = generator.integers(0, CLASSES, examples)
    ready = _normaliser()(images).reshape(examples, -1) if precomputed else None
    return Work(images, labels, ready, steps=steps)


def _normaliser() -> Normaliser:
    return Normaliser(np.full(3, 0.47, np.float32), np.full(3, 0.25, np.float32))


def bare(work: Work) -> float:
    """Seconds of the bare loop; on `work.normalised` if it is there, else from uint8."""
    flat = work.images.reshape(len(work.images), -1)
    size, features, rows = work.batch_size, flat.shape[1], np.arange(work.batch_size)
    channels = _normaliser()
    scale = np.tile(channels.scale, features // 3)
    shift = np.tile(channels.shift, features // 3)
    weight, bias = np.zeros((CLASSES, features), np.float32), np.zeros(CLASSES, np.float32)
    velocity, bias_velocity = np.zeros_like(weight), np.zeros_like(bias)
    gradient = np.empty_like(weight)
    x = np.empty((size, features), np.float32)
    generator = np.random.default_rng(0)
    began, loss, hits = time.perf_counter(), 0.0, 0
    for chosen in _batches(generator, len(flat), size, work.steps):
        y = work.labels[chosen]
        if work.normalised is not None:
            np.take(work.normalised, chosen, axis=0, out=x, mode="clip")
        else:
            np.copyto(x, flat[chosen])
            x *= scale
            x += shift
        p = x @ weight.T
        p += bias
        hits += int(np.count_nonzero(p.argmax(axis=1) == y))
        p -= p.max(axis=1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(axis=1, keepdims=True)
        loss -= float(np.log(p[rows, y]).sum())
        p[rows, y] -= 1
        p /= size
        np.matmul(p.T, x, out=gradient)
        gradient += L2 * weight
        velocity *= MOMENTUM
        velocity += gradient
        weight -= RATE * velocity
        bias_velocity *= MOMENTUM
        bias_velocity += p.sum(axis=0)
        bias -= RATE * bias_velocity
    return time.perf_counter() - began


def _batches(
    generator: np.random.Generator, examples: int, size: int, steps: int
) -> Iterator[NDArray[np.int64]]:
    """The indices of `steps` batches, shuffled epoch by epoch."""
    for _ in range(-(-steps // (examples // size))):
        order = generator.permutation(examples)
        for start in range(0, examples - size + 1, size):
            if steps == 0:
                return
            steps -= 1
            yield order[start : start + size]


def ours(work: Work) -> float:
    """Seconds of the product's loop on the same work."""
    ids = np.arange(len(work.labels)).astype(np.str_)
    examples = Examples(work.images, work.labels, ids)
    settings = TrainingSettings(
        iterations=work.steps,
        batch_size=work.batch_size,
        optimizer="momentum",
        learning_rate=RATE,
        momentum=MOMENTUM,
        l2=L2,
        validate_every=work.steps,
    )
    shape = work.images.shape[1:]
    network = softmax_regression(_normaliser(), shape, CLASSES)
    step = NumpyStep(network, optimiser("momentum", network, L2, MOMENTUM), Inputs(shape))
    batches = TrainingBatches(examples, work.batch_size, Streams(0), "shuffle")
    few = examples.take(np.arange(64))

    def validation() -> Iterator[Batch]:
        return iter(evaluation_batches(few, 64))

    task = Classification([str(i) for i in range(CLASSES)])
    began = time.perf_counter()
    run_loop(step, batches, plan(settings, batches, task, validation))
    return time.perf_counter() - began
