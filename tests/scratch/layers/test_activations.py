"""Activations."""

import numpy as np
import pytest
import torch
from tests.scratch.layers.case import Case, normal, to_inputs

from bakeoff.scratch import kernels
from bakeoff.scratch.layers import Layer, LeakyRelu, Relu, Sigmoid, Swish, Tanh, activations

CASES: dict[type[Layer], Case] = {
    Relu: Case(Relu, normal(5, 3, 2), torch.nn.ReLU()),
    LeakyRelu: Case(lambda: LeakyRelu(0.2), normal(5, 3, 2), torch.nn.LeakyReLU(0.2)),
    Sigmoid: Case(Sigmoid, normal(5, 3, 2), torch.nn.Sigmoid()),
    Tanh: Case(Tanh, normal(5, 3, 2), torch.nn.Tanh()),
    Swish: Case(Swish, normal(5, 3, 2), torch.nn.SiLU()),
}


def test_not_a_number_passes_relu() -> None:
    layer = Relu()
    outputs = layer.forward(np.array([[np.nan, -1.0, 0.0, 2.0]]))
    np.testing.assert_array_equal(outputs, [[np.nan, 0, 0, 2]])
    np.testing.assert_array_equal(layer.backward(np.ones((1, 4))), [[0, 0, 0, 1]])


@pytest.mark.parametrize("kind", CASES)
def test_not_a_number_passes_all_of_them(kind: type[Layer]) -> None:
    assert np.isnan(kind().forward(np.array([[np.nan, 1.0]]))).tolist() == [[True, False]]


@pytest.mark.parametrize("kind", [Sigmoid, Tanh, Swish])
def test_great_numbers_overflow_nowhere(kind: type[Layer]) -> None:
    layer, ends = kind(), np.array([[-1e4, 1e4]], np.float32)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        outputs = layer.forward(ends).copy()
        slopes = layer.backward(np.ones_like(ends))
    ends_of: dict[type[Layer], tuple[float, float]]
    ends_of = {Sigmoid: (0, 1), Tanh: (-1, 1), Swish: (0, 1e4)}
    low, high = ends_of[kind]
    np.testing.assert_array_equal(outputs, [[low, high]])
    np.testing.assert_array_equal(slopes, [[0, 1 if kind is Swish else 0]])


@pytest.mark.parametrize("kind", CASES)
def test_float32_stays_float32(kind: type[Layer]) -> None:
    layer, inputs = kind(), normal(4, 3).astype(np.float32)
    outputs = layer.forward(inputs)
    gradient = layer.backward(np.ones_like(inputs))
    assert gradient is not None
    assert outputs.dtype == gradient.dtype == np.float32


def test_many_numbers_are_cut_and_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, inputs, upstream = Relu(), normal(5, 3, 2), normal(2, 3, 5).reshape(5, 3, 2)
    outputs = layer.forward(inputs).copy()
    gradient = to_inputs(layer, upstream).copy()
    monkeypatch.setattr(activations, "MANY", 1)
    kernels.use_threads(2, lambda number: None)
    np.testing.assert_array_equal(layer.forward(inputs), outputs)
    np.testing.assert_array_equal(to_inputs(layer, upstream), gradient)
    kernels.use_threads(1)
