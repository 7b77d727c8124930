"""One update and one evaluation of a NumPy network: the loop's step, and prediction."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bakeoff.core.passes import PassSize
from bakeoff.core.protocols import Arrays, Batch, Normaliser, Position, State, Value, micro_batches
from bakeoff.core.teaching import Teaching
from bakeoff.scratch.augmentation import Augmentation
from bakeoff.scratch.distillation import Distillation
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import Loss, SoftmaxCrossEntropy, hits, probabilities
from bakeoff.scratch.memory import Array, Buffer
from bakeoff.scratch.network import saved
from bakeoff.scratch.optimisers import Optimiser

CHUNK = 64
"""Examples of an evaluation pass at most."""
BLOCK = 1 << 18
"""Numbers normalised at a time: 1 MiB stays in a core's cache from the first pass to the last."""


class Inputs:
    """Items to a network's inputs by a cast: matrices of numbers, or pixels 0..255 as they are.

    Args:
        shape: Of one item, (D,) or (H, W, C).
        dtype: Of the network's inputs.

    Attributes:
        size: Numbers of one item.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> None:
        self.shape, self.size, self.dtype = shape, math.prod(shape), np.dtype(dtype)

    def write(self, items: NDArray[Any], out: Array) -> None:
        """Write (B, *shape) of any real dtype into (B, size) of `dtype`."""
        np.copyto(out, items.reshape(len(items), self.size), casting="same_kind")


class Pixels(Inputs):
    """uint8 images to normalised float32: the bits of `Normaliser`, a quarter of its time.

    NumPy is slow where the axis it broadcasts along is as short as a pixel's channels, and where
    it casts on the fly; so mean and SD are laid out for a whole image, and the cast goes first.

    Args:
        normaliser: Fitted on training examples.
        shape: Of one image (H, W, C).
    """

    def __init__(self, normaliser: Normaliser, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self._scale = np.broadcast_to(normaliser.scale, shape).reshape(-1)
        self._shift = np.broadcast_to(normaliser.shift, shape).reshape(-1)
        self._rows = max(1, BLOCK // max(1, self.size))

    def write(self, items: NDArray[Any], out: Array) -> None:
        """Write (B, H, W, C) uint8, normalised, into (B, H * W * C) float32."""
        flat = items.reshape(len(items), self.size)
        for start in range(0, len(flat), self._rows):
            block = out[start : start + self._rows]
            np.copyto(block, flat[start : start + self._rows])
            np.multiply(block, self._scale, out=block)
            np.add(block, self._shift, out=block)


class Evaluator:
    """A network's outputs for items, whatever the way they are batched (`core.passes`).

    Args:
        network: Read, never changed.
        reader: Items to its inputs; their dtype is that of the outputs.
    """

    def __init__(self, network: Layer, reader: Inputs) -> None:
        self._network, self._reader = network, reader
        self._size = network.output_shape(reader.shape)
        self._inputs, self._pass_size = Buffer(), PassSize(CHUNK)

    def outputs(self, items: NDArray[Any]) -> NDArray[Any]:
        """(N, ...), the network's outputs of N items; non-finite ones pass."""
        dtype = self._reader.dtype
        out = np.empty((len(items), *self._size), dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            chunk = self._pass_size(self._pass, self._draw)
            inputs = self._inputs((chunk, self._reader.size), dtype)
            inputs.fill(0)
            for start in range(0, len(items), chunk):
                rows = items[start : start + chunk]
                self._reader.write(rows, inputs[: len(rows)])
                out[start : start + chunk] = self._pass(inputs)[: len(rows)]
        return out

    def _draw(self, count: int) -> Array:
        """That many inputs that differ."""
        generator = np.random.default_rng(0)
        return generator.standard_normal((count, self._reader.size)).astype(self._reader.dtype)

    def _pass(self, inputs: Array) -> Array:
        """The network's outputs of (B, size); valid until the next pass."""
        return self._network.forward(inputs.reshape(len(inputs), *self._reader.shape))

    def probabilities(self, items: NDArray[Any]) -> NDArray[Any]:
        """(N, K) class probabilities of N items; (N, 2) from one logit."""
        logits = self.outputs(items)
        with np.errstate(over="ignore", invalid="ignore"):
            return probabilities(logits)


class NumpyStep:
    """The loop's step for a NumPy network that classifies.

    Args:
        network: Inputs (B, *shape), outputs logits (B, K), or (B, 1) for two classes.
        optimiser: Of that network.
        reader: Items to the network's inputs.
        loss: Of the logits; None: softmax and cross-entropy.
        augmentation: Changes training images; None leaves items as they are.
        teaching: What a teacher says of the training examples; None: there is none.
    """

    def __init__(
        self,
        network: Layer,
        optimiser: Optimiser,
        reader: Inputs,
        loss: Loss | None = None,
        augmentation: Augmentation | None = None,
        teaching: Teaching | None = None,
    ) -> None:
        self.splittable = network.splittable
        self._network, self._optimiser, self._reader = network, optimiser, reader
        self._loss = loss or SoftmaxCrossEntropy()
        self._augmentation = augmentation
        self._distillation = None if teaching is None else Distillation(teaching)
        self._inputs = Buffer()
        self._totals: dict[str, Array] = {}
        self._evaluator = Evaluator(network, reader)

    def __call__(self, batch: Batch, at: Position) -> dict[str, Value]:
        """Update on a batch.

        Returns:
            `loss`: the sum over its examples of the loss (without penalties on weights; not finite
            where training diverged), `correct` and `count`.
        """
        count, loss, correct = len(batch.labels), 0.0, 0
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for number, part in enumerate(micro_batches(count, at.parts)):
                losses, right = self._gradients(batch, part, at)
                loss += losses
                correct += right
                if at.parts > 1:
                    self._add_up(number, last=part.stop == count)
            self._optimiser.step(at.learning_rate)
        return {"loss": loss, "correct": correct, "count": count}

    def _gradients(self, batch: Batch, part: slice, at: Position) -> tuple[float, int]:
        """A forward and a backward pass over part of a batch; the sums of loss and hits."""
        items, labels = np.asarray(batch.items)[part], batch.labels[part]
        if self._augmentation is not None:
            items = self._augmentation(items, batch.indices[part], at.epoch)
        inputs = self._inputs((len(items), self._reader.size), self._reader.dtype)
        self._reader.write(items, inputs)
        if at.parts > 1:
            at = replace(at, first=part.start, examples=len(batch.labels))
        logits = self._network.forward(inputs.reshape(len(items), *self._reader.shape), at)
        correct = hits(logits, labels)
        losses = self._loss.forward(logits, labels)
        gradient = self._loss.backward(len(batch.labels))
        if self._distillation is not None:
            losses = self._distillation.forward(losses, logits, batch.indices[part])
            gradient = self._distillation.backward(gradient, len(batch.labels))
        self._network.backward(gradient, to_inputs=False)
        return float(losses.sum(dtype=np.float64)), correct

    def _add_up(self, number: int, last: bool) -> None:
        """Add the gradients of the parts; the last part leaves the sum in the network's own."""
        gradients = self._network.gradients
        if number == 0:
            self._totals = self._totals or {p: np.empty_like(g) for p, g in gradients.items()}
        for path, gradient in gradients.items():
            total = self._totals[path]
            if number == 0:
                np.copyto(total, gradient)
            elif last:
                np.add(total, gradient, out=gradient)
            else:
                np.add(total, gradient, out=total)

    def evaluate(self, batch: Batch) -> NDArray[np.float32]:
        """Class probabilities (B, K) of a batch."""
        return self._evaluator.probabilities(np.asarray(batch.items))

    def state(self) -> State:
        """Weights, averages, moments and the number of updates, copied."""
        state = {f"network.{path}": p.copy() for path, p in saved(self._network).items()}
        return state | {f"optimiser.{name}": a for name, a in self._optimiser.state().items()}

    def load(self, state: Arrays) -> None:
        """Put a state back, into the same memory."""
        for path, values in saved(self._network).items():
            np.copyto(values, state[f"network.{path}"], casting="no")
        prefix = "optimiser."
        self._optimiser.load(
            {name.removeprefix(prefix): a for name, a in state.items() if name.startswith(prefix)}
        )
