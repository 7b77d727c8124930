"""Layers that change shapes alone."""

import math

from bakeoff.core.protocols import Position
from bakeoff.scratch.layers.base import Layer, Shape
from bakeoff.scratch.memory import Array


class Flatten(Layer):
    """(B, ...) to (B, D), the last axis fastest; the same memory."""

    kind = "flatten"

    def __init__(self) -> None:
        super().__init__()
        self._shape: Shape = ()

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, ...) to (B, D)."""
        self._shape = inputs.shape
        return inputs.reshape(len(inputs), -1)

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, D) to (B, ...)."""
        return upstream.reshape(self._shape) if to_inputs else None

    def output_shape(self, shape: Shape) -> Shape:
        """(D,)."""
        return (math.prod(shape),)
