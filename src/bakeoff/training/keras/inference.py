"""A Keras network at work on images: outputs and probabilities, whatever the batches."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.passes import PassSize
from bakeoff.core.protocols import Normaliser
from bakeoff.core.softmax import softmax
from bakeoff.training.keras.library import graph, tf

LARGEST_PASS = 128
"""Examples of an evaluation pass; fewer where images are large."""
PASS_PIXELS = 1 << 20


class Inference:
    """A network with what it needs to read images.

    Every pass has the same number of examples, so that an example's bits do not depend on what is
    beside it (`core.passes`); the last one is filled up, and what the filling gave is thrown away.

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
        self._pass_size = PassSize(self.pass_size)
        self._outputs = graph(self._forward, [self.images])

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
        size = self._pass_size(self._pass, self._draw)
        filled = np.zeros((size, *self.shape), np.uint8)
        found: list[NDArray[np.float32]] = []
        # No images still make one pass: it tells how wide the result is.
        for start in range(0, max(1, len(images)), size):
            rows = images[start : start + size]
            filled[: len(rows)] = rows
            found.append(self._pass(filled)[: len(rows)])
        return np.concatenate(found)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) float32 class probabilities of (N, H, W, C) uint8."""
        return softmax(self.outputs(images))

    def _draw(self, count: int) -> NDArray[np.uint8]:
        """That many images that differ."""
        return np.random.default_rng(0).integers(0, 256, (count, *self.shape), np.uint8)

    def _pass(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        # A copy: TensorFlow may read an array in place, and this one is written to again.
        outputs: NDArray[np.float32] = self._outputs(tf.constant(images)).numpy()
        return outputs
