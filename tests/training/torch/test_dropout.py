"""Dropout with named draws."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bakeoff.core.streams import Streams
from bakeoff.training.torch.dropout import DRAWS, NamedDropout, has_other_dropout


def layers(*names: str, rate: float = 0.25) -> nn.ModuleDict:
    return nn.ModuleDict({name: nn.Dropout(rate) for name in names})


def masked(module: nn.ModuleDict, name: str, at: tuple[int, slice, int], seed: int = 0) -> Tensor:
    """What a layer makes of ones."""
    step, part, count = at
    dropout = NamedDropout(module, Streams(seed))
    module.train()
    dropout.begin(step, part, count)
    out: Tensor = module[name](torch.ones(count, 500)[part])
    dropout.end()
    return out


WHOLE = (0, slice(0, 8), 8)


def test_what_stays_is_scaled_and_the_share_is_right() -> None:
    out = masked(layers("a"), "a", WHOLE)
    assert sorted({*out.flatten().tolist()}) == [0.0, pytest.approx(1 / 0.75)]
    assert (out == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert out.mean().item() == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("rate", [1e-3, 0.1, 0.5, 0.9999999])
def test_every_rate_has_its_share(rate: float) -> None:
    torch.manual_seed(0)
    module = layers("a", rate=rate)
    dropout = NamedDropout(module, Streams(0))
    dropout.begin(0, slice(0, 4), 4)
    out = module["a"](torch.ones(4, 250_001))  # no whole number of 64 bits
    shares = (out == 0).float().mean(dim=1)
    deviation = (rate * (1 - rate) / 250_001) ** 0.5
    np.testing.assert_allclose(shares.numpy(), rate, atol=5 * deviation + 2 / DRAWS)
    assert not torch.equal(out[0], out[1])
    kept = 1 - shares.mean().item()
    assert out.mean().item() == pytest.approx(1, abs=20 * (rate / kept / 1_000_004) ** 0.5)
    assert torch.initial_seed() == 0


def test_neighbours_are_dropped_independently() -> None:
    out = masked(layers("a", rate=0.5), "a", WHOLE)
    dropped = (out.flatten() == 0).float()
    for apart in (1, 2, 3, 4, 500):
        both = (dropped[:-apart] * dropped[apart:]).mean().item()
        assert both == pytest.approx(0.25, abs=0.03)


def test_a_part_gets_its_rows_of_the_whole() -> None:
    whole = masked(layers("a"), "a", WHOLE)
    for part in (slice(0, 3), slice(3, 8)):
        assert torch.equal(masked(layers("a"), "a", (0, part, 8)), whole[part])


@pytest.mark.parametrize("rows", [1, 5, 16])
def test_what_a_batch_shares_gets_one_mask(rows: int) -> None:
    """A table without a row an example: of its own shape, and the same in all parts."""
    table, found = torch.ones(rows, 50), []
    for part in (slice(0, 8), slice(0, 3), slice(3, 8)):
        if rows != len(range(8)[part]):
            module = layers("a")
            dropout = NamedDropout(module, Streams(0))
            dropout.begin(2, part, 8)
            found.append(module["a"](table))
    assert len(found) >= 2
    assert all(torch.equal(one, found[0]) for one in found)
    assert (found[0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.15)
    assert rows == 1 or not torch.equal(found[0][0], found[0][1])


def test_masks_drawn_ahead_are_those_of_the_pass() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.shared = nn.Dropout(0.25), nn.Dropout(0.25)
            self.table = torch.ones(5, 50)

        def forward(self, inputs: Tensor) -> Tensor:
            return torch.cat([self.own(inputs), self.shared(self.table)])

    found = []
    for ahead in (False, True):
        module = Shared()
        dropout = NamedDropout(module, Streams(0))
        if ahead:
            dropout.look(module, torch.ones(8, 50))
        dropout.begin(2, slice(0, 8), 8, ahead)
        found.append(module(torch.ones(8, 50)))
    assert torch.equal(*found)


def test_draws_depend_on_seed_step_and_path_alone() -> None:
    whole = masked(layers("a"), "a", WHOLE)
    assert torch.equal(masked(layers("b", "a"), "a", WHOLE), whole)
    assert not torch.equal(masked(layers("b"), "b", WHOLE), whole)
    assert not torch.equal(masked(layers("a"), "a", (1, slice(0, 8), 8)), whole)
    assert not torch.equal(masked(layers("a"), "a", WHOLE, seed=1), whole)


def test_a_layer_that_is_called_twice_draws_twice() -> None:
    module = layers("a")
    dropout = NamedDropout(module, Streams(0))
    x = torch.ones(8, 500)
    dropout.begin(0, slice(0, 8), 8)
    first, second = module["a"](x), module["a"](x)
    dropout.begin(0, slice(0, 8), 8)
    assert not torch.equal(first, second)
    assert torch.equal(module["a"](x), first)


def test_outside_of_a_step_nothing_is_dropped() -> None:
    module = layers("a")
    NamedDropout(module, Streams(0)).begin(0, slice(0, 1), 1)
    fresh = layers("a")
    dropout = NamedDropout(fresh, Streams(0))
    dropout.begin(0, slice(0, 8), 8)
    dropout.end()
    x = torch.ones(8, 5)
    assert torch.equal(fresh["a"](x), x)


def test_gradients_pass_where_values_pass() -> None:
    module = layers("a")
    NamedDropout(module, Streams(0)).begin(0, slice(0, 8), 8)
    x = torch.ones(8, 20, requires_grad=True)
    out = module["a"](x)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, out.detach())


@pytest.mark.parametrize(
    ("layer", "other"),
    [(nn.Dropout(0.5), False), (nn.Dropout2d(0.5), True), (nn.Dropout2d(0.0), False)],
)
def test_other_kinds_are_noticed(layer: nn.Module, other: bool) -> None:
    assert has_other_dropout(nn.Sequential(layer)) is other
