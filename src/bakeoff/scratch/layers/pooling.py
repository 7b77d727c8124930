"""Pooling: one number for every window of every channel, no parameters."""

import numpy as np

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Position
from bakeoff.scratch import kernels
from bakeoff.scratch.kernels.window import Pair, Window
from bakeoff.scratch.layers.base import Layer, Shape
from bakeoff.scratch.memory import Array, Buffer


class _Pool(Layer):
    """Windows over (B, H, W, C), channel by channel.

    Args:
        kernel: Height and width, or one number for both.
        stride: Pixels from a window to the next; the kernel where it is left out.
        padding: On every side; less than the kernel.

    Raises:
        InputError: where one of them is out of range.
    """

    def __init__(
        self, kernel: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
    ) -> None:
        super().__init__()
        self.window = Window.of(kernel, kernel if stride is None else stride, padding)
        self._outputs, self._downstream = Buffer(), Buffer()
        self._shape: Shape = ()

    def output_shape(self, shape: Shape) -> Shape:
        """(OH, OW, C) of (H, W, C).

        Raises:
            InputError: where these are not images, or they are smaller than the kernel.
        """
        if len(shape) != 3:
            raise InputError(
                f"{self.kind}: inputs of shape {shape} received (allowed: height, width, channels)"
            )
        return (*self.window.output(*shape[:2]), shape[2])


class MaxPool(_Pool):
    """The greatest number of every window; G goes to where it stood.

    Among equals the first one, row by row, gets the gradient; not-a-numbers pass. Padding is
    never the greatest.
    Source: Jarrett et al. 2009, "What is the best multi-stage architecture for object
    recognition?", section 2.
    """

    kind = "max-pool"

    def __init__(
        self, kernel: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
    ) -> None:
        super().__init__(kernel, stride, padding)
        self._winners = Buffer()
        self._won = np.empty(0, np.uint32)

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, H, W, C) to (B, OH, OW, C)."""
        self._shape = inputs.shape
        shape = (len(inputs), *self.output_shape(inputs.shape[1:]))
        outputs: Array = self._outputs(shape, inputs.dtype)
        self._won = self._winners(shape, np.uint32)
        kernels.max_pool(np.ascontiguousarray(inputs), self.window, outputs, self._won)
        return outputs

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, OH, OW, C) to (B, H, W, C)."""
        if not to_inputs:
            return None
        downstream: Array = self._downstream(self._shape, upstream.dtype)
        kernels.max_pool_backward(
            np.ascontiguousarray(upstream), self._won, self.window, downstream
        )
        return downstream


class AveragePool(_Pool):
    """The mean of every window; each of its pixels gets G over the window's area.

    Padding counts as zeros. A window as large as the image is global average pooling.
    Source: LeCun et al. 1990, "Handwritten digit recognition with a back-propagation network";
    global: Lin, Chen and Yan 2014, "Network in network", section 3.2.
    """

    kind = "average-pool"

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, H, W, C) to (B, OH, OW, C)."""
        self._shape = inputs.shape
        shape = (len(inputs), *self.output_shape(inputs.shape[1:]))
        outputs: Array = self._outputs(shape, inputs.dtype)
        kernels.average_pool(np.ascontiguousarray(inputs), self.window, outputs)
        return outputs

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, OH, OW, C) to (B, H, W, C)."""
        if not to_inputs:
            return None
        downstream: Array = self._downstream(self._shape, upstream.dtype)
        kernels.average_pool_backward(np.ascontiguousarray(upstream), self.window, downstream)
        return downstream
