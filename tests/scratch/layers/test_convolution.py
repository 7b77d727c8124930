"""Convolution: torch's numbers for every window, and its counts."""

import numpy as np
import pytest
import torch
from tests.scratch.layers.case import Case, channels_first, channels_last, normal, to_inputs

from bakeoff.core.errors import InputError
from bakeoff.scratch.gradient_check import check_layer
from bakeoff.scratch.kernels.window import Pair
from bakeoff.scratch.layers import Convolution, Layer, convolution

CASES: dict[type[Layer], Case] = {
    Convolution: Case(
        lambda: Convolution(3, 4, 3, padding=1, dtype=np.float64),
        normal(5, 6, 7, 3),
        torch.nn.Conv2d(3, 4, 3, padding=1).double(),
        channels_first,
        channels_last,
    )
}


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [
        (1, 1, 0),
        (2, 1, 1),
        (2, 2, 0),
        (3, 2, 1),
        ((4, 1), (1, 3), (2, 0)),
        ((2, 5), (3, 2), (1, 4)),
        ((9, 8), 1, 0),
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_every_window_is_torchs(
    kernel: int | Pair, stride: int | Pair, padding: int | Pair, bias: bool
) -> None:
    inputs = normal(3, 9, 8, 2)
    layer = Convolution(2, 3, kernel, stride, padding, bias, np.float64)
    module = torch.nn.Conv2d(2, 3, kernel, stride, padding, bias=bias).double()
    for name, parameter in module.named_parameters():
        layer.parameters[name][...] = parameter.detach().numpy()
    there = torch.from_numpy(inputs).requires_grad_()
    expected = channels_last(module(channels_first(there)))
    outputs = layer.forward(inputs)
    np.testing.assert_allclose(outputs, expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    assert outputs.shape[1:] == layer.output_shape(inputs.shape[1:])
    upstream = np.random.default_rng(3).standard_normal(outputs.shape)
    torch.autograd.backward(expected, torch.from_numpy(upstream))
    assert there.grad is not None
    np.testing.assert_allclose(
        to_inputs(layer, upstream), there.grad.numpy(), rtol=1e-11, atol=1e-12
    )
    assert layer.gradients.keys() == dict(module.named_parameters()).keys()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(
            layer.gradients[name], parameter.grad.numpy(), rtol=1e-11, atol=1e-12
        )


def test_groups_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, inputs = CASES[Convolution].drawn(), CASES[Convolution].inputs
    outputs = layer.forward(inputs).copy()
    upstream = normal(*outputs.shape)
    whole = [values.copy() for values in (to_inputs(layer, upstream), *layer.gradients.values())]
    monkeypatch.setattr(convolution, "GROUP", 2 * 6 * 7 * 27)
    np.testing.assert_allclose(layer.forward(inputs), outputs, rtol=1e-12, atol=1e-12)
    cut = [to_inputs(layer, upstream), *layer.gradients.values()]
    for here, there in zip(cut, whole, strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-12, atol=1e-12)


def test_gradients_through_groups_and_strides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "GROUP", 1)
    layer = Convolution(2, 3, (3, 2), 2, 1, dtype=np.float64)
    for values in layer.parameters.values():
        values[...] = np.random.default_rng(1).standard_normal(values.shape)
    errors = check_layer(layer, normal(3, 6, 5, 2), np.random.default_rng(2))
    assert all(error.right for error in errors), errors


def test_gradients_are_written_not_added() -> None:
    layer, inputs = CASES[Convolution].drawn(), CASES[Convolution].inputs
    upstream = normal(*layer.forward(inputs).shape)
    layer.backward(upstream, to_inputs=False)
    first = {name: values.copy() for name, values in layer.gradients.items()}
    layer.backward(upstream, to_inputs=False)
    for name, values in layer.gradients.items():
        np.testing.assert_array_equal(values, first[name])


def test_counts() -> None:
    layer = Convolution(3, 32, 3, padding=1)
    (row,) = layer.profile("block-1", (32, 32, 3))
    assert row.parameters == 3 * 3 * 3 * 32 + 32
    assert row.macs == 32 * 32 * 3 * 3 * 3 * 32
    assert row.weights == {"weight": (32, 3, 3, 3), "bias": (32,)}
    assert layer.weights == {"weight": (27, 288)}
    assert Convolution(3, 32, 3, 2).macs((32, 32, 3)) == 15 * 15 * 27 * 32


def test_no_images_are_no_work() -> None:
    layer = CASES[Convolution].drawn()
    outputs = layer.forward(np.empty((0, 6, 7, 3)))
    assert outputs.shape == (0, 6, 7, 4)
    assert to_inputs(layer, outputs).shape == (0, 6, 7, 3)
    assert not any(values.any() for values in layer.gradients.values())


@pytest.mark.parametrize("shape", [(6, 7, 4), (6, 3), (2, 1, 3)])
def test_images_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    layer = Convolution(3, 4, 3, dtype=np.float64)
    with pytest.raises(InputError, match="received"):
        layer.output_shape(shape)
    with pytest.raises(InputError, match="received"):
        layer.forward(np.zeros((1, *shape)))
