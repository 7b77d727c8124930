"""The kernels with NumPy alone: for each element of the window, all windows at once.

They are what runs where nothing was compiled, and what the compiled ones are held against: sums
are taken in the order of the window's elements, so that both give the same bits.
"""

import numpy as np
from numpy.typing import NDArray

from bakeoff.scratch.kernels.window import Window
from bakeoff.scratch.memory import Array


def im2col(images: Array, window: Window, out: Array) -> None:
    """See `bakeoff.scratch.kernels.im2col`."""
    count, height, width, channels = images.shape
    places = out.reshape(count, *window.output(height, width), window.area, channels)
    if any(window.padding):
        places.fill(0)
    for tap in window.taps(height, width):
        places[:, *tap.outputs, tap.number] = images[:, *tap.inputs]


def col2im(columns: Array, window: Window, out: Array) -> None:
    """See `bakeoff.scratch.kernels.col2im`."""
    count, height, width, channels = out.shape
    places = columns.reshape(count, *window.output(height, width), window.area, channels)
    out.fill(0)
    for tap in window.taps(height, width):
        out[:, *tap.inputs] += places[:, *tap.outputs, tap.number]


def max_pool(images: Array, window: Window, out: Array, winners: NDArray[np.uint32]) -> None:
    """See `bakeoff.scratch.kernels.max_pool`."""
    _, height, width, _ = images.shape
    down, right = (
        np.arange(size) * stride - padding
        for size, stride, padding in zip(out.shape[1:3], window.stride, window.padding, strict=True)
    )
    # Every window begins with the first pixel it sees.
    out[...] = images[:, np.maximum(down, 0)[:, None], np.maximum(right, 0)]
    first = np.maximum(-down, 0)[:, None] * window.kernel[1] + np.maximum(-right, 0)
    winners[...] = first[..., None]
    for tap in window.taps(height, width):
        pixels = images[:, *tap.inputs]
        best, winner = out[:, *tap.outputs], winners[:, *tap.outputs]
        better = ~(pixels <= best) & (best == best)  # a first not-a-number wins, and stays
        np.copyto(best, pixels, where=better)
        np.copyto(winner, tap.number, where=better)


def max_pool_backward(
    upstream: Array, winners: NDArray[np.uint32], window: Window, out: Array
) -> None:
    """See `bakeoff.scratch.kernels.max_pool_backward`."""
    _, height, width, _ = out.shape
    out.fill(0)
    for tap in window.taps(height, width):
        won = winners[:, *tap.outputs] == tap.number
        pixels = out[:, *tap.inputs]
        np.add(pixels, upstream[:, *tap.outputs], out=pixels, where=won)


def average_pool(images: Array, window: Window, out: Array) -> None:
    """See `bakeoff.scratch.kernels.average_pool`."""
    _, height, width, _ = images.shape
    out.fill(0)
    for tap in window.taps(height, width):
        out[:, *tap.outputs] += images[:, *tap.inputs]
    out /= window.area


def average_pool_backward(upstream: Array, window: Window, out: Array) -> None:
    """See `bakeoff.scratch.kernels.average_pool_backward`."""
    _, height, width, _ = out.shape
    out.fill(0)
    shares = upstream / window.area
    for tap in window.taps(height, width):
        out[:, *tap.inputs] += shares[:, *tap.outputs]
