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
        self._inputs = np.empty((0, 0, 0, inputs), dtype)
        self._outputs, self._downstream = Buffer(), Buffer()
        self._memory: list[_Memory] = []

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, H, W, inputs) to (B, OH, OW, outputs)."""
        self._inputs = np.ascontiguousarray(inputs)
        outputs: Array = self._outputs(
            (len(inputs), *self.output_shape(inputs.shape[1:])), self._folded.dtype
        )
        by_row, bias = _by_row(outputs), None
        if "bias" in self.parameters:
            bias = np.tile(self.parameters["bias"], outputs.shape[2])
        self._fold()
        self._prepare()

        # Alone in a product, an image's numbers do not depend on its place among others.
        most = None if at is not None else 1

        def work(number: int, part: slice) -> None:
            for images, columns in self._unrolled(number, part, outputs.shape, most):
                np.matmul(columns, self._folded, out=outputs[images].reshape(len(columns), -1))
                if bias is not None:
                    by_row[images] += bias

        kernels.split(len(inputs), work)
        return outputs

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, OH, OW, outputs) to (B, H, W, inputs)."""
        downstream: Array | None = None
        if to_inputs:
            downstream = self._downstream(self._inputs.shape, self._folded.dtype)
        by_row = _by_row(upstream)

        def work(number: int, part: slice) -> None:
            memory = self._memory[number]
            memory.clear(by_row.shape[2])
            for images, columns in self._unrolled(number, part, upstream.shape):
                gradient = upstream[images].reshape(len(columns), -1)
                memory.add(columns, gradient, by_row[images])
                if downstream is not None:
                    np.matmul(gradient, self._folded.T, out=columns)
                    kernels.col2im(columns, self.window, downstream[images])

        self._prepare()
        parts = kernels.split(len(upstream), work)
        self._add_up(self._memory[:parts])
        return downstream

    def _prepare(self) -> None:
        """Memory for every thread there may be."""
        missing = kernels.threads() - len(self._memory)
        self._memory += [_Memory(self._folded) for _ in range(missing)]

    def _unrolled(
        self, number: int, part: slice, shape: Shape, most: int | None = None
    ) -> Iterator[tuple[slice, Array]]:
        """Some images after some others, and their windows as rows, for outputs of this shape."""
        width, windows = len(self._folded), shape[1] * shape[2]
        size = most or max(1, GROUP // (windows * width))
        for start in range(part.start, part.stop, size):
            images = slice(start, min(start + size, part.stop))
            columns: Array = self._memory[number].columns(
                ((images.stop - start) * windows, width), self._folded.dtype
            )
            kernels.im2col(self._inputs[images], self.window, columns)
            yield images, columns

    def _fold(self) -> None:
        """(outputs, inputs, kH, kW) to (kH * kW * inputs, outputs)."""
        weight = self.parameters["weight"].transpose(2, 3, 1, 0)
        np.copyto(self._folded.reshape(weight.shape), weight)

    def _add_up(self, parts: list["_Memory"]) -> None:
        """The gradients of all parts of a batch, in the parameters' layout."""
        for part in parts[1:]:
            parts[0].weight += part.weight
            parts[0].bias += part.bias
        gradient = self.gradients["weight"].transpose(2, 3, 1, 0)
        np.copyto(gradient, parts[0].weight.reshape(gradient.shape))
        if "bias" in self.gradients:
            sums = parts[0].bias.reshape(-1, self._folded.shape[1])
            np.add.reduce(sums, axis=0, out=self.gradients["bias"])

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


class _Memory:
    """What one thread works in: unrolled windows, and the gradients of its part of a batch.

    Args:
        folded: The weights as a matrix, for its shape and dtype.
    """

    def __init__(self, folded: Array) -> None:
        self.columns = Buffer()
        self.weight, self._spare = np.empty_like(folded), np.empty_like(folded)
        self.bias = np.empty(0, folded.dtype)

    def clear(self, width: int) -> None:
        """Begin sums; `width` numbers stand in a row of output pixels."""
        self.weight.fill(0)
        if len(self.bias) != width:
            self.bias = np.empty(width, self.weight.dtype)
        self.bias.fill(0)

    def add(self, columns: Array, gradient: Array, by_row: Array) -> None:
        """Add what some images say: windows (N, K), their gradient (N, O) and (B, OH, OW * O)."""
        self.weight += np.matmul(columns.T, gradient, out=self._spare)
        # NumPy adds long rows faster than short ones, so a whole row of pixels stays together.
        self.bias += np.add.reduce(by_row, axis=(0, 1))


def _by_row(images: Array) -> Array:
    """(B, H, W, C) as (B, H, W * C)."""
    return images.reshape(*images.shape[:2], images.shape[2] * images.shape[3])
