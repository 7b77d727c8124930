"""An encoder and a head as one network: which layers learn, and at which rate."""

import pytest
import torch
from tests.training.torch.small import Small, at, batch, inference
from torch import nn

from bakeoff.core.errors import InputError
from bakeoff.core.streams import Streams
from bakeoff.models.settings import SpeedrunSettings
from bakeoff.models.speedrun import Speedrun
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.initialise import initialise
from bakeoff.training.torch.joined import Joined, thaw
from bakeoff.training.torch.step import TorchStep

EXAMPLE = torch.zeros(1, 3, 8, 8)


def joined(norm: bool = False) -> Joined:
    encoder, head = Small(norm), nn.Linear(10, 4)
    initialise(encoder, Streams(0))
    initialise(head, Streams(1))
    return Joined(encoder, head, torch.full((10,), 0.5), torch.full((10,), 2.0))


def learning(module: nn.Module) -> set[str]:
    return {name for name, p in module.named_parameters() if p.requires_grad}


def test_the_head_sees_standardised_vectors() -> None:
    module, images = joined(), torch.rand(5, 3, 8, 8)
    vectors = module.encoder.features(images)  # type: ignore[operator]
    torch.testing.assert_close(module(images), module.head((vectors - 0.5) / 2))


def test_what_vectors_do_not_depend_on_never_learns() -> None:
    encoder = Small()
    thaw(encoder, None, {}, EXAMPLE)
    assert learning(encoder) == {"conv.weight", "conv.bias", "hidden.weight", "hidden.bias"}


def test_layers_thaw_by_name_with_their_rates() -> None:
    encoder = Small()
    thaw(encoder, ["hidden"], {"": 0.1, "hidden": 0.25}, EXAMPLE)
    assert learning(encoder) == {"hidden.weight", "hidden.bias"}
    assert encoder.hidden.weight.rate_share == 0.25  # type: ignore[attr-defined]
    assert encoder.conv.weight.rate_share == 0.1  # type: ignore[attr-defined]


def test_what_a_model_keeps_fixed_never_learns_on() -> None:
    """Filters that whiten and gains of 1 stay, however often the network is thawed."""
    settings = SpeedrunSettings.parse({"widths": [4, 4, 4]})
    encoder = Speedrun(settings, (16, 16, 3), 4)
    first = learning(encoder)
    for _ in range(2):
        thaw(encoder, None, {}, torch.zeros(1, 3, 16, 16))
        assert learning(encoder) == first - {"output.weight"}
    assert not {"whitening.weight", "block1.norm1.weight"} & first


def test_nested_layers_and_trunks() -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = nn.ModuleDict({"first": nn.Linear(3, 3), "second": nn.ModuleList(
                [nn.Linear(3, 3), nn.Linear(3, 3)])})  # fmt: skip

        def features(self, x: torch.Tensor) -> torch.Tensor:
            second = self.trunk["second"]
            assert isinstance(second, nn.ModuleList)
            y: torch.Tensor = second[1](second[0](self.trunk["first"](x)))
            return y

    deep = Deep()
    thaw(deep, ["second.1"], {"second": 0.5, "second.1": 0.7}, torch.zeros(1, 3))
    assert learning(deep) == {"trunk.second.1.weight", "trunk.second.1.bias"}
    shares = {n: p.rate_share for n, p in deep.named_parameters()}  # type: ignore[attr-defined]
    assert shares["trunk.second.0.bias"] == 0.5
    assert shares["trunk.second.1.bias"] == 0.7
    assert shares["trunk.first.bias"] == 1.0


def test_unknown_layers_are_told() -> None:
    with pytest.raises(
        InputError, match=r"no layer 'hiden'; did you mean 'hidden'\?.*conv, hidden"
    ):
        thaw(Small(), ["hiden"], {}, EXAMPLE)
    with pytest.raises(InputError, match="no layer 'block9'"):
        thaw(Small(), None, {"block9": 0.5}, EXAMPLE)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
def test_frozen_layers_stay_and_shares_are_kept(optimizer: str) -> None:
    """After one update from the same gradients, a share of the rate is a share of the way."""
    moved = {}
    for share in (1.0, 0.5):
        module = joined()
        thaw(module.encoder, ["hidden"], {"": share}, EXAMPLE)
        before = {n: p.detach().clone() for n, p in module.named_parameters()}
        settings = TrainingSettings.parse({"epochs": 1, "optimizer": optimizer, "momentum": 0.0})
        TorchStep(inference(module), settings, Streams(0))(batch(), at(0))
        moved[share] = {n: p.detach() - before[n] for n, p in module.named_parameters()}
    assert not moved[1.0]["encoder.conv.weight"].any()
    assert not moved[1.0]["encoder.output.weight"].any()
    torch.testing.assert_close(moved[0.5]["head.weight"], moved[1.0]["head.weight"])
    half = moved[1.0]["encoder.hidden.weight"] / 2
    torch.testing.assert_close(moved[0.5]["encoder.hidden.weight"], half, rtol=1e-3, atol=1e-6)


def test_batch_norm_of_frozen_layers_keeps_its_averages() -> None:
    module = joined(norm=True)
    thaw(module.encoder, ["hidden"], {}, EXAMPLE)
    module.train()
    assert not module.encoder.norm.training  # type: ignore[union-attr]
    before = module.encoder.norm.running_mean.clone()  # type: ignore[union-attr, operator]
    module(torch.rand(6, 3, 8, 8))
    assert torch.equal(module.encoder.norm.running_mean, before)  # type: ignore[union-attr, arg-type]
    thaw(module.encoder, None, {}, EXAMPLE)
    assert module.train().encoder.norm.training  # type: ignore[union-attr]
