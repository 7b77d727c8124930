"""Updates of a small causal model, beside plain torch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bakeoff.core.protocols import Batch, Position
from bakeoff.core.tokens import Tokens
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.language import LanguageStep

BLOCKS = Tokens.of([[1, 2, 3, 4], [5, 6, 1], [2, 2, 2, 7]])
SETTINGS = TrainingSettings(epochs=1, optimizer="adamw", learning_rate=0.01)


def model() -> nn.Module:
    """Foretells a token from the one before it alone."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Embedding(8, 6), nn.Linear(6, 8))


def nats(module: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    logits = module(ids[:, :-1]).flatten(0, 1)
    found = nn.functional.cross_entropy(logits, ids[:, 1:].flatten(), reduction="none")
    return found.view(len(ids), -1)


def loss(module: nn.Module, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (nats(module, ids) * weights).sum()


def step_of(module: nn.Module, changed: Callable[[], None] = lambda: None) -> LanguageStep:
    scores = lambda texts: np.zeros((len(texts), 2))  # noqa: E731
    return LanguageStep(module, loss, scores, changed, SETTINGS)


def batch() -> Batch:
    return Batch(BLOCKS, np.zeros(3), np.arange(3))


def test_an_update_is_that_of_the_mean_over_foretold_tokens() -> None:
    ours, plain = model(), model()
    sums = step_of(ours)(batch(), Position(0, 0, 0.01))
    optimiser = torch.optim.AdamW(plain.parameters(), lr=0.01, weight_decay=0.0)
    losses = [nats(plain, torch.tensor([BLOCKS[i].tolist()])).flatten() for i in range(3)]
    mean = torch.cat(losses).mean()
    mean.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    assert sums["count"] == 8
    assert float(sums["loss"]) == pytest.approx(8 * mean.item(), rel=1e-6)
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_parts_make_the_same_update() -> None:
    whole, cut = model(), model()
    one = step_of(whole)(batch(), Position(0, 0, 0.01))
    other = step_of(cut)(batch(), Position(0, 0, 0.01, parts=3))
    assert float(one["loss"]) == pytest.approx(float(other["loss"]))
    for mine, theirs in zip(whole.parameters(), cut.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_state_goes_on_where_it_was() -> None:
    first = step_of(model())
    first(batch(), Position(0, 0, 0.01))
    state = first.state()
    second = step_of(model())
    second.load(state)
    for step in (first, second):
        step(batch(), Position(1, 0, 0.01))
    for name, values in first.state().items():
        np.testing.assert_array_equal(values, second.state()[name])


def test_what_is_frozen_is_no_part_of_the_state() -> None:
    module: Any = model()
    module[0].requires_grad_(False)
    assert not any("network.0" in name for name in step_of(module).state())


def test_validation_scores_texts() -> None:
    assert step_of(model()).evaluate(Batch(["a", "b"], np.ones(2), np.arange(2))).shape == (2, 2)


def test_it_says_when_weights_change() -> None:
    told: list[str] = []
    step = step_of(model(), lambda: told.append("changed"))
    step.evaluate(Batch(["a"], np.ones(1), np.arange(1)))
    assert told == []
    step(batch(), Position(0, 0, 0.01))
    assert len(told) == 1
    step.load(step.state())
    assert len(told) == 2
