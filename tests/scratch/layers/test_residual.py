"""Shortcuts, with and without a projection."""

import numpy as np
import torch
from tests.scratch.layers.case import Case, normal

from bakeoff.scratch.gradient_check import check_layer
from bakeoff.scratch.layers import Affine, Layer, Residual, Tanh
from bakeoff.scratch.network import Sequence


class Shortcut(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential()
        self.body.add_module("a", torch.nn.Linear(5, 3))
        self.body.add_module("tanh", torch.nn.Tanh())
        self.projection = torch.nn.Linear(5, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.body(inputs) + self.projection(inputs)
        return outputs


def body(inputs: int, outputs: int) -> Sequence:
    return Sequence({"a": Affine(inputs, outputs, np.float64), "tanh": Tanh()})


CASES: dict[type[Layer], Case] = {
    Residual: Case(
        lambda: Residual(body(5, 3), Affine(5, 3, np.float64)), normal(4, 5), Shortcut().double()
    )
}


def test_without_a_projection_the_inputs_are_added() -> None:
    layer, inputs = Residual(body(5, 5)), normal(4, 5)
    np.testing.assert_array_equal(layer.forward(inputs), inputs)
    layer.parameters["body.a.weight"][...] = normal(5, 5)
    np.testing.assert_array_equal(
        layer.forward(inputs), body_of(layer).forward(inputs).copy() + inputs
    )
    assert all(error.right for error in check_layer(layer, inputs, np.random.default_rng(0)))
    assert [row.name for row in layer.profile("r", (5,))] == ["r.body.a", "r.body.tanh"]


def body_of(layer: Residual) -> Layer:
    return layer.body


def test_both_ways_cost() -> None:
    layer = Residual(body(5, 3), Affine(5, 3, np.float64))
    assert layer.macs((5,)) == 2 * 15
    names = [row.name for row in layer.profile("r", (5,))]
    assert names == ["r.projection", "r.body.a", "r.body.tanh"]


def test_gradients_are_the_same_without_those_of_the_inputs() -> None:
    layer = Residual(body(5, 3), Affine(5, 3, np.float64))
    inputs, upstream = normal(4, 5), normal(4, 3)
    layer.forward(inputs)
    layer.backward(upstream)
    whole = {path: gradient.copy() for path, gradient in layer.gradients.items()}
    layer.forward(inputs)
    assert layer.backward(upstream, to_inputs=False) is None
    for path, gradient in layer.gradients.items():
        np.testing.assert_array_equal(gradient, whole[path])
