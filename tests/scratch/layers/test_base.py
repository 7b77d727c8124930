"""What every layer has from the start; `test_init.py` holds each one to its promises."""

import pytest
from tests.scratch.layers.case import normal

from bakeoff.scratch.layers import Layer


class Nothing(Layer):
    kind = "nothing"


def test_a_layer_without_parameters_costs_nothing() -> None:
    layer = Nothing()
    assert (layer.parameters, layer.gradients, layer.weights, layer.averages) == ({}, {}, {}, {})
    assert layer.splittable
    assert layer.output_shape((4, 2)) == (4, 2)
    (row,) = layer.profile("here", (4, 2))
    assert (row.name, row.kind, row.input, row.output) == ("here", "nothing", (4, 2), (4, 2))
    assert (row.parameters, row.macs) == (0, 0)


def test_a_layer_has_to_say_what_it_computes() -> None:
    with pytest.raises(NotImplementedError):
        Nothing().forward(normal(2, 2))
    with pytest.raises(NotImplementedError):
        Nothing().backward(normal(2, 2))
