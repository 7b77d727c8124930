"""Losses: what is minimised, and its gradient at the network's outputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.scratch.memory import Array, Buffer


def softmax(logits: Array, out: Array | None = None) -> Array:
    """Probabilities (B, K) of logits (B, K): `exp(z - max z)` over its sum, row by row.

    Taking the greatest logit off first changes nothing but keeps `exp` from overflowing.
    """
    out = np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)
    return out


class SoftmaxCrossEntropy:
    """Softmax and cross-entropy in one: `log sum_j exp(z_j) - z_label`; gradient `p - onehot`.

    The objective is the mean over the batch. The L2 penalty `l2 / 2 * |w|^2` belongs to it too;
    it knows nothing of logits, so its gradient `l2 * w` is added by the optimiser.
    """

    def __init__(self) -> None:
        self._shifted, self._probabilities = Buffer(), Buffer()
        self._rows: NDArray[np.intp] = np.arange(0)
        self._labels: NDArray[np.int64] = np.arange(0)
        self.probabilities: NDArray[Any] = np.empty((0, 0))
        """Of the last `forward`."""

    def forward(self, logits: Array, labels: NDArray[np.int64]) -> Array:
        """Each example's loss (B,) from logits (B, K) and labels (B,) in 0..K-1."""
        if len(labels) != len(self._rows):
            self._rows = np.arange(len(labels))
        self._labels = labels
        shifted = self._shifted(logits.shape, logits.dtype)
        np.subtract(logits, logits.max(axis=1, keepdims=True), out=shifted)
        p = np.exp(shifted, out=self._probabilities(logits.shape, logits.dtype))
        sums: Array = p.sum(axis=1)
        p /= sums[:, None]
        self.probabilities = p
        losses: Array = np.log(sums)
        losses -= shifted[self._rows, labels]
        return losses

    def backward(self, count: int) -> Array:
        """The gradient (B, K) of the mean over `count` examples at the last logits.

        Args:
            count: The whole batch's, of which the last `forward` may have seen a part.
        """
        gradient = self.probabilities  # no longer needed: the gradient takes its memory
        gradient[self._rows, self._labels] -= 1
        gradient /= count
        return gradient
