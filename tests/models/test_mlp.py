"""The perceptron against its closed form."""

import pytest
import torch
from torch import nn

from bakeoff.models.macs import profile
from bakeoff.models.mlp import Mlp
from bakeoff.models.settings import MlpSettings


@pytest.mark.parametrize("batch_norm", [False, True])
def test_parameters_and_macs_are_the_closed_form(batch_norm: bool) -> None:
    model = Mlp(MlpSettings(hidden=(512, 256), batch_norm=batch_norm), (28, 28, 1), 10)
    rows = profile(model, (1, 28, 28))
    weights = 784 * 512 + 512 * 256 + 256 * 10
    assert sum(row.macs for row in rows) == weights
    around = (2 if batch_norm else 1) * (512 + 256) + 10
    assert sum(row.parameters for row in rows) == weights + around


def test_it_is_linear_layers_with_activations() -> None:
    torch.manual_seed(0)
    model = Mlp(MlpSettings(hidden=(5, 4), dropout=0.5), (2, 3, 1), 3).eval()
    first, second = (layer[0] for layer in model.hidden)  # type: ignore[index]
    by_hand = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), model.output)
    images = torch.randn(6, 1, 2, 3)
    assert torch.equal(model(images), by_hand(images))


def test_without_hidden_layers_it_is_softmax_regression() -> None:
    model = Mlp(MlpSettings(hidden=()), (2, 3, 1), 3)
    images = torch.randn(6, 1, 2, 3)
    assert torch.equal(model.features(images), images.flatten(1))
    assert torch.equal(model(images), model.output(images.flatten(1)))
