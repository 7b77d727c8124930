"""Activations: one number in, one number out, no parameters."""

import numpy as np

from bakeoff.core.protocols import Position
from bakeoff.scratch.layers.base import Layer
from bakeoff.scratch.memory import Array, Buffer


class Relu(Layer):
    """`y = max(x, 0)`; `dx` is G where x > 0, else 0 (at 0 too). Not-a-numbers pass.

    Source: Nair and Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """

    kind = "relu"

    def __init__(self) -> None:
        super().__init__()
        self._outputs, self._downstream, self._mask = Buffer(), Buffer(), Buffer()
        self._last: Array = np.empty(0)

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """Any shape to the same shape."""
        self._last = np.maximum(inputs, 0, out=self._outputs(inputs.shape, inputs.dtype))
        return self._last

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """Any shape to the same shape."""
        if not to_inputs:
            return None
        positive = np.greater(self._last, 0, out=self._mask(upstream.shape, np.bool_))
        downstream: Array = self._downstream(upstream.shape, upstream.dtype)
        np.multiply(upstream, positive, out=downstream)
        return downstream
