"""The kernels with NumPy alone, against sums written out window by window."""

import numpy as np
from hypothesis import given
from numpy.lib.stride_tricks import sliding_window_view
from tests.scratch.kernels.windows import windows_and_sizes
from tests.scratch.layers.case import Floats, normal

from bakeoff.scratch.kernels import numpy_kernels
from bakeoff.scratch.kernels.window import Window

Drawn = tuple[Window, int, int]


def seen(images: Floats, window: Window, padding: float) -> Floats:
    """What every window sees of (B, H, W, C): (B, OH, OW, C, kH * kW)."""
    sides = [(0, 0), *((p, p) for p in window.padding), (0, 0)]
    padded = np.pad(images, sides, constant_values=padding)
    views = sliding_window_view(padded, window.kernel, axis=(1, 2))
    views = views[:, :: window.stride[0], :: window.stride[1]]
    return views.reshape(*views.shape[:4], -1)


@given(windows_and_sizes())
def test_im2col_unrolls_and_col2im_is_its_adjoint(drawn: Drawn) -> None:
    window, *size = drawn
    images = normal(2, *size, 3)
    expected = seen(images, window, 0.0).swapaxes(3, 4)
    columns = np.empty((expected[..., 0, 0].size, window.area * 3))
    numpy_kernels.im2col(images, window, columns)
    np.testing.assert_array_equal(columns, expected.reshape(columns.shape))
    weights = np.random.default_rng(1).standard_normal(columns.shape)
    back = np.empty_like(images)
    numpy_kernels.col2im(weights, window, back)
    np.testing.assert_allclose(np.vdot(back, images), np.vdot(weights, columns), rtol=1e-9)


@given(windows_and_sizes())
def test_max_pool_finds_the_greatest_and_where_it_stood(drawn: Drawn) -> None:
    window, *size = drawn
    images = np.round(normal(2, *size, 3))  # ties
    views = seen(images, window, -np.inf)
    out, winners = np.empty(views.shape[:4]), np.empty(views.shape[:4], np.uint32)
    numpy_kernels.max_pool(images, window, out, winners)
    np.testing.assert_array_equal(out, views.max(axis=-1))
    np.testing.assert_array_equal(winners, views.argmax(axis=-1))
    upstream = np.random.default_rng(1).standard_normal(out.shape)
    back = np.empty_like(images)
    numpy_kernels.max_pool_backward(upstream, winners, window, back)
    np.testing.assert_allclose(np.vdot(back, images), np.vdot(upstream, out), rtol=1e-9)


@given(windows_and_sizes())
def test_average_pool_is_the_mean_and_its_backward_the_adjoint(drawn: Drawn) -> None:
    window, *size = drawn
    images = normal(2, *size, 3)
    views = seen(images, window, 0.0)
    out = np.empty(views.shape[:4])
    numpy_kernels.average_pool(images, window, out)
    np.testing.assert_allclose(out, views.mean(axis=-1), rtol=1e-12, atol=1e-15)
    upstream = np.random.default_rng(1).standard_normal(out.shape)
    back = np.empty_like(images)
    numpy_kernels.average_pool_backward(upstream, window, back)
    np.testing.assert_allclose(np.vdot(back, images), np.vdot(upstream, out), rtol=1e-9)
