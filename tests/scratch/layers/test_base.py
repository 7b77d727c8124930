"""What every layer has from the start; `test_init.py` holds each one to its promises."""

import pytest
from tests.scratch.layers.case import normal

from bakeoff.core.errors import InputError
from bakeoff.scratch.layers import Affine, BatchNorm, Layer, LayerNorm


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


def test_shapes_that_a_layer_was_not_made_for_are_refused() -> None:
    with pytest.raises(InputError, match=r"affine: examples of shape \(5,\) received .*in 4\)"):
        Affine(4, 3).forward(normal(2, 5))
    with pytest.raises(InputError, match=r"affine: examples of shape \(2, 2\) received"):
        Affine(4, 3).output_shape((2, 2))
    with pytest.raises(InputError, match=r"batch-norm: examples of shape \(6,\) received"):
        BatchNorm(3).forward(normal(2, 6))
    with pytest.raises(InputError, match=r"layer-norm: examples of shape \(\) received"):
        LayerNorm(3).forward(normal(6))
    with pytest.raises(InputError, match=r"layer-norm: examples of shape \(3, 2\) received"):
        LayerNorm(3).output_shape((3, 2))
    Affine(4, 3).expect((4,), (4,))
