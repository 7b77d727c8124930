"""Optimisers: torch's, with all memory from the start."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.muon import directions
from bakeoff.training.torch.optimisers import Optimiser


def theirs(name: str, module: nn.Module) -> Optimizer:
    """What one would write by hand, unfused."""
    groups = [
        {"params": [p for p in module.parameters() if p.dim() >= 2], "weight_decay": 0.01},
        {"params": [p for p in module.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    match name:
        case "sgd":
            return SGD(groups, 0.1)
        case "rmsprop":
            return RMSprop(groups, 0.1)
        case "adam":
            return Adam(groups, 0.1)
        case "adamw":
            return AdamW(groups, 0.1)
        case _:
            return SGD(groups, 0.1, momentum=0.8, nesterov=name == "nesterov")


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_updates_are_torchs(name: Any) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Linear(4, 5))
    twin = copy.deepcopy(module)
    settings = TrainingSettings(epochs=1, optimizer=name, learning_rate=0.1, momentum=0.8, l2=0.01)
    ours, reference = Optimiser(settings, module), theirs(name, twin)
    for _ in range(4):
        for a, b in zip(module.parameters(), twin.parameters(), strict=True):
            a.grad = torch.rand_like(a)
            b.grad = a.grad.clone()
        ours.step(0.1)
        reference.step()
    for a, b in zip(module.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("clip", [1.0, 1e3], ids=["clipped", "left"])
@pytest.mark.parametrize("name", ["sgd", "nesterov", "rmsprop", "adamw"])
def test_limits_are_those_written_with_torch(name: Any, clip: float) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Linear(4, 5))
    twin = copy.deepcopy(module)
    fields = {"momentum": 0.8, "l2": 0.01, "l1": 0.02, "max_norm": 0.9, "clip": clip}
    settings = TrainingSettings.parse({"epochs": 1, "optimizer": name} | fields)
    ours, reference = Optimiser(settings, module), theirs(name, twin)
    for _ in range(4):
        for a, b in zip(module.parameters(), twin.parameters(), strict=True):
            a.grad = torch.rand_like(a)
            b.grad = a.grad.clone()
        ours.step(0.1)
        nn.utils.clip_grad_norm_(twin.parameters(), clip)
        weights = [p for p in twin.parameters() if p.dim() >= 2]
        for weight in weights:
            assert weight.grad is not None
            weight.grad += 0.02 * weight.detach().sign()
        reference.step()
        for weight in weights:
            weight.data = torch.renorm(weight.data, 2, 0, 0.9)
    for a, b in zip(module.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("sgd", set()),
        ("momentum", {"velocity"}),
        ("nesterov", {"velocity"}),
        ("rmsprop", {"square"}),
        ("adam", {"mean", "square", "updates"}),
        ("adamw", {"mean", "square", "updates"}),
        ("muon", {"velocity"}),
    ],
)
def test_all_memory_is_there_before_the_first_update(name: Any, keys: set[str]) -> None:
    module = nn.Linear(3, 2)
    settings = TrainingSettings(epochs=1, optimizer=name)
    made = Optimiser(settings, module)
    before = made.tensors()
    assert set(before) == {f"{path}.{key}" for path in ("weight", "bias") for key in keys}
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    made.step(0.1)
    after = made.tensors()
    assert {n: t.data_ptr() for n, t in after.items()} == {
        n: t.data_ptr() for n, t in before.items()
    }


def test_what_is_remembered_is_of_weights_that_learn_alone() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 5).requires_grad_(False))
    learnt = 3 * 2 + 2
    sizes: dict[Any, int] = {"sgd": 0, "momentum": 4 * learnt, "adamw": 8 * learnt + 2 * 4}
    for name, size in sizes.items():
        assert Optimiser(TrainingSettings(epochs=1, optimizer=name), module).bytes == size


def test_nesterov_without_momentum_is_gradient_descent() -> None:
    module = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(1.0)
    made = Optimiser(TrainingSettings(epochs=1, optimizer="nesterov", momentum=0), module)
    module.weight.grad = torch.ones(1, 1)
    made.step(0.5)
    assert module.weight.item() == 0.5
    assert module.weight.grad is None


def test_parameters_without_a_gradient_decay_like_the_others() -> None:
    module = nn.Linear(1, 1)
    with torch.no_grad():
        module.weight.fill_(1.0)
        module.bias.fill_(1.0)
    Optimiser(TrainingSettings(epochs=1, optimizer="sgd", l2=0.5), module).step(0.1)
    assert module.weight.item() == pytest.approx(0.95)
    assert module.bias.item() == 1


def test_muon_orthogonalises_weights_and_leaves_the_rest_to_nesterov() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Linear(4, 5), nn.LayerNorm(5))
    twin = copy.deepcopy(module)
    fields = {"learning_rate": 0.2, "other_learning_rate": 0.05, "momentum": 0.8, "l2": 0.1}
    settings = TrainingSettings.parse({"epochs": 1, "optimizer": "muon"} | fields)
    ours = Optimiser(settings, module)
    rest = SGD([p for p in twin.parameters() if p.dim() < 2], 0.05 / 2, 0.8, nesterov=True)
    weights = [p for p in twin.parameters() if p.dim() >= 2]
    velocities = [torch.zeros_like(p) for p in weights]
    for _ in range(3):
        for a, b in zip(module.parameters(), twin.parameters(), strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        ours.step(0.1)  # half of the greatest rate: the schedule is of both
        rest.step()
        with torch.no_grad():
            for weight, velocity in zip(weights, velocities, strict=True):
                assert weight.grad is not None
                velocity.mul_(0.8).add_(weight.grad)
                (direction,) = directions([weight.grad + 0.8 * velocity])
                weight.mul_(1 - 0.1 * 0.1).sub_(0.1 * direction)
    for a, b in zip(module.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
