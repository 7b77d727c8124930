"""Slow weights and running averages: the formulas, when they act, what they keep."""

import copy
from typing import Any

import pytest
import torch
from tests.training.torch.small import Small
from torch import nn

from bakeoff.core.protocols import Position
from bakeoff.training.settings import AveragingSettings, LookaheadSettings, TrainingSettings
from bakeoff.training.torch.followers import RunningAverage, SlowWeights, followers


def at(step: int, epoch: int = 0) -> Position:
    return Position(step, epoch, 0.1)


def one(value: float) -> nn.Linear:
    """A module with a single number."""
    module = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(value)
    return module


def moved(module: nn.Module, by: float = 1.0) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(by)


def test_slow_weights_go_part_of_the_way_and_pull_the_fast_ones_back() -> None:
    module = one(1.0)
    slow = SlowWeights(LookaheadSettings(every=3, rate=0.25), module)
    seen = []
    for step in range(6):
        moved(module)
        slow.update(at(step))
        seen.append((module.weight.item(), next(slow.module.parameters()).item()))
    assert seen == [(2, 1), (3, 1), (1.75, 1.75), (2.75, 1.75), (3.75, 1.75), (2.5, 2.5)]


def test_slow_weights_have_the_networks_running_statistics() -> None:
    module = Small(norm=True)
    slow = SlowWeights(LookaheadSettings(), module)
    module.train()(torch.ones(4, 3, 8, 8))
    theirs = dict(slow.module.named_buffers())
    assert theirs
    for name, buffer in module.named_buffers():
        assert theirs[name] is buffer
    assert slow.tensors().keys() == dict(module.named_parameters()).keys()
    assert slow.begun


def test_rate_one_changes_nothing() -> None:
    module = one(1.0)
    slow = SlowWeights(LookaheadSettings(every=1, rate=1), module)
    for step in range(3):
        moved(module)
        slow.update(at(step))
        assert module.weight.item() == next(slow.module.parameters()).item() == 2 + step


def average(module: nn.Module, **settings: Any) -> RunningAverage:
    return RunningAverage(AveragingSettings(**settings), module)


def test_the_average_starts_with_the_first_weights_it_sees() -> None:
    module = one(0.0)
    mean = average(module, decay=0.25)
    assert not mean.begun
    expected = None
    for step in range(8):
        moved(module, 1.0 + step)
        mean.update(at(step))
        now = module.weight.item()
        kept = min(0.25, step / (step + 9))
        expected = now if expected is None else kept * expected + (1 - kept) * now
        assert mean.begun
        assert next(mean.module.parameters()).item() == pytest.approx(expected)


def test_decay_grows_to_its_greatest_value() -> None:
    """Of a jump from 0 to 1 after many additions, 1 - decay is seen at once."""
    module = one(0.0)
    mean = average(module, decay=0.9)
    for step in range(100):
        mean.update(at(step))
    moved(module)
    mean.update(at(100))
    assert next(mean.module.parameters()).item() == pytest.approx(0.1)


def test_it_waits_for_its_epoch_and_takes_every_so_many() -> None:
    module = one(0.0)
    mean = average(module, every=2, start=1)
    for step in range(4):
        mean.update(at(step))
    assert not mean.begun
    moved(module)
    mean.update(at(4, epoch=1))
    assert not mean.begun
    mean.update(at(5, epoch=1))
    assert mean.begun
    assert next(mean.module.parameters()).item() == 1


def test_running_statistics_are_averaged_and_counts_copied() -> None:
    module = Small(norm=True)
    mean = average(module, decay=0.5)
    statistics = []
    for step in range(2):
        module.train()(torch.full((4, 3, 8, 8), 1.0 + step))
        mean.update(at(step))
        statistics.append({n: b.clone() for n, b in module.named_buffers()})
    for name, buffer in mean.module.named_buffers():
        if buffer.is_floating_point():
            expected = torch.lerp(statistics[0][name], statistics[1][name], 0.9)
            torch.testing.assert_close(buffer, expected)
        else:
            assert buffer.item() == 2


def test_the_network_is_left_alone_and_memory_stays() -> None:
    module = Small(norm=True)
    before = copy.deepcopy(module.state_dict())
    mean = average(module)
    places = {name: tensor.data_ptr() for name, tensor in mean.tensors().items()}
    for step in range(3):
        mean.update(at(step))
    assert all(torch.equal(before[n], t) for n, t in module.state_dict().items())
    assert {name: tensor.data_ptr() for name, tensor in mean.tensors().items()} == places
    assert not any(p.requires_grad for p in mean.module.parameters())
    assert all(p.requires_grad for p in module.parameters())


def test_settings_say_what_follows() -> None:
    both: dict[str, Any] = {"lookahead": {}, "averaging": {}}
    cases: list[tuple[dict[str, Any], list[str]]] = [({}, []), (both, ["lookahead", "average"])]
    for content, names in cases:
        settings = TrainingSettings.parse({"epochs": 1} | content)
        assert list(followers(settings, Small())) == names
