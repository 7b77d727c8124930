"""Every layer: gradients against central differences and torch, shapes, memory."""

import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.scratch.layers.case import Case

from bakeoff.core.protocols import Position
from bakeoff.scratch import layers
from bakeoff.scratch.gradient_check import check_layer
from bakeoff.scratch.layers import Layer

AT = Position(step=0, epoch=0, learning_rate=0.0)


def cases() -> dict[type[Layer], Case]:
    """The `CASES` of all test files beside this one."""
    found: dict[type[Layer], Case] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.name != Path(__file__).name:
            module = importlib.import_module(f"tests.scratch.layers.{path.stem}")
            found |= getattr(module, "CASES", {})
    return found


CASES = cases()
every_layer = pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)


def test_no_layer_is_forgotten() -> None:
    found = {
        value
        for value in vars(layers).values()
        if inspect.isclass(value) and issubclass(value, Layer) and value is not Layer
    }
    assert found == CASES.keys()


@every_layer
def test_gradients_are_those_of_central_differences(kind: type[Layer]) -> None:
    layer = CASES[kind].drawn()
    errors = check_layer(layer, CASES[kind].inputs.copy(), np.random.default_rng(2))
    assert {error.name for error in errors} == {"inputs", *layer.parameters}
    assert all(error.right for error in errors), errors


@every_layer
def test_forward_and_gradients_are_torchs(kind: type[Layer]) -> None:
    case = CASES[kind]
    layer, module = case.drawn(), case.module
    parameters = dict(module.named_parameters())
    for name, values in layer.parameters.items():
        parameters[name].data = torch.from_numpy(values.copy())
        parameters[name].grad = None
    there = torch.from_numpy(case.inputs.copy()).requires_grad_()
    expected = case.from_torch(module(case.to_torch(there)))
    outputs = layer.forward(case.inputs.copy(), AT).copy()
    np.testing.assert_allclose(outputs, expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    upstream = np.random.default_rng(3).standard_normal(outputs.shape)
    torch.autograd.backward(expected, torch.from_numpy(upstream))
    to_inputs = layer.backward(upstream)
    assert to_inputs is not None
    assert there.grad is not None
    np.testing.assert_allclose(to_inputs, there.grad.numpy(), rtol=1e-11, atol=1e-12)
    for name, gradient in layer.gradients.items():
        theirs = parameters[name].grad
        assert theirs is not None
        np.testing.assert_allclose(gradient, theirs.numpy(), rtol=1e-11, atol=1e-12)


@every_layer
def test_shapes_are_those_promised(kind: type[Layer]) -> None:
    layer, inputs = CASES[kind].drawn(), CASES[kind].inputs
    assert layer.forward(inputs, AT).shape == (len(inputs), *layer.output_shape(inputs.shape[1:]))
    rows = layer.profile("here", inputs.shape[1:])
    assert rows[0].name.startswith("here")
    assert rows[0].input == inputs.shape[1:]
    assert rows[-1].output == layer.output_shape(inputs.shape[1:])
    assert sum(row.parameters for row in rows) == sum(v.size for v in layer.parameters.values())


@every_layer
def test_passes_allocate_nothing_new_and_may_change_size(kind: type[Layer]) -> None:
    layer, inputs = CASES[kind].drawn(), CASES[kind].inputs.copy()
    first = layer.forward(inputs)
    layer.backward(np.ones_like(first))
    kept = first.copy()
    few = layer.forward(inputs[:2])
    np.testing.assert_allclose(few, kept[:2], rtol=1e-12)
    assert layer.backward(np.ones_like(few), to_inputs=False) is None
    again = layer.forward(inputs)
    assert np.shares_memory(first, again)
    np.testing.assert_array_equal(again, kept)


@every_layer
@pytest.mark.parametrize("at", [AT, None], ids=["learning", "evaluating"])
def test_what_a_layer_is_given_it_does_not_write_to(kind: type[Layer], at: Position | None) -> None:
    layer, inputs = CASES[kind].drawn(), CASES[kind].inputs.copy()
    outputs = layer.forward(inputs, at).copy()
    upstream = np.random.default_rng(4).standard_normal(outputs.shape)
    given = upstream.copy()
    layer.backward(upstream)
    np.testing.assert_array_equal(inputs, CASES[kind].inputs)
    np.testing.assert_array_equal(upstream, given)


@every_layer
def test_every_layer_says_what_it_is(kind: type[Layer]) -> None:
    assert kind.kind
    assert CASES[kind].build().weights.keys() <= CASES[kind].build().parameters.keys()
