"""The compiled kernels give the bits of the NumPy ones, whatever the window and the threads."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray
from tests.scratch.kernels.windows import windows_and_sizes

from bakeoff.scratch.kernels import numpy_kernels
from bakeoff.scratch.kernels.rules import MOMENTS, Numbers, Rule
from bakeoff.scratch.kernels.window import Window

_compiled = pytest.importorskip(
    "bakeoff.scratch.kernels._compiled", reason="the kernels are not built", exc_type=ImportError
)
Drawn = tuple[Window, int, int]
counts, channels = st.integers(0, 3), st.integers(1, 9)
dtypes = st.sampled_from([np.float32, np.float64])
threads = st.integers(1, 3)
SPECIAL = (0.0, -0.0, np.nan, np.inf, -np.inf)


def numbers(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[np.floating]:
    """Normal numbers with ties, and some that are special."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal(shape).round(1)
    special = generator.random(shape) < 0.1
    values[special] = generator.choice(SPECIAL, special.sum())
    return values.astype(dtype)


def same(ours: NDArray[np.generic], theirs: NDArray[np.generic]) -> None:
    """Equal bits, not-a-numbers apart, of which one is as good as another."""
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(
        np.signbit(ours) | np.isnan(ours), np.signbit(theirs) | np.isnan(theirs)
    )


@given(windows_and_sizes(), counts, channels, dtypes, threads)
def test_im2col(drawn: Drawn, count: int, depth: int, dtype: DTypeLike, number: int) -> None:
    window, *size = drawn
    _compiled.use_threads(number)
    images = numbers((count, *size, depth), dtype)
    rows, columns = window.output(*size)
    ours, theirs = np.full((2, count * rows * columns, window.area * depth), 7, dtype)
    _compiled.im2col(images, window, ours)
    numpy_kernels.im2col(images, window, theirs)
    same(ours, theirs)


@given(windows_and_sizes(), counts, channels, dtypes, threads)
def test_col2im(drawn: Drawn, count: int, depth: int, dtype: DTypeLike, number: int) -> None:
    window, *size = drawn
    _compiled.use_threads(number)
    rows, width = window.output(*size)
    columns = numbers((count * rows * width, window.area * depth), dtype)
    ours, theirs = np.full((2, count, *size, depth), 7, dtype)
    with np.errstate(invalid="ignore"):
        numpy_kernels.col2im(columns, window, theirs)
    _compiled.col2im(columns, window, ours)
    same(ours, theirs)


@given(windows_and_sizes(), counts, channels, dtypes, threads)
def test_max_pool(drawn: Drawn, count: int, depth: int, dtype: DTypeLike, number: int) -> None:
    window, *size = drawn
    _compiled.use_threads(number)
    images = numbers((count, *size, depth), dtype)
    shape = (count, *window.output(*size), depth)
    ours, theirs = np.full((2, *shape), 7, dtype)
    winner, expected = np.full((2, *shape), 77, np.uint32)
    _compiled.max_pool(images, window, ours, winner)
    numpy_kernels.max_pool(images, window, theirs, expected)
    same(ours, theirs)
    np.testing.assert_array_equal(winner, expected)
    upstream = numbers(shape, dtype)
    back, wanted = np.full((2, *images.shape), 7, dtype)
    _compiled.max_pool_backward(upstream, winner, window, back)
    with np.errstate(invalid="ignore"):
        numpy_kernels.max_pool_backward(upstream, winner, window, wanted)
    same(back, wanted)


@given(windows_and_sizes(), counts, channels, dtypes, threads)
def test_average_pool(drawn: Drawn, count: int, depth: int, dtype: DTypeLike, number: int) -> None:
    window, *size = drawn
    _compiled.use_threads(number)
    images = numbers((count, *size, depth), dtype)
    shape = (count, *window.output(*size), depth)
    ours, theirs = np.full((2, *shape), 7, dtype)
    upstream = numbers(shape, dtype)
    back, wanted = np.full((2, *images.shape), 7, dtype)
    with np.errstate(invalid="ignore"):
        numpy_kernels.average_pool(images, window, theirs)
        numpy_kernels.average_pool_backward(upstream, window, wanted)
    _compiled.average_pool(images, window, ours)
    _compiled.average_pool_backward(upstream, window, back)
    same(ours, theirs)
    same(back, wanted)


SHARES = st.sampled_from([0.0, 0.1, 0.9, 0.999])
PENALTIES = st.sampled_from([0.0, 0.003])


@given(
    st.sampled_from(list(MOMENTS)),
    st.integers(0, 70),
    dtypes,
    st.builds(
        Numbers,
        rate=st.sampled_from([0.0, 0.1, 1e-3]),
        l1=PENALTIES,
        l2=PENALTIES,
        shrink=st.sampled_from([1.0, 0.99]),
        first=SHARES,
        second=SHARES,
        deviation=st.sampled_from([1.0, 0.3]),
        epsilon=st.just(1e-8),
    ),
)
def test_update(rule: Rule, size: int, dtype: DTypeLike, chosen: Numbers) -> None:
    """Longer than any vector, so that whole ones and remainders are there."""

    def updated(module: Any) -> list[NDArray[np.floating]]:
        values, gradient, mean, square = numbers((4, size), dtype)
        np.abs(square, out=square)
        moments = zip((mean, square), MOMENTS[rule], strict=True)
        module.update(rule, values, gradient, *(m if kept else None for m, kept in moments), chosen)
        return [values, mean, square]

    with np.errstate(invalid="ignore", divide="ignore"):
        expected = updated(numpy_kernels)
    for ours, theirs in zip(updated(_compiled), expected, strict=True):
        same(ours, theirs)


@given(st.integers(0, 70), dtypes)
def test_relu_backward(size: int, dtype: DTypeLike) -> None:
    upstream, outputs = numbers((2, size), dtype)
    ours, theirs = np.full((2, size), 7, dtype)
    _compiled.relu_backward(upstream, outputs, ours)
    with np.errstate(invalid="ignore"):
        numpy_kernels.relu_backward(upstream, outputs, theirs)
    same(ours, theirs)
