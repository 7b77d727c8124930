"""A Keras network at work on images: outputs and probabilities, whatever the batches."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.protocols import Normaliser
from bakeoff.training.keras.library import graph, tf

LARGEST_PASS = 128
"""Examples of an evaluation pass; fewer where images are large."""
PASS_PIXELS = 1 << 20


class Inference:
    """A network with what it needs to read images.

    The bits of a matrix product depend on the number of rows, not on which row an example is. So
    every pass has the same number of examples; the last one is filled up, and what the filling
    gave is thrown away.

    Args:
        model: A Keras model of images (B, H, W, C) float32.
        normaliser: Of the pixels; None: the model is given 0..255.
        shape: (H, W, C) of one image.
    """

    def __init__(self, model: Any, normaliser: Normaliser | None, shape: tuple[int, ...]) -> None:
        self.model, self.shape = model, tuple(shape)
        self._scale: Any = None
        if normaliser is not None:
            self._scale = tf.constant(np.broadcast_to(normaliser.scale, shape).copy())
            self._shift = tf.constant(np.broadcast_to(normaliser.shift, shape).copy())
        height, width = self.shape[:2]
        self.pass_size = max(1, min(LARGEST_PASS, PASS_PIXELS // (height * width)))
        self._outputs = graph(self._forward, [self.images])
        self._probabilities = graph(lambda x: tf.nn.softmax(self._forward(x)), [self.images])

    @property
    def images(self) -> Any:
        """What batches of any number of images are to a graph: one trace serves all."""
        return tf.TensorSpec((None, *self.shape), tf.uint8)

    def pixels(self, images: Any) -> Any:
        """(B, H, W, C) uint8 to the model's inputs."""
        inputs = tf.cast(images, tf.float32)
        return inputs if self._scale is None else inputs * self._scale + self._shift

    def _forward(self, images: Any) -> Any:
        return self.model(self.pixels(images), training=False)

    def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, ...) float32, the network's outputs for (N, H, W, C) uint8."""
        return self._all(self._outputs, images)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) float32 class probabilities of (N, H, W, C) uint8."""
        return self._all(self._probabilities, images)

    def _all(self, compute: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        filled = np.zeros((self.pass_size, *self.shape), np.uint8)
        found: list[NDArray[np.float32]] = []
        # No images still make one pass: it tells how wide the result is.
        for start in range(0, max(1, len(images)), self.pass_size):
            rows = images[start : start + self.pass_size]
            filled[: len(rows)] = rows
            # A copy: TensorFlow may read an array in place, and this one is written to again.
            found.append(compute(tf.constant(filled)).numpy()[: len(rows)])
        return np.concatenate(found)
