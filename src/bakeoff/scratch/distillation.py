"""A student's loss beside its teacher, and its gradient by hand; see `core.teaching`."""

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.softmax import softmax
from bakeoff.core.teaching import Teaching
from bakeoff.scratch.memory import Array


class Distillation:
    """Mixes the loss of the labels with the distance from a teacher.

    With probabilities q of the teacher and p of the student at temperature T, the gradient of
    `T^2 * KL(q || p)` at the student's logits is `T (p - q)`; that of the squared distance of
    centred logits `2 (z - mean z - t)` (whose mean over the classes is 0 already).

    Args:
        teaching: What the teacher says of the training examples.
    """

    def __init__(self, teaching: Teaching) -> None:
        self._teaching = teaching
        self._share = 1 - teaching.settings.alpha
        self._gradient: Array = np.empty((0, 0))

    def forward(self, losses: Array, logits: Array, rows: NDArray[np.intp]) -> Array:
        """Each example's mixed loss (B,).

        Args:
            losses: (B,) of the labels.
            logits: (B, K) of the student.
            rows: (B,) positions in the training set.
        """
        settings, targets = self._teaching.settings, self._teaching.targets(rows)
        if settings.loss == "logits":
            away = logits - logits.mean(axis=1, keepdims=True) - targets
            distance = np.square(away).sum(axis=1)
            self._gradient = 2 * away
        else:
            t = logits.dtype.type(settings.temperature)
            p = softmax(logits / t)
            tiny = np.finfo(p.dtype).tiny
            logs = np.log(np.maximum(targets, tiny)) - np.log(np.maximum(p, tiny))
            distance = t * t * (targets * logs).sum(axis=1)
            self._gradient = t * (p - targets)
        mixed: Array = settings.alpha * losses + self._share * distance
        return mixed

    def backward(self, gradient: Array, count: int) -> Array:
        """The gradient (B, K) of the sum over the last examples, divided by `count`.

        Args:
            gradient: (B, K) that of the labels' loss, divided by `count`.
            count: Of the whole batch.
        """
        mixed: Array = (
            self._teaching.settings.alpha * gradient + self._share / count * self._gradient
        )
        return mixed.astype(gradient.dtype, copy=False)
