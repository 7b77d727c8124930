"""Pooling: torch's numbers for every window; who wins, and what passes."""

import math

import numpy as np
import pytest
import torch
from tests.scratch.layers.case import Case, channels_first, channels_last, normal, to_inputs

from bakeoff.core.errors import InputError
from bakeoff.scratch.kernels.window import Pair
from bakeoff.scratch.layers import AveragePool, Layer, MaxPool

CASES: dict[type[Layer], Case] = {
    MaxPool: Case(
        lambda: MaxPool(3, 2, 1),
        normal(5, 6, 7, 3),
        torch.nn.MaxPool2d(3, 2, 1),
        channels_first,
        channels_last,
    ),
    AveragePool: Case(
        lambda: AveragePool(3, 2, 1),
        normal(5, 6, 7, 3),
        torch.nn.AvgPool2d(3, 2, 1),
        channels_first,
        channels_last,
    ),
}
WINDOWS: list[tuple[int | Pair, int | Pair | None, int | Pair]] = [
    (1, None, 0),
    (2, None, 0),
    (2, 1, 1),
    (3, 2, 1),
    ((2, 3), (3, 1), (1, 0)),
    ((4, 2), 5, (2, 1)),
    ((9, 8), None, 0),
]


@pytest.mark.parametrize(("kernel", "stride", "padding"), WINDOWS)
@pytest.mark.parametrize(
    ("ours", "theirs"), [(MaxPool, torch.nn.MaxPool2d), (AveragePool, torch.nn.AvgPool2d)]
)
def test_every_window_is_torchs(
    ours: type[MaxPool | AveragePool],
    theirs: type[torch.nn.Module],
    kernel: int | Pair,
    stride: int | Pair | None,
    padding: int | Pair,
) -> None:
    inputs = normal(3, 9, 8, 2)
    layer, module = ours(kernel, stride, padding), theirs(kernel, stride, padding)
    there = torch.from_numpy(inputs).requires_grad_()
    expected = channels_last(module(channels_first(there)))
    outputs = layer.forward(inputs)
    np.testing.assert_allclose(outputs, expected.detach().numpy(), rtol=1e-14)
    upstream = np.random.default_rng(3).standard_normal(outputs.shape)
    torch.autograd.backward(expected, torch.from_numpy(upstream))
    assert there.grad is not None
    np.testing.assert_allclose(
        to_inputs(layer, upstream), there.grad.numpy(), rtol=1e-14, atol=1e-15
    )


def test_the_first_of_equals_gets_the_gradient() -> None:
    layer = MaxPool(2)
    outputs = layer.forward(np.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(outputs, [[[[1]]]])
    np.testing.assert_array_equal(
        np.ravel(to_inputs(layer, np.full((1, 1, 1, 1), 3.0))), [3, 0, 0, 0]
    )


def test_not_a_number_passes_and_gets_the_gradient() -> None:
    layer = MaxPool(2)
    inputs = np.array([5, math.nan, math.nan, 7.0]).reshape(1, 2, 2, 1)
    assert np.isnan(layer.forward(inputs)).all()
    np.testing.assert_array_equal(np.ravel(to_inputs(layer, np.ones((1, 1, 1, 1)))), [0, 1, 0, 0])


def test_padding_is_never_the_greatest() -> None:
    layer = MaxPool(3, 1, 2)
    inputs = np.full((1, 2, 2, 1), -math.inf)
    inputs[0, 1, 1] = -5
    outputs = layer.forward(inputs)
    assert outputs.shape == (1, 4, 4, 1)
    assert set(np.ravel(outputs)) == {-math.inf, -5}
    # Windows that see the pixel: all but the first row and column of them.
    assert np.ravel(to_inputs(layer, np.ones_like(outputs)))[3] == 9


def test_an_infinite_gradient_stays_where_it_belongs() -> None:
    layer = MaxPool(2)
    layer.forward(np.arange(4.0).reshape(1, 2, 2, 1))
    gradient = to_inputs(layer, np.full((1, 1, 1, 1), math.inf))
    np.testing.assert_array_equal(np.ravel(gradient), [0, 0, 0, math.inf])


def test_padding_counts_as_zeros_in_the_mean() -> None:
    outputs = AveragePool(2, 2, 1).forward(np.full((1, 2, 2, 1), 4.0))
    np.testing.assert_array_equal(outputs, np.ones((1, 2, 2, 1)))


def test_a_window_as_large_as_the_image_is_global() -> None:
    inputs = normal(2, 4, 5, 3)
    np.testing.assert_allclose(
        AveragePool((4, 5)).forward(inputs)[:, 0, 0], inputs.mean(axis=(1, 2)), rtol=1e-14
    )


def test_the_stride_is_the_kernels_where_it_is_left_out() -> None:
    assert MaxPool((2, 3)).window.stride == (2, 3)
    assert MaxPool(2).output_shape((32, 33, 8)) == (16, 16, 8)
    assert MaxPool(2).macs((32, 32, 8)) == 0


@pytest.mark.parametrize("layer", [MaxPool(3), AveragePool(3)], ids=["max", "average"])
@pytest.mark.parametrize("shape", [(2, 5, 1), (5, 5)])
def test_images_that_do_not_fit_are_refused(layer: Layer, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="received"):
        layer.forward(np.zeros((1, *shape)))
