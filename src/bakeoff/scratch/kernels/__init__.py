"""Kernels: the inner loops of convolution and pooling.

Images are channels last, (B, H, W, C); every array is
float32 or float64, all of one call alike, and results are written into C-contiguous memory given.
Source of the method: Chellapilla, Puri and Simard 2006, "High performance convolutional neural
networks for document processing" (unrolled convolution).
"""

import numpy as np
from numpy.typing import NDArray

from bakeoff.scratch.kernels import numpy_kernels
from bakeoff.scratch.kernels.window import Window
from bakeoff.scratch.memory import Array

__all__ = [
    "Window",
    "average_pool",
    "average_pool_backward",
    "col2im",
    "im2col",
    "max_pool",
    "max_pool_backward",
]


def im2col(images: Array, window: Window, out: Array) -> None:
    """Write what every window sees as a row.

    Args:
        images: (B, H, W, C).
        window: Of the output size OH x OW.
        out: (B * OH * OW, kH * kW * C), the window's rows first, channels last; 0 on padding.
    """
    numpy_kernels.im2col(images, window, out)


def col2im(columns: Array, window: Window, out: Array) -> None:
    """The gradient of `im2col`: write, for every pixel, the sum over the windows that see it.

    Args:
        columns: (B * OH * OW, kH * kW * C).
        window: As in `im2col`.
        out: (B, H, W, C).
    """
    numpy_kernels.col2im(columns, window, out)


def max_pool(images: Array, window: Window, out: Array, winners: NDArray[np.uint16]) -> None:
    """Write the greatest number of every window; the first of equals, and any not-a-number.

    Args:
        images: (B, H, W, C).
        window: Of the output size OH x OW, at most 65,536 elements; padding is never chosen.
        out: (B, OH, OW, C).
        winners: (B, OH, OW, C), which element of the window that was.
    """
    numpy_kernels.max_pool(images, window, out, winners)


def max_pool_backward(
    upstream: Array, winners: NDArray[np.uint16], window: Window, out: Array
) -> None:
    """Write, for every pixel, the sum of the gradients of the windows that it won.

    Args:
        upstream: (B, OH, OW, C).
        winners: As `max_pool` wrote them.
        window: As there.
        out: (B, H, W, C).
    """
    numpy_kernels.max_pool_backward(upstream, winners, window, out)


def average_pool(images: Array, window: Window, out: Array) -> None:
    """Write the mean of every window, padding counted as zeros.

    Args:
        images: (B, H, W, C).
        window: Of the output size OH x OW.
        out: (B, OH, OW, C).
    """
    numpy_kernels.average_pool(images, window, out)


def average_pool_backward(upstream: Array, window: Window, out: Array) -> None:
    """Write, for every pixel, its share of the gradients of the windows that see it.

    Args:
        upstream: (B, OH, OW, C).
        window: As in `average_pool`.
        out: (B, H, W, C).
    """
    numpy_kernels.average_pool_backward(upstream, window, out)
