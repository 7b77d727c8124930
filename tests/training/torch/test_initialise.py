"""Initial values: by path, the same in every module and framework."""

import numpy as np
import pytest
import torch
from tests.training.torch.small import Small
from torch import nn

from bakeoff.core.initial import initial_weights
from bakeoff.core.streams import Streams
from bakeoff.training.torch.initialise import initialise


def test_weights_are_the_cores_own() -> None:
    module = Small()
    initialise(module, Streams(3), {"output": "lecun"})
    conv = initial_weights(Streams(3), "conv.weight", (6, 3, 3, 3), (27, 54), "he")
    output = initial_weights(Streams(3), "output.weight", (4, 10), (10, 4), "lecun")
    assert np.array_equal(module.conv.weight.detach().numpy(), conv)
    assert np.array_equal(module.output.weight.detach().numpy(), output)
    assert not module.get_parameter("conv.bias").any()


def test_norms_start_as_identity() -> None:
    norm = nn.BatchNorm2d(3)
    module = nn.Sequential(norm, nn.LayerNorm(4), nn.GroupNorm(1, 2))
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.fill_(7)
    initialise(module, Streams(0))
    for name, parameter in module.named_parameters():
        assert (parameter == (1 if name.endswith("weight") else 0)).all()
    assert norm.running_var is not None
    assert torch.equal(norm.running_var, torch.ones(3))
    assert norm.num_batches_tracked == 0


def test_shared_names_share_values() -> None:
    """Whatever else a module has, and whatever torch's own generator is at."""
    plain, normed = Small(), Small(norm=True, dropout=0.5)
    initialise(plain, Streams(0))
    torch.rand(5)
    initialise(normed, Streams(0))
    theirs = dict(normed.named_parameters())
    assert all(torch.equal(value, theirs[name]) for name, value in plain.named_parameters())
    initialise(normed, Streams(1))
    assert not torch.equal(plain.conv.weight, normed.conv.weight)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (nn.Linear(400, 300), 400),
        (nn.Conv2d(32, 64, 3), 32 * 9),
        (nn.Conv2d(32, 64, 3, groups=4), 8 * 9),
        (nn.ConvTranspose2d(64, 32, 3), 64 * 9),
        (nn.ConvTranspose2d(64, 32, 3, groups=4), 16 * 9),
    ],
)
def test_variance_follows_the_inputs_of_a_unit(layer: nn.Module, fan_in: int) -> None:
    initialise(layer, Streams(0))
    weight = layer.get_parameter("weight")
    assert weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)


def test_layers_without_a_rule_are_refused() -> None:
    with pytest.raises(TypeError, match=r"0\.weight: no rule for the initial values of a PReLU"):
        initialise(nn.Sequential(nn.PReLU()), Streams(0))


def test_shared_parameters_are_drawn_once() -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    initialise(nn.Sequential(first, second), Streams(0))
    alone = nn.Linear(3, 3)
    initialise(nn.Sequential(alone), Streams(0))
    assert torch.equal(second.weight, alone.weight)


def test_recurrent_layers_and_embeddings_are_drawn_by_name() -> None:
    layers = {"lstm": nn.LSTM(300, 200), "gru": nn.GRU(300, 200), "words": nn.Embedding(500, 60)}
    module = nn.ModuleDict(layers)
    initialise(module, Streams(0))
    for cell in ("lstm", "gru"):
        drawn = dict(module[cell].named_parameters())
        assert abs(drawn["weight_ih_l0"].var().item() * 300 - 1) < 0.05
        assert abs(drawn["weight_hh_l0"].var().item() * 200 - 1) < 0.05
    biases = module["lstm"].get_parameter("bias_ih_l0")
    assert biases.tolist() == [0.0] * 200 + [1.0] * 200 + [0.0] * 400, "the forget gate starts open"
    assert not module["lstm"].get_parameter("bias_hh_l0").any()
    assert not module["gru"].get_parameter("bias_ih_l0").any()
    assert abs(module["words"].get_parameter("weight").std().item() - 0.1) < 0.002
    again = nn.ModuleDict({"lstm": nn.LSTM(300, 200)})
    initialise(again, Streams(0))
    name = "weight_hh_l0"
    assert torch.equal(again["lstm"].get_parameter(name), module["lstm"].get_parameter(name))
