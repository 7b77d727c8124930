"""Optimisers by the names of `TrainingSettings`: the scratch network's formulas in TensorFlow.

Keras's own are other functions: its momentum keeps `m v - rate g`, so that a schedule changes what
is remembered, and its Adam adds epsilon before the bias of the squares is undone. L1, L2 and the
bound on norms are on the weights named as `decayed`; `adamw` shrinks them by L2, the others add
`l2 w` to the gradient. Clipping comes before both, the bound after the update.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bakeoff.core.optimisers import BETAS, CLIP_EPSILON, EPSILON, OPTIMISERS, SMOOTHING
from bakeoff.training.keras.library import tf
from bakeoff.training.settings import TrainingSettings


class Optimiser:
    """Updates parameters from their gradients.

    Args:
        settings: `optimizer`, `momentum`, `l1`, `l2`, `max_norm`, `clip`.
        parameters: `tf.Variable`s by path.
        decayed: The axis of the units of those that L1, L2 and the bound are on, by path.
    """

    def __init__(
        self, settings: TrainingSettings, parameters: Mapping[str, Any], decayed: Mapping[str, int]
    ) -> None:
        self._name, self._settings = settings.optimizer, settings
        self._parameters, self._decayed = dict(parameters), dict(decayed)
        self.updates = tf.Variable(tf.zeros(1, tf.int64), trainable=False, name="updates")
        self._moments = {
            key: {
                path: tf.Variable(tf.zeros_like(variable), trainable=False)
                for path, variable in self._parameters.items()
            }
            for key in OPTIMISERS[self._name].moments
        }

    def variables(self) -> dict[str, Any]:
        """All it remembers, by `path.key`; the number of updates as `updates` (1,)."""
        found = {
            f"{path}.{key}": variable
            for key, variables in self._moments.items()
            for path, variable in variables.items()
        }
        return found | {"updates": self.updates}

    def numbers(self, rate: float) -> tuple[float, float, float]:
        """What the next update needs besides gradients: rate, step length, correction.

        Found outside of the graph, in float64: the last two undo the start of Adam's running means
        at 0, `rate / (1 - 0.9^t)` and `sqrt(1 - 0.999^t)`.
        """
        count = int(self.updates.numpy()[0]) + 1
        first, second = BETAS
        return rate, rate / (1 - first**count), math.sqrt(1 - second**count)

    def apply(self, gradients: Sequence[Any], rate: Any, length: Any, correction: Any) -> None:
        """One update, inside of a graph.

        Args:
            gradients: In the order of `parameters`.
            rate: Of learning; scalar tensors, as are the others.
            length: As `numbers` gives it.
            correction: And this.
        """
        self.updates.assign_add([1])
        if self._settings.clip is not None:
            gradients = _shorten(gradients, self._settings.clip)
        for (path, variable), gradient in zip(self._parameters.items(), gradients, strict=True):
            if path in self._decayed:
                gradient = self._penalise(variable, gradient, rate)
            if "mean" in self._moments:
                change = length * self._adam(path, gradient, correction)
            else:
                change = rate * self._direction(path, gradient)
            variable.assign_sub(change)
            if self._settings.max_norm is not None and path in self._decayed:
                variable.assign(_bound(variable, self._decayed[path], self._settings.max_norm))

    def _penalise(self, variable: Any, gradient: Any, rate: Any) -> Any:
        """The gradient with those of the penalties; `adamw` shrinks the weight itself."""
        l1, l2 = self._settings.l1, self._settings.l2
        before = variable.read_value()
        if l2 and self._name == "adamw":
            variable.assign(before * (1 - rate * l2))
        elif l2:
            gradient = gradient + l2 * before
        return gradient + l1 * tf.sign(before) if l1 else gradient

    def _direction(self, path: str, gradient: Any) -> Any:
        """Of `sgd`, `momentum` (Polyak 1964), `nesterov` (Sutskever 2013) and `rmsprop`."""
        if self._name == "sgd":
            return gradient
        if self._name == "rmsprop":
            square = self._moments["square"][path]
            square.assign(SMOOTHING * square + (1 - SMOOTHING) * gradient * gradient)
            return gradient / (tf.sqrt(square) + EPSILON)
        velocity, momentum = self._moments["velocity"][path], self._settings.momentum
        velocity.assign(momentum * velocity + gradient)
        return gradient + momentum * velocity if self._name == "nesterov" else velocity

    def _adam(self, path: str, gradient: Any, correction: Any) -> Any:
        """`m / (sqrt(v) / correction + epsilon)`."""
        first, second = BETAS
        mean, square = self._moments["mean"][path], self._moments["square"][path]
        mean.assign_add((gradient - mean) * (1 - first))
        square.assign(square * second + gradient * gradient * (1 - second))
        return mean / (tf.sqrt(square) / correction + EPSILON)


def _shorten(gradients: Sequence[Any], longest: float) -> list[Any]:
    """All gradients scaled down where their common norm is greater; not a number stays so."""
    share = longest / (tf.linalg.global_norm(gradients) + CLIP_EPSILON)
    return [gradient * tf.minimum(share, 1.0) for gradient in gradients]


def _bound(weight: Any, axis: int, longest: float) -> Any:
    """A weight with the units scaled down whose norm is greater; `axis` counts the units."""
    others = [a for a in range(weight.shape.rank) if a != axis]
    norms = tf.sqrt(tf.reduce_sum(weight * weight, axis=others, keepdims=True))
    return weight * (longest / tf.maximum(norms, longest))
