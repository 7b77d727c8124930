"""Nats of a head over a vocabulary and their gradients, beside torch's cross-entropy."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bakeoff.models import head_loss
from bakeoff.models.head_loss import nats_of, weighted_nats

N, D, V = 23, 6, 40


def given(bias: bool = True) -> tuple[nn.Linear, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    head = nn.Linear(D, V, bias=bias)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    hidden = torch.randn(N, D, generator=generator, requires_grad=True)
    targets = torch.randint(V, (N,), generator=generator)
    weights = torch.rand(N, generator=generator)
    weights[3] = 0.0
    return head, hidden, targets, weights


def plainly(head: nn.Module, hidden: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return (cross_entropy(head(hidden).float(), targets, reduction="none") * weights).sum()


def gradients(loss: Tensor, head: nn.Module, hidden: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [hidden, *head.parameters()]))


@pytest.fixture(params=[(512, 32), (7, 3), (1, 1)], ids=str)
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_loss, "CHUNK", request.param[0])
    monkeypatch.setattr(head_loss, "ROWS", request.param[1])


@pytest.mark.parametrize("bias", [True, False])
def test_sums_and_gradients_are_those_of_torch(sizes: None, bias: bool) -> None:
    head, hidden, targets, weights = given(bias)
    expected = plainly(head, hidden, targets, weights)
    found = weighted_nats(head, hidden, targets, weights)
    torch.testing.assert_close(found, expected)
    pairs = zip(
        gradients(3.0 * found, head, hidden), gradients(3.0 * expected, head, hidden), strict=True
    )
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs)


def test_gradients_are_central_differences() -> None:
    head, hidden, targets, weights = given()
    head.double()
    wide = hidden.detach().double().requires_grad_()

    def of(states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return head_loss._WeightedNats.apply(  # type: ignore[no-any-return, no-untyped-call]
            states, weight, bias, targets, weights, torch.float32
        )

    step = 1e-2
    loss = of(wide, head.weight, head.bias)
    for found, where in zip(gradients(loss, head, wide), [wide, *head.parameters()], strict=True):
        flat, place = where.detach().view(-1), int(found.abs().argmax())
        before = flat[place].item()
        sides = []
        for sign in (1, -1):
            flat[place] = before + sign * step
            sides.append(of(wide, head.weight, head.bias).item())
        flat[place] = before
        measured = (sides[0] - sides[1]) / (2 * step)
        assert found.view(-1)[place].item() == pytest.approx(measured, rel=2e-3)


def test_in_bfloat16_they_are_as_near_as_autocast_of_torch(sizes: None) -> None:
    head, hidden, targets, weights = given()
    exact = gradients(plainly(head, hidden, targets, weights), head, hidden)
    with torch.autocast("cpu", torch.bfloat16):
        ours = weighted_nats(head, hidden, targets, weights)
        theirs = plainly(head, hidden, targets, weights)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
    sides = gradients(ours, head, hidden), gradients(theirs, head, hidden)
    for mine, other, true in zip(*sides, exact, strict=True):
        assert mine.dtype == other.dtype
        error = (mine - true).norm().item()
        assert error <= 1.5 * (other - true).norm().item() + 1e-6


def test_a_frozen_head_gets_no_gradient_and_a_second_pass_the_same() -> None:
    head, hidden, targets, weights = given()
    head.requires_grad_(False)
    loss = weighted_nats(head, hidden, targets, weights)
    first, second = (
        torch.autograd.grad(loss, [hidden], retain_graph=True)[0].clone() for _ in range(2)
    )
    assert torch.equal(first, second)
    assert head.weight.grad is None


def test_any_other_head_does(sizes: None) -> None:
    head, hidden, targets, weights = given()
    other = nn.Sequential(copy.deepcopy(head))
    found = weighted_nats(other, hidden, targets, weights)
    torch.testing.assert_close(found, plainly(head, hidden, targets, weights))
    mine = gradients(found, other, hidden)
    expected = gradients(plainly(head, hidden, targets, weights), head, hidden)
    for one, two in zip(mine, expected, strict=True):
        torch.testing.assert_close(one, two)


def test_no_head_has_more_than_a_chunk_of_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none of them is kept: a large model's would be larger than itself."""
    monkeypatch.setattr(head_loss, "CHUNK", 7)
    head, hidden, targets, weights = given()
    for one in (head, nn.Sequential(copy.deepcopy(head))):
        kept: list[tuple[int, ...]] = []

        def keep(tensor: Tensor, kept: list[tuple[int, ...]] = kept) -> Tensor:
            kept.append(tuple(tensor.shape))
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            weighted_nats(one, hidden, targets, weights)
        assert not any(V in shape and shape != (V, D) for shape in kept)


def test_nats_are_minus_log_probabilities(sizes: None) -> None:
    head, hidden, targets, _ = given()
    found = nats_of(head, hidden, targets)
    expected = cross_entropy(head(hidden), targets, reduction="none")
    torch.testing.assert_close(found, expected.detach())
    assert not found.requires_grad


def test_large_logits_stay_finite() -> None:
    head, hidden, targets, weights = given()
    wild = (1e4 * hidden).detach().requires_grad_()
    loss = weighted_nats(head, wild, targets, weights)
    assert torch.isfinite(loss)
    assert all(torch.isfinite(found).all() for found in gradients(loss, head, wild))
