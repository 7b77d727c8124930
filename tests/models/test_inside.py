"""Torch modules opened: gradients against autograd by hand, outputs told, nothing changed."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bakeoff.core.protocols import Batch
from bakeoff.models.inside import KINDS, ModuleInside
from bakeoff.models.layers import ACTIVATIONS
from bakeoff.models.mlp import Mlp
from bakeoff.models.settings import MlpSettings, SimpleCnnSettings
from bakeoff.models.simple_cnn import SimpleCnn

SHAPE = (8, 8, 3)
GENERATOR = np.random.default_rng(0)
ITEMS = GENERATOR.integers(0, 256, (6, *SHAPE), np.uint8)
LABELS = GENERATOR.integers(0, 4, 6)
BATCH = Batch(ITEMS, LABELS, np.arange(6))


def read(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


@pytest.fixture
def module() -> SimpleCnn:
    torch.manual_seed(0)
    return SimpleCnn(SimpleCnnSettings(width=4, batch_norm=True, dropout=0.5), SHAPE, 4)


def opened(module: nn.Module, *, fresh: bool = False) -> ModuleInside:
    return ModuleInside(module, read, SHAPE, fresh=fresh)


def everything(module: nn.Module) -> dict[str, bytes]:
    return {name: t.numpy().tobytes() for name, t in module.state_dict().items()}


def test_weights(module: SimpleCnn) -> None:
    weights = opened(module).weights()
    assert list(weights) == ["conv1", "conv2", "hidden1", "hidden2", "output"]
    assert weights["conv1"].shape == (4, 3, 5, 5)


def test_gradients_are_those_of_the_mean_loss_without_dropout(module: SimpleCnn) -> None:
    found = opened(module).gradients(BATCH)
    assert all(p.grad is None for p in module.parameters())
    for layer in module.modules():
        layer.train(not isinstance(layer, nn.Dropout))
    cross_entropy(module(read(ITEMS)), torch.from_numpy(LABELS)).backward()  # type: ignore[no-untyped-call]
    for name, gradient in found.items():
        expected = module.get_submodule(name).weight.grad
        assert isinstance(expected, Tensor)
        np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-5, atol=1e-8)


def test_what_does_not_learn_has_no_gradient(module: SimpleCnn) -> None:
    module.conv1.weight.requires_grad_(False)
    assert list(opened(module).gradients(BATCH)) == ["conv2", "hidden1", "hidden2", "output"]


def test_outputs_are_told_behind_the_layer_before(module: SimpleCnn) -> None:
    told: list[tuple[str, str, tuple[int, ...]]] = []
    opened(module).outputs(ITEMS, lambda layer, kind, y: told.append((layer, kind, y.shape)))
    assert told == [
        ("conv1", "relu", (6, 4, 4, 4)),
        ("conv2", "relu", (6, 2, 2, 8)),
        ("hidden1", "relu", (6, 16)),
        ("hidden2", "relu", (6, 8)),
    ]


def test_channels_come_last(module: SimpleCnn) -> None:
    found: dict[str, NDArray[Any]] = {}
    opened(module).outputs(ITEMS, lambda layer, kind, y: found.update({layer: y}))
    module.eval()
    with torch.no_grad():
        expected = module.activation(module.pool1(module.norm1(module.conv1(read(ITEMS)))))
    np.testing.assert_array_equal(found["conv1"], expected.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize("training", [False, True])
def test_looking_changes_nothing(module: SimpleCnn, training: bool) -> None:
    module.train(training)
    module.dropout1.train(not training)
    before, random = everything(module), torch.random.get_rng_state()
    for fresh in (True, False):
        opened(module, fresh=fresh).gradients(BATCH)
        opened(module, fresh=fresh).outputs(ITEMS, lambda layer, kind, y: None)
    assert everything(module) == before
    assert torch.equal(torch.random.get_rng_state(), random)
    assert (module.training, module.dropout1.training) == (training, not training)
    assert not any(layer._forward_hooks for layer in module.modules())


def test_fresh_networks_are_normalised_by_what_passes(module: SimpleCnn) -> None:
    means: dict[bool, float] = {}
    for fresh in (False, True):

        def keep(layer: str, kind: str, y: NDArray[Any], fresh: bool = fresh) -> None:
            means.setdefault(fresh, float(y.mean()))

        opened(module, fresh=fresh).outputs(ITEMS, keep)
    assert means[True] > 2 * means[False]  # scaled to variance 1, not left at the weights' scale


def test_filters_of_a_convolution_and_of_a_linear_layer(module: SimpleCnn) -> None:
    filters = opened(module).filters()
    assert filters is not None
    np.testing.assert_array_equal(
        filters[1, 2, 3], module.conv1.weight[1, :, 2, 3].detach().numpy()
    )
    mlp = Mlp(MlpSettings(hidden=(5,)), SHAPE, 4)
    images = opened(mlp).filters()
    assert images is not None
    assert images.shape == (5, *SHAPE)
    weight = next(p for p in mlp.parameters() if p.dim() == 2).detach().numpy()
    pixel = read(ITEMS)[0].flatten().numpy() @ weight[2]
    assert (images[2] * ITEMS[0] / 255).sum() == pytest.approx(pixel, rel=1e-4, abs=1e-5)


def test_other_inputs_have_no_pictures() -> None:
    assert opened(nn.Sequential(nn.Linear(7, 3))).filters() is None


def test_every_activation_of_the_models_is_seen() -> None:
    assert {type(build()): name for name, build in ACTIVATIONS.items()}.items() <= KINDS.items()
