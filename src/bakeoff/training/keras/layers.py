"""Layers that Keras has not, or has with other formulas."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.training.keras.library import keras, tf


class Scaled(keras.layers.Layer):  # type: ignore[misc]
    """`s x + t`, of constants.

    Args:
        scale: s, of one example's shape.
        shift: t, of the same.
        options: Keras's own.
    """

    def __init__(self, scale: NDArray[Any], shift: NDArray[Any], **options: Any) -> None:
        super().__init__(**options)
        self._scale, self._shift = tf.constant(scale), tf.constant(shift)

    def call(self, inputs: Any) -> Any:
        """(B, D) to (B, D)."""
        return inputs * self._scale + self._shift


class Padding(keras.layers.Layer):  # type: ignore[misc]
    """A border of equal numbers around images.

    Args:
        sides: Pixels above and below, and on the left and right.
        filling: What they hold.
        options: Keras's own.
    """

    def __init__(self, sides: tuple[int, int], filling: float, **options: Any) -> None:
        super().__init__(**options)
        self._sides, self._filling = sides, filling

    def call(self, inputs: Any) -> Any:
        """(B, H, W, C) to (B, H + 2 sides, W + 2 sides, C)."""
        (down, right), filling = self._sides, tf.cast(self._filling, inputs.dtype)
        return tf.pad(inputs, [[0, 0], [down, down], [right, right], [0, 0]], "CONSTANT", filling)


class NamedDropout(keras.layers.Layer):  # type: ignore[misc]
    """Dropout whose masks come from elsewhere (Srivastava et al. 2014, "Dropout").

    Args:
        rate: Share that is left out.
        mask: What stays, (B, ...) bool, from the shape of the examples that pass.
        options: Keras's own.
    """

    def __init__(
        self, rate: float, mask: Callable[[tuple[int, ...]], NDArray[np.bool_]], **options: Any
    ) -> None:
        super().__init__(**options)
        self._rate, self._mask = rate, mask

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Any shape to the same shape."""
        if not training or not self._rate:
            return inputs
        kept = tf.numpy_function(
            lambda shape: self._mask(tuple(map(int, shape))), [tf.shape(inputs)], tf.bool
        )
        factors = tf.cast(kept, inputs.dtype) * (1 / (1 - self._rate))
        return inputs * tf.ensure_shape(factors, inputs.shape)


class BatchNorm(keras.layers.Layer):  # type: ignore[misc]
    """Batch norm whose running variance has the divisor N - 1; Keras's has N.

    A single number a feature has no variance: it is normalised by the averages, and moves none.
    Source: Ioffe and Szegedy 2015, "Batch normalization", algorithm 1.

    Args:
        momentum: Weight of the newest batch in the running averages; Keras means the oldest's.
        epsilon: Added to the variance.
        options: Keras's own.
    """

    def __init__(self, momentum: float, epsilon: float, **options: Any) -> None:
        super().__init__(**options)
        self._momentum, self._epsilon = momentum, epsilon

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the gain, the shift and the averages of (..., D)."""
        features = shape[-1:]
        self.gain = self.add_weight(shape=features, initializer="ones", name="gain")
        self.shift = self.add_weight(shape=features, initializer="zeros", name="shift")
        options = {"shape": features, "trainable": False}
        self.mean = self.add_weight(initializer="zeros", name="mean", **options)
        self.variance = self.add_weight(initializer="ones", name="variance", **options)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """(B, ..., D) to the same shape."""
        mean, variance = self.mean.value, self.variance.value
        if training:
            count = tf.size(inputs) // tf.shape(inputs)[-1]
            mean, variance = tf.cond(
                count > 1,
                lambda: self._follow(inputs, count),
                lambda: (tf.identity(self.mean.value), tf.identity(self.variance.value)),
            )
        factor = self.gain * tf.math.rsqrt(variance + self._epsilon)
        return (inputs - mean) * factor + self.shift

    def _follow(self, inputs: Any, count: Any) -> tuple[Any, Any]:
        """The batch's mean and variance, which the averages move towards."""
        mean = tf.reduce_mean(inputs, axis=list(range(inputs.shape.rank - 1)))
        variance = tf.reduce_mean((inputs - mean) ** 2, axis=list(range(inputs.shape.rank - 1)))
        share = tf.cast(count, inputs.dtype) / tf.cast(count - 1, inputs.dtype)
        for average, newest in ((self.mean, mean), (self.variance, variance * share)):
            average.value.assign_add(self._momentum * (newest - average.value))
        return mean, variance


class Residual(keras.layers.Layer):  # type: ignore[misc]
    """`f(x) + p(x)` of two Keras models.

    Args:
        body: f.
        projection: p; None: x itself.
        options: Keras's own.
    """

    def __init__(self, body: Any, projection: Any, **options: Any) -> None:
        super().__init__(**options)
        self._body, self._projection = body, projection
        self.built = True  # both parts are

    def call(self, inputs: Any, training: bool = False) -> Any:
        """(B, ...) to the body's outputs."""
        shortcut = inputs
        if self._projection is not None:
            shortcut = self._projection(inputs, training=training)
        return self._body(inputs, training=training) + shortcut
