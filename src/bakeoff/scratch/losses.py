"""Losses: what is minimised, and its gradient at the network's outputs."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.softmax import softmax
from bakeoff.scratch.memory import Array, Buffer


def probabilities(logits: Array) -> Array:
    """Class probabilities (B, K) of logits (B, K); of one logit (B, 1), those of two classes.

    The sigmoid of z is the softmax of (0, z), which is how it is computed: no tail is rounded to 0
    before float32 ends. Where there are several logits, the probabilities take their memory.
    """
    if logits.shape[1] > 1:
        return softmax(logits, out=logits)
    return softmax(np.concatenate([np.zeros_like(logits), logits], axis=1))


def hits(logits: Array, labels: NDArray[np.int64]) -> int:
    """How many labels (B,) are the class of the greatest logit; of one logit, the class z > 0."""
    guesses = logits.argmax(axis=1) if logits.shape[1] > 1 else logits[:, 0] > 0
    return int(np.count_nonzero(guesses == labels))


def _checked(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """The labels themselves.

    Raises:
        InputError: where one is not in 0..classes-1. Negative ones would count from the end.
    """
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        wrong = labels[(labels < 0) | (labels >= classes)][0]
        raise InputError(f"labels: {wrong} received (allowed: 0 to {classes - 1})")
    return labels


LossName = Literal["cross-entropy", "hinge"]


class Loss(Protocol):
    """What a network's outputs cost, and the cost's gradient at them."""

    def forward(self, logits: Array, labels: NDArray[np.int64]) -> Array:
        """Each example's loss (B,) from outputs (B, K) and labels (B,)."""
        ...

    def backward(self, count: int) -> Array:
        """The gradient (B, K) of the sum over the last outputs, divided by `count`."""
        ...


class SoftmaxCrossEntropy:
    """Softmax and cross-entropy in one: `log sum_j exp(z_j) - z_label`; gradient `p - onehot`.

    The objective is the mean over the batch. The L2 penalty `l2 / 2 * |w|^2` belongs to it too;
    it knows nothing of logits, so its gradient `l2 * w` is added by the optimiser.

    With smoothing e, a label stands for `1 - e` of its class and `e / K` of every one of the K:
    the loss is `log sum_j exp(z_j) - (1 - e) z_label - e / K sum_j z_j`, its gradient `p` minus
    these shares (Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision",
    section 7).

    Args:
        smoothing: e, 0 <= e < 1.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self._smoothing = smoothing
        self._shifted, self._probabilities = Buffer(), Buffer()
        self._rows: NDArray[np.intp] = np.arange(0)
        self._labels: NDArray[np.int64] = np.arange(0)
        self.probabilities: NDArray[Any] = np.empty((0, 0))
        """Of the last `forward`."""

    def forward(self, logits: Array, labels: NDArray[np.int64]) -> Array:
        """Each example's loss (B,) from logits (B, K) and labels (B,) in 0..K-1."""
        if len(labels) != len(self._rows):
            self._rows = np.arange(len(labels))
        self._labels = _checked(labels, logits.shape[1])
        shifted = self._shifted(logits.shape, logits.dtype)
        np.subtract(logits, logits.max(axis=1, keepdims=True), out=shifted)
        p = np.exp(shifted, out=self._probabilities(logits.shape, logits.dtype))
        sums: Array = p.sum(axis=1)
        p /= sums[:, None]
        self.probabilities = p
        losses: Array = np.log(sums)
        if self._smoothing:
            losses -= (1 - self._smoothing) * shifted[self._rows, labels]
            losses -= self._smoothing * shifted.mean(axis=1)
        else:
            losses -= shifted[self._rows, labels]
        return losses

    def backward(self, count: int) -> Array:
        """The gradient (B, K) of the mean over `count` examples at the last logits.

        Args:
            count: The whole batch's, of which the last `forward` may have seen a part.
        """
        gradient = self.probabilities  # no longer needed: the gradient takes its memory
        gradient[self._rows, self._labels] -= 1 - self._smoothing
        if self._smoothing:
            gradient -= self._smoothing / gradient.shape[1]
        gradient /= count
        return gradient


class BinaryCrossEntropy:
    """Sigmoid and cross-entropy in one, of one logit z for two classes: `log(1 + e^z) - z y`.

    Computed as `max(z, 0) - z y + log(1 + e^-|z|)`, which neither overflows nor cancels; the
    gradient is `sigmoid(z) - y`. It equals `SoftmaxCrossEntropy` of the logits (0, z).
    Source: Cox 1958, "The regression analysis of binary sequences".

    Args:
        smoothing: e; y is then `1 - e / 2` and `e / 2` in the place of 1 and 0.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self._smoothing = smoothing
        self._tail, self._gradient = Buffer(), Buffer()
        self._last: Array = np.empty((0, 1))
        self._labels: NDArray[np.int64] = np.arange(0)

    def forward(self, logits: Array, labels: NDArray[np.int64]) -> Array:
        """Each example's loss (B,) from logits (B, 1) and labels (B,) in 0..1."""
        self._last, self._labels = logits, _checked(labels, 2)
        z = logits[:, 0]
        losses: Array = np.abs(z, out=self._tail(z.shape, z.dtype))
        np.negative(losses, out=losses)
        np.log1p(np.exp(losses, out=losses), out=losses)
        losses += np.maximum(z, 0)
        losses -= z * self._targets(z.dtype)
        return losses

    def _targets(self, dtype: DTypeLike) -> Array:
        """(B,): what is told of the second class."""
        targets: Array = self._labels.astype(dtype)
        if self._smoothing:
            targets *= 1 - self._smoothing
            targets += self._smoothing / 2
        return targets

    def backward(self, count: int) -> Array:
        """The gradient (B, 1) of the mean over `count` examples at the last logits.

        Args:
            count: The whole batch's, of which the last `forward` may have seen a part.
        """
        z = self._last
        tail = np.exp(-np.abs(z))
        gradient: Array = self._gradient(z.shape, z.dtype)
        np.divide(np.where(z > 0, 1, tail), 1 + tail, out=gradient)
        gradient[:, 0] -= self._targets(z.dtype)
        gradient /= count
        return gradient


class Hinge:
    """Weston and Watkins' hinge: `1/K sum over j != label of max(0, 1 - z_label + z_j)`.

    Every class that comes closer than a margin of 1 to the label's score counts, as in torch's
    `MultiMarginLoss`; Crammer and Singer 2001 count the closest one alone. With `a_j` 1 where class
    j counts, else 0, the gradient is `a_j / K` at j and `-sum a / K` at the label; 0 at the kink.
    Source: Weston and Watkins 1999, "Support vector machines for multi-class pattern recognition".
    """

    def __init__(self) -> None:
        self._margins, self._gradient, self._mask = Buffer(), Buffer(), Buffer()
        self._last: Array = np.empty((0, 0))
        self._rows: NDArray[np.intp] = np.arange(0)
        self._labels: NDArray[np.int64] = np.arange(0)

    def forward(self, logits: Array, labels: NDArray[np.int64]) -> Array:
        """Each example's loss (B,) from scores (B, K) and labels (B,) in 0..K-1."""
        if len(labels) != len(self._rows):
            self._rows = np.arange(len(labels))
        self._labels = _checked(labels, logits.shape[1])
        margins: Array = self._margins(logits.shape, logits.dtype)
        np.subtract(logits, logits[self._rows, labels][:, None], out=margins)
        margins += 1
        margins[self._rows, labels] = 0
        self._last = np.maximum(margins, 0, out=margins)
        losses: Array = self._last.sum(axis=1)
        losses /= logits.shape[1]
        return losses

    def backward(self, count: int) -> Array:
        """The gradient (B, K) of the mean over `count` examples at the last scores.

        Args:
            count: The whole batch's, of which the last `forward` may have seen a part.
        """
        shape, dtype = self._last.shape, self._last.dtype
        counts = np.greater(self._last, 0, out=self._mask(shape, np.bool_))
        gradient: Array = self._gradient(shape, dtype)
        np.multiply(counts, dtype.type(1 / (shape[1] * count)), out=gradient)
        gradient[self._rows, self._labels] = -gradient.sum(axis=1)
        return gradient


LOSSES: Mapping[LossName, type[Loss]] = {"cross-entropy": SoftmaxCrossEntropy, "hinge": Hinge}
"""By the names of `training.loss`."""


def loss_of(name: LossName, smoothing: float = 0.0) -> Loss:
    """The loss of that name, with label smoothing, which is of cross-entropy alone."""
    return SoftmaxCrossEntropy(smoothing) if name == "cross-entropy" else LOSSES[name]()
