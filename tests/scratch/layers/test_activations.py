"""Activations."""

import numpy as np
import torch
from tests.scratch.layers.case import Case, normal

from bakeoff.scratch.layers import Layer, Relu

CASES: dict[type[Layer], Case] = {Relu: Case(Relu, normal(5, 3, 2), torch.nn.ReLU())}


def test_not_a_number_passes_relu() -> None:
    layer = Relu()
    outputs = layer.forward(np.array([[np.nan, -1.0, 0.0, 2.0]]))
    np.testing.assert_array_equal(outputs, [[np.nan, 0, 0, 2]])
    np.testing.assert_array_equal(layer.backward(np.ones((1, 4))), [[0, 0, 0, 1]])
