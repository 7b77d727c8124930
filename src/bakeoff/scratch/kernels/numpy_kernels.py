"""The kernels with NumPy alone: for each element of the window, all windows at once.

They are what runs where nothing was compiled, and what the compiled ones are held against: sums
are taken in the order of the window's elements, so that both give the same bits.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from bakeoff.scratch.kernels.rules import Numbers, Rule
from bakeoff.scratch.kernels.window import Window
from bakeoff.scratch.memory import Array

PIECE = 16384
"""Numbers an update works on at a time. Five float32 pieces are 320 KiB, which stay in the cache:
each number is read from main memory once, however many passes a formula takes."""


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


def relu_backward(upstream: Array, outputs: Array, out: Array) -> None:
    """See `bakeoff.scratch.kernels.relu_backward`."""
    np.multiply(upstream, outputs > 0, out=out)


def update(
    rule: Rule,
    values: Array,
    gradient: Array,
    mean: Array | None,
    square: Array | None,
    numbers: Numbers,
) -> None:
    """See `bakeoff.scratch.kernels.update`."""
    spare = np.empty(min(PIECE, values.size), values.dtype)
    for start in range(0, values.size, PIECE):
        part = slice(start, start + PIECE)
        w, g = values[part], gradient[part]
        m, s = (None if moment is None else moment[part] for moment in (mean, square))
        _penalise(w, g, numbers, spare[: w.size])
        _RULES[rule](w, g, m, s, spare[: w.size], numbers)


def _penalise(w: Array, g: Array, n: Numbers, spare: Array) -> None:
    """The gradients of both penalties join the loss's."""
    if n.l1:
        np.sign(w, out=spare)
        np.multiply(spare, n.l1, out=spare)
        np.add(g, spare, out=g)
    if n.l2:
        np.multiply(w, n.l2, out=spare)
        np.add(g, spare, out=g)


def _sgd(w: Array, g: Array, m: None, s: None, spare: Array, n: Numbers) -> None:
    np.multiply(g, n.rate, out=spare)
    np.subtract(w, spare, out=w)


def _momentum(w: Array, g: Array, m: Array, s: None, spare: Array, n: Numbers) -> None:
    np.multiply(m, n.first, out=m)
    np.add(m, g, out=m)
    np.multiply(m, n.rate, out=spare)
    np.subtract(w, spare, out=w)


def _nesterov(w: Array, g: Array, m: Array, s: None, spare: Array, n: Numbers) -> None:
    np.multiply(m, n.first, out=m)
    np.add(m, g, out=m)
    np.multiply(m, n.first, out=spare)
    np.add(spare, g, out=spare)
    np.multiply(spare, n.rate, out=spare)
    np.subtract(w, spare, out=w)


def _rmsprop(w: Array, g: Array, m: None, s: Array, spare: Array, n: Numbers) -> None:
    np.multiply(g, g, out=spare)
    np.multiply(spare, 1 - n.second, out=spare)
    np.multiply(s, n.second, out=s)
    np.add(s, spare, out=s)
    np.sqrt(s, out=spare)
    np.add(spare, n.epsilon, out=spare)
    np.divide(g, spare, out=spare)
    np.multiply(spare, n.rate, out=spare)
    np.subtract(w, spare, out=w)


def _adam(w: Array, g: Array, m: Array, s: Array, spare: Array, n: Numbers) -> None:
    np.multiply(w, n.shrink, out=w)
    np.subtract(g, m, out=spare)
    np.multiply(spare, 1 - n.first, out=spare)
    np.add(m, spare, out=m)
    np.multiply(g, g, out=g)
    np.multiply(g, 1 - n.second, out=g)
    np.multiply(s, n.second, out=s)
    np.add(s, g, out=s)
    np.sqrt(s, out=spare)
    np.divide(spare, n.deviation, out=spare)
    np.add(spare, n.epsilon, out=spare)
    np.divide(m, spare, out=spare)
    np.multiply(spare, n.rate, out=spare)
    np.subtract(w, spare, out=w)


_RULES: Mapping[Rule, Callable[..., None]] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "rmsprop": _rmsprop,
    "adam": _adam,
}
