"""Batch norm while learning and after, layer norm; against torch."""

import copy

import numpy as np
import pytest
import torch
from tests.scratch.layers.case import Case, channels_first, channels_last, normal

from bakeoff.core.protocols import Position
from bakeoff.scratch.layers import BatchNorm, Layer, LayerNorm, normalisation
from bakeoff.scratch.memory import Array

AT = Position(step=0, epoch=0, learning_rate=0.0)
CASES: dict[type[Layer], Case] = {
    BatchNorm: Case(
        lambda: BatchNorm(3, dtype=np.float64),
        normal(4, 5, 2, 3) * 2 + 1,
        torch.nn.BatchNorm2d(3).double(),
        channels_first,
        channels_last,
    ),
    LayerNorm: Case(
        lambda: LayerNorm(6, dtype=np.float64), normal(5, 6), torch.nn.LayerNorm(6).double()
    ),
}


def torchs(layer: BatchNorm, spatial: bool) -> torch.nn.Module:
    kind = torch.nn.BatchNorm2d if spatial else torch.nn.BatchNorm1d
    module = kind(layer.features, layer.epsilon, layer.momentum).to(
        torch.float64 if layer.parameters["bias"].dtype == np.float64 else torch.float32
    )
    state = {n: torch.from_numpy(v.copy()) for n, v in (layer.parameters | layer.averages).items()}
    module.load_state_dict(state | {"num_batches_tracked": torch.tensor(0)})
    return module


def call(module: torch.nn.Module, inputs: Array) -> Array:
    there = torch.from_numpy(inputs.copy())
    if inputs.ndim == 4:
        there = channels_first(there)
    outputs = module(there).detach()
    result: Array = (channels_last(outputs) if inputs.ndim == 4 else outputs).numpy()
    return result


@pytest.mark.parametrize("shape", [(7, 3), (4, 5, 2, 3)], ids=["features", "channels"])
@pytest.mark.parametrize("block", [1, 40, 1 << 16])
def test_averages_follow_as_torchs(
    shape: tuple[int, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(normalisation, "BLOCK", block)
    layer = BatchNorm(3, momentum=0.3, epsilon=1e-3, dtype=np.float64)
    layer.parameters["weight"][...] = [0.5, 1.5, -1]
    module = torchs(layer, len(shape) == 4)
    for number in range(3):
        inputs = normal(*shape) * (number + 1) + number
        np.testing.assert_allclose(layer.forward(inputs, AT), call(module, inputs), rtol=1e-11)
        state = module.state_dict()
        for name, average in layer.averages.items():
            np.testing.assert_allclose(average, state[name].numpy(), rtol=1e-12)
    module.eval()
    inputs = normal(*shape)
    np.testing.assert_allclose(layer.forward(inputs), call(module, inputs), rtol=1e-11)


def test_gradients_with_fixed_averages_are_torchs() -> None:
    """Of passes that learn nothing, as a frozen batch norm has."""
    layer = BatchNorm(3, dtype=np.float64)
    layer.forward(normal(9, 3) * 3, AT)
    module = torchs(layer, spatial=False).eval()
    inputs, upstream = normal(5, 3), normal(5, 3)[::-1].copy()
    there = torch.from_numpy(inputs.copy()).requires_grad_()
    torch.autograd.backward(module(there), torch.from_numpy(upstream))
    layer.forward(inputs)
    assert there.grad is not None
    gradient = layer.backward(upstream)
    assert gradient is not None
    np.testing.assert_allclose(gradient, there.grad.numpy(), rtol=1e-12)
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(layer.gradients[name], parameter.grad.numpy(), rtol=1e-11)


@pytest.mark.parametrize("kind", [BatchNorm, LayerNorm])
def test_an_example_does_not_feel_the_others_when_nothing_is_learnt(kind: type[Layer]) -> None:
    inputs = normal(33, 4, 4, 6).astype(np.float32)
    layer = kind(6)  # type: ignore[call-arg]
    layer.forward(inputs, AT)
    averages = copy.deepcopy(layer.averages)
    whole = layer.forward(inputs).copy()
    for size in (1, 7, 32):
        parts = [layer.forward(inputs[i : i + size]).copy() for i in range(0, 33, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.dtype == np.float32
    for name, average in layer.averages.items():
        np.testing.assert_array_equal(average, averages[name])


def test_a_single_number_has_no_variance() -> None:
    layer = BatchNorm(3, dtype=np.float64)
    inputs = normal(1, 3)
    np.testing.assert_array_equal(layer.forward(inputs, AT), layer.forward(inputs))
    np.testing.assert_array_equal(layer.averages["running_var"], 1)
    assert np.isfinite(layer.backward(np.ones((1, 3)))).all()  # type: ignore[arg-type]


def test_float32_gradients_keep_their_type_and_size() -> None:
    """A mean far from 0 costs no accuracy: the variance is that of centred numbers."""
    inputs = (normal(64, 8, 8, 4) + 100).astype(np.float32)
    layer, upstream = BatchNorm(4), normal(64, 8, 8, 4).astype(np.float32)
    outputs = layer.forward(inputs, AT)
    assert abs(outputs.std(axis=(0, 1, 2)) - 1).max() < 1e-3
    gradient = layer.backward(upstream)
    assert gradient is not None
    assert gradient.dtype == np.float32
    assert abs(gradient.sum(axis=(0, 1, 2), dtype=np.float64)).max() < 0.05


def test_batch_norm_looks_at_whole_batches_layer_norm_does_not() -> None:
    assert not BatchNorm(3).splittable
    assert LayerNorm(3).splittable
