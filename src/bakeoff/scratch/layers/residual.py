"""Shortcuts around layers."""

import numpy as np

from bakeoff.core.protocols import LayerProfile, Position
from bakeoff.scratch.layers.base import Layer, Shape
from bakeoff.scratch.layers.composite import Composite
from bakeoff.scratch.memory import Array, Buffer


class Residual(Composite):
    """`y = f(x) + x`, or `f(x) + p(x)` where f changes the shape; `dx` is the sum of both ways.

    Source: He et al. 2016, "Deep residual learning for image recognition", equations 1 and 2.

    Args:
        body: f.
        projection: p; None: x itself.
    """

    kind = "residual"

    def __init__(self, body: Layer, projection: Layer | None = None) -> None:
        shortcut = {} if projection is None else {"projection": projection}
        super().__init__({"body": body, **shortcut})
        self.body, self.projection = body, projection
        self._outputs, self._downstream = Buffer(), Buffer()

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, ...) to the body's outputs."""
        shortcut = inputs if self.projection is None else self.projection.forward(inputs, at)
        outputs = self.body.forward(inputs, at)
        total: Array = self._outputs(outputs.shape, outputs.dtype)
        return np.add(outputs, shortcut, out=total)

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """The body's outputs' shape to (B, ...)."""
        downstream = self.body.backward(upstream, to_inputs)
        shortcut: Array | None = upstream
        if self.projection is not None:
            shortcut = self.projection.backward(upstream, to_inputs)
        if not to_inputs or downstream is None or shortcut is None:
            return None
        total: Array = self._downstream(downstream.shape, downstream.dtype)
        return np.add(downstream, shortcut, out=total)

    def output_shape(self, shape: Shape) -> Shape:
        """The body's."""
        return self.body.output_shape(shape)

    def macs(self, shape: Shape) -> int:
        """All children's."""
        return sum(child.macs(shape) for child in self.children.values())

    def profile(self, name: str, shape: Shape) -> tuple[LayerProfile, ...]:
        """The projection's rows, then the body's."""
        rows: list[LayerProfile] = []
        for key in sorted(self.children, reverse=True):
            rows += self.children[key].profile(f"{name}.{key}" if name else key, shape)
        return tuple(rows)
