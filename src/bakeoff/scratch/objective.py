"""What a solver minimises: the mean loss of all examples and its penalty, with the gradient."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import Loss, hits
from bakeoff.scratch.memory import Buffer
from bakeoff.scratch.step import Inputs

Doubles = NDArray[np.float64]
CHUNK = 256
"""Examples of a pass."""


@dataclass
class Last:
    """What the last evaluation saw besides its value: mean loss without penalty, share of hits."""

    loss: float = float("nan")
    accuracy: float = float("nan")


class Objective:
    """`1/N sum loss_i(w) + l2 / 2 |w|^2` and its gradient, as a function of one flat vector.

    Passes run in the network's own precision, over chunks of examples; sums over chunks are kept in
    float64, so that a solver sees a smooth function. Biases have no penalty.

    Args:
        network: Its parameters are overwritten by every evaluation.
        loss: Of its outputs.
        reader: Items to its inputs.
        items: N items.
        labels: (N,) int64.
        l2: Of the weights.

    Attributes:
        last: Of the last evaluation.
    """

    def __init__(
        self,
        network: Layer,
        loss: Loss,
        reader: Inputs,
        items: NDArray[Any],
        labels: NDArray[np.int64],
        l2: float,
    ) -> None:
        self.last = Last()
        self._network, self._loss, self._reader = network, loss, reader
        self._items, self._labels, self._l2 = items, labels, l2
        self._inputs = Buffer()

    def start(self) -> Doubles:
        """The network's parameters as they are, one behind another."""
        parts = [values.reshape(-1) for values in self._network.parameters.values()]
        return np.concatenate(parts).astype(np.float64)

    def put(self, vector: Doubles) -> None:
        """Give the network these parameters."""
        for path, part in self._parts(vector):
            values = self._network.parameters[path]
            np.copyto(values, part.reshape(values.shape), casting="same_kind")

    def __call__(self, vector: Doubles) -> tuple[float, Doubles]:
        """The value and the gradient at a vector; not finite where it overflows."""
        self.put(vector)
        gradient = np.zeros_like(vector)
        count, loss, right = len(self._labels), 0.0, 0
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, count, CHUNK):
                losses, correct = self._pass(slice(start, min(start + CHUNK, count)))
                loss += losses
                right += correct
                for path, part in self._parts(gradient):
                    part += self._network.gradients[path].reshape(-1)
            value = loss / count
            self.last = Last(value, right / count)
            return value + self._add_penalty(vector, gradient), gradient

    def _add_penalty(self, vector: Doubles, gradient: Doubles) -> float:
        """The penalty; its gradient is added to the loss's."""
        penalty, parts = 0.0, zip(self._parts(vector), self._parts(gradient), strict=True)
        for (path, weights), (_, part) in parts:
            if self._l2 and path in self._network.weights:
                penalty += 0.5 * self._l2 * float(weights @ weights)
                part += self._l2 * weights
        return penalty

    def _pass(self, rows: slice) -> tuple[float, int]:
        """Forward and backward over a chunk; the sums of loss and hits."""
        labels = self._labels[rows]
        inputs = self._inputs((len(labels), self._reader.size), self._reader.dtype)
        self._reader.write(self._items[rows], inputs)
        logits = self._network.forward(inputs.reshape(len(labels), *self._reader.shape))
        correct = hits(logits, labels)
        losses = float(self._loss.forward(logits, labels).sum(dtype=np.float64))
        self._network.backward(self._loss.backward(len(self._labels)), to_inputs=False)
        return losses, correct

    def _parts(self, vector: Doubles) -> Iterator[tuple[str, Doubles]]:
        """Each parameter's path, and its view of the vector."""
        start = 0
        for path, values in self._network.parameters.items():
            yield path, vector[start : start + values.size]
            start += values.size
