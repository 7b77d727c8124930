"""Every layer: gradients against central differences and torch, shapes, memory."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bakeoff.scratch import layers
from bakeoff.scratch.gradient_check import check_layer
from bakeoff.scratch.layers import Affine, Flatten, Layer, NormalisedAffine, Relu

Floats = NDArray[np.float64]


def drawn(layer: Layer) -> Layer:
    """The layer with parameters drawn at random."""
    generator = np.random.default_rng(1)
    for values in layer.parameters.values():
        values[...] = generator.standard_normal(values.shape)
    return layer


# Every layer: how it is built in float64, the shape of its inputs, and the same in torch.
SCALE, SHIFT = np.linspace(0.5, 2, 7), np.linspace(-1, 1, 7)


class ScaledLinear(torch.nn.Linear):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs * torch.from_numpy(SCALE) + torch.from_numpy(SHIFT))


LAYERS: dict[type[Layer], tuple[Callable[[], Layer], tuple[int, ...], torch.nn.Module]] = {
    Affine: (lambda: Affine(7, 4, np.float64), (5, 7), torch.nn.Linear(7, 4).double()),
    NormalisedAffine: (
        lambda: NormalisedAffine(SCALE, SHIFT, 4, np.float64),
        (5, 7),
        ScaledLinear(7, 4).double(),
    ),
    Relu: (Relu, (5, 3, 2), torch.nn.ReLU()),
    Flatten: (Flatten, (5, 3, 2), torch.nn.Flatten()),
}
every_layer = pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)


def test_no_layer_is_forgotten() -> None:
    found = {
        value
        for value in vars(layers).values()
        if inspect.isclass(value) and issubclass(value, Layer) and value is not Layer
    }
    assert found == LAYERS.keys()


def inputs_of(kind: type[Layer]) -> Floats:
    return np.random.default_rng(0).standard_normal(LAYERS[kind][1])


@every_layer
def test_gradients_are_those_of_central_differences(kind: type[Layer]) -> None:
    layer = drawn(LAYERS[kind][0]())
    errors = check_layer(layer, inputs_of(kind), np.random.default_rng(2))
    assert {error.name for error in errors} == {"inputs", *layer.parameters}
    assert all(error.right for error in errors), errors


@every_layer
def test_forward_and_gradients_are_torchs(kind: type[Layer]) -> None:
    layer, module = drawn(LAYERS[kind][0]()), LAYERS[kind][2]
    parameters = dict(module.named_parameters())
    for name, values in layer.parameters.items():
        parameters[name].data = torch.from_numpy(values.copy())
        parameters[name].grad = None
    inputs = inputs_of(kind)
    there = torch.from_numpy(inputs.copy()).requires_grad_()
    expected = module(there)
    outputs = layer.forward(inputs).copy()
    np.testing.assert_allclose(outputs, expected.detach().numpy(), rtol=1e-13, atol=1e-13)
    upstream = np.random.default_rng(3).standard_normal(outputs.shape)
    expected.backward(torch.from_numpy(upstream))
    to_inputs = layer.backward(upstream)
    assert to_inputs is not None
    assert there.grad is not None
    np.testing.assert_allclose(to_inputs, there.grad.numpy(), rtol=1e-12, atol=1e-13)
    for name, gradient in layer.gradients.items():
        theirs = parameters[name].grad
        assert theirs is not None
        np.testing.assert_allclose(gradient, theirs.numpy(), rtol=1e-12, atol=1e-13)


@every_layer
def test_shapes_are_those_promised(kind: type[Layer]) -> None:
    layer, inputs = drawn(LAYERS[kind][0]()), inputs_of(kind)
    assert layer.forward(inputs).shape == (len(inputs), *layer.output_shape(inputs.shape[1:]))
    (row,) = layer.profile("here", inputs.shape[1:])
    assert (row.name, row.kind, row.input) == ("here", kind.kind, inputs.shape[1:])
    assert row.output == layer.output_shape(inputs.shape[1:])
    assert row.parameters == sum(values.size for values in layer.parameters.values())


@every_layer
def test_passes_allocate_nothing_new_and_may_change_size(kind: type[Layer]) -> None:
    layer, inputs = drawn(LAYERS[kind][0]()), inputs_of(kind)
    first = layer.forward(inputs)
    layer.backward(np.ones_like(first))
    kept = first.copy()
    few = layer.forward(inputs[:2])
    np.testing.assert_allclose(few, kept[:2], rtol=1e-12)
    assert layer.backward(np.ones_like(few), to_inputs=False) is None
    again = layer.forward(inputs)
    assert np.shares_memory(first, again)
    np.testing.assert_array_equal(again, kept)


def test_not_a_number_passes_relu() -> None:
    layer = Relu()
    outputs = layer.forward(np.array([[np.nan, -1.0, 0.0, 2.0]]))
    np.testing.assert_array_equal(outputs, [[np.nan, 0, 0, 2]])
    np.testing.assert_array_equal(layer.backward(np.ones((1, 4))), [[0, 0, 0, 1]])


def test_affine_counts() -> None:
    (row,) = Affine(3072, 512).profile("hidden-1", (3072,))
    assert row.parameters == row.trained_parameters == 3072 * 512 + 512
    assert row.macs == 3072 * 512
    assert row.weights == {"weight": (512, 3072), "bias": (512,)}
