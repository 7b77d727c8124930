"""Convolution: every output a weighted sum of the pixels that a moving window sees."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Position
from bakeoff.scratch import kernels
from bakeoff.scratch.kernels.window import Pair, Window
from bakeoff.scratch.layers.base import Layer, Shape
from bakeoff.scratch.memory import Array, Buffer

GROUP = 1 << 18
"""Numbers of unrolled windows at a time: 1 MiB of float32 stays in a core's cache from the
unrolling to the product. All windows of a batch would go to main memory and come back."""


class Convolution(Layer):
    """`y[o] = sum_k x[window of o, k] W[k] + b`, a matrix product over unrolled windows.

    With X the windows as rows (`im2col`) and G the upstream gradient, `dW = X^T G`, `db = sum G`,
    and dx sums `G W^T` over the windows that see a pixel (`col2im`). Images are channels last;
    weights lie as (outputs, inputs, kH, kW), as in torch's `Conv2d`, so that a network of either
    framework starts from the same numbers, and are folded into a matrix at every pass.
    Source: LeCun et al. 1989, "Backpropagation applied to handwritten zip code recognition"; as
    matrix products: Chellapilla, Puri and Simard 2006, "High performance convolutional neural
    networks for document processing".

    Args:
        inputs: Channels before it.
        outputs: And behind it.
        kernel: Height and width, or one number for both.
        stride: Pixels from a window to the next.
        padding: Zeros on every side; less than the kernel.
        bias: Whether b is there.
        dtype: Of parameters and results.

    Raises:
        InputError: where kernel, stride or padding is out of range.
    """

    kind = "convolution"

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__()
        self.window = Window.of(kernel, stride, padding)
        self.parameters = {"weight": np.zeros((outputs, inputs, *self.window.kernel), dtype)}
        if bias:
            self.parameters["bias"] = np.zeros(outputs, dtype)
        self.gradients = {name: np.zeros_like(p) for name, p in self.parameters.items()}
        self.weights = {"weight": (inputs * self.window.area, outputs * self.window.area)}
        self._folded = np.empty((self.window.area * inputs, outputs), dtype)
        self._folded_gradient, self._part = np.empty_like(self._folded), np.empty_like(self._folded)
        self._inputs = np.empty((0, 0, 0, inputs), dtype)
        self._columns, self._outputs, self._downstream = Buffer(), Buffer(), Buffer()

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, H, W, inputs) to (B, OH, OW, outputs)."""
        self._inputs = inputs
        weight = self.parameters["weight"]
        outputs: Array = self._outputs(
            (len(inputs), *self.output_shape(inputs.shape[1:])), weight.dtype
        )
        by_row, bias = _rows(outputs), None
        if "bias" in self.parameters:
            bias = np.tile(self.parameters["bias"], outputs.shape[2])
        self._fold()
        for images in self._groups(outputs.shape):
            part = outputs[images]
            columns = self._unroll(images, part.shape)
            np.matmul(columns, self._folded, out=part.reshape(len(columns), -1))
            if bias is not None:
                by_row[images] += bias
        return outputs

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, OH, OW, outputs) to (B, H, W, inputs)."""
        downstream: Array | None = None
        if to_inputs:
            downstream = self._downstream(self._inputs.shape, upstream.dtype)
        self._folded_gradient.fill(0)
        for images in self._groups(upstream.shape):
            columns = self._unroll(images, upstream[images].shape)
            gradient = upstream[images].reshape(len(columns), -1)
            np.matmul(columns.T, gradient, out=self._part)
            self._folded_gradient += self._part
            if downstream is not None:
                np.matmul(gradient, self._folded.T, out=columns)
                kernels.col2im(columns, self.window, downstream[images])
        self._unfold()
        if "bias" in self.gradients:
            # Row by row of the images first: NumPy adds long runs faster than short ones.
            sums = np.add.reduce(_rows(upstream), axis=(0, 1))
            np.add.reduce(sums.reshape(-1, upstream.shape[3]), axis=0, out=self.gradients["bias"])
        return downstream

    def _groups(self, shape: Shape) -> Iterator[slice]:
        """Images whose unrolled windows are worked on together, for outputs of this shape."""
        size = max(1, GROUP // (shape[1] * shape[2] * len(self._folded)))
        for start in range(0, shape[0], size):
            yield slice(start, min(start + size, shape[0]))

    def _unroll(self, images: slice, shape: Shape) -> Array:
        """The windows of some images as rows, for outputs of this shape."""
        rows, width = shape[0] * shape[1] * shape[2], len(self._folded)
        columns: Array = self._columns((rows, width), self._folded.dtype)
        kernels.im2col(self._inputs[images], self.window, columns)
        return columns

    def _fold(self) -> None:
        """(outputs, inputs, kH, kW) to (kH * kW * inputs, outputs)."""
        weight = self.parameters["weight"].transpose(2, 3, 1, 0)
        np.copyto(self._folded.reshape(weight.shape), weight)

    def _unfold(self) -> None:
        """And back, for the gradient."""
        gradient = self.gradients["weight"].transpose(2, 3, 1, 0)
        np.copyto(gradient, self._folded_gradient.reshape(gradient.shape))

    def output_shape(self, shape: Shape) -> Shape:
        """(OH, OW, outputs) of (H, W, inputs).

        Raises:
            InputError: where the channels are not its own, or the image is too small.
        """
        channels = self.parameters["weight"].shape[1]
        if len(shape) != 3 or shape[2] != channels:
            raise InputError(
                f"convolution: inputs of shape {shape} received "
                f"(allowed: height, width, {channels} channels)"
            )
        return (*self.window.output(*shape[:2]), len(self.parameters["weight"]))

    def macs(self, shape: Shape) -> int:
        """One for each weight at each place, padding included."""
        rows, columns, _ = self.output_shape(shape)
        return rows * columns * self.parameters["weight"].size


def _rows(images: Array) -> Array:
    """(B, H, W, C) as (B, H, W * C)."""
    return images.reshape(*images.shape[:2], images.shape[2] * images.shape[3])
