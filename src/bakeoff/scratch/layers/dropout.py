"""Dropout: numbers left out at random while learning."""

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.protocols import Position
from bakeoff.core.streams import Streams
from bakeoff.scratch.layers.base import Layer
from bakeoff.scratch.memory import Array, Buffer


class Dropout(Layer):
    """`y = k x / (1 - rate)`, k being 0 with probability `rate`, else 1; `dx = k G / (1 - rate)`.

    Dividing while learning ("inverted") leaves `y = x` for all other passes.

    The masks are drawn from the stream ("dropout", path, step), a row for each example of the
    batch: another dropout layer leaves them as they are, and a part of a batch gets its rows of the
    whole batch's.
    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
    overfitting".

    Args:
        rate: Share that is left out, 0 <= rate < 1.
    """

    kind = "dropout"

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        self.rate = rate
        self._streams, self._path = Streams(0), ""
        self._draws, self._kept = Buffer(), Buffer()
        self._outputs, self._downstream = Buffer(), Buffer()
        self._factors: Array | None = None

    def draw_from(self, streams: Streams, path: str) -> None:
        """Take the masks from these streams, under this name."""
        self._streams, self._path = streams, path

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """Any shape to the same shape; `inputs` themselves where nothing is learnt or left out."""
        self._factors = None
        if at is None or not self.rate:
            return inputs
        kept = self.mask(inputs.shape, at)
        self._factors = self._kept(inputs.shape, inputs.dtype)
        np.multiply(kept, inputs.dtype.type(1 / (1 - self.rate)), out=self._factors)
        outputs: Array = self._outputs(inputs.shape, inputs.dtype)
        return np.multiply(inputs, self._factors, out=outputs)

    def mask(self, shape: tuple[int, ...], at: Position) -> NDArray[np.bool_]:
        """What stays of the examples (B, ...) that pass at this position."""
        whole = (at.first + shape[0] if at.examples is None else at.examples, *shape[1:])
        draws = self._draws(whole, np.float32)
        generator = self._streams.generator("dropout", self._path, at.step)
        generator.random(dtype=np.float32, out=draws)
        return draws[at.first : at.first + shape[0]] >= np.float32(self.rate)

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """Any shape to the same shape."""
        if not to_inputs:
            return None
        if self._factors is None:
            return upstream
        downstream: Array = self._downstream(upstream.shape, upstream.dtype)
        return np.multiply(upstream, self._factors, out=downstream)
