"""Weights that follow the trained ones, and validate and predict in their place.

A follower has a copy of the network: nothing is exchanged before and after an evaluation, and the
memory that updates work on stays where it is.
"""

import copy
from typing import Protocol

import torch
from torch import Tensor, nn

from bakeoff.core.protocols import Position
from bakeoff.training.settings import AveragingSettings, LookaheadSettings, TrainingSettings
from bakeoff.training.torch.arrays import named_tensors


class Follower(Protocol):
    """Weights that follow a network's."""

    module: nn.Module
    """The network with these weights."""

    @property
    def begun(self) -> bool:
        """Whether it has anything to say yet."""
        ...

    def update(self, at: Position) -> None:
        """Follow the update that was made at a position; the device is not waited for."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All it remembers, by name."""
        ...


class SlowWeights:
    """Lookahead: every k updates `slow += rate (fast - slow)`, then `fast = slow`.

    The optimiser keeps its moments, as in the paper's main experiments. The slow weights are the
    ones that are evaluated, as the authors' program does it; running statistics are the network's.

    Args:
        settings: k and rate.
        module: With its initial weights, on its device.
    """

    def __init__(self, settings: LookaheadSettings, module: nn.Module) -> None:
        self._settings = settings
        shared = {id(buffer): buffer for buffer in module.buffers()}
        self.module = copy.deepcopy(module, shared).requires_grad_(False)
        self._slow: list[Tensor] = [*self.module.parameters()]
        self._fast: list[Tensor] = [*module.parameters()]

    @property
    def begun(self) -> bool:
        """They are the initial weights at first."""
        return True

    @torch.no_grad()
    def update(self, at: Position) -> None:
        """Every k updates."""
        if (at.step + 1) % self._settings.every == 0:
            torch._foreach_lerp_(self._slow, self._fast, self._settings.rate)
            torch._foreach_copy_(self._fast, self._slow)

    def tensors(self) -> dict[str, Tensor]:
        """The slow weights."""
        return dict(self.module.named_parameters())


class RunningAverage:
    """`average = d average + (1 - d) now`, of weights and of the running statistics of norms.

    With n additions before, d is `min(decay, n / (n + 9))`: the first one takes the weights as they
    are, and a short run is not averaged with its beginning. Statistics are averaged like weights,
    not estimated anew: that would take passes over training examples at every validation.

    Args:
        settings: Decay, how often, from when.
        module: With its initial weights, on its device.
    """

    def __init__(self, settings: AveragingSettings, module: nn.Module) -> None:
        self._settings = settings
        self.module = copy.deepcopy(module).requires_grad_(False)
        own, trained = named_tensors(self.module), named_tensors(module)
        smooth = [name for name, tensor in own.items() if tensor.is_floating_point()]
        self._average, self._now = ([t[n] for n in smooth] for t in (own, trained))
        counts = own.keys() - set(smooth)
        self._counts, self._counted = ([t[n] for n in sorted(counts)] for t in (own, trained))
        self._additions = torch.zeros((), dtype=torch.int64)  # on the CPU: read without waiting

    @property
    def begun(self) -> bool:
        """From the first addition on."""
        return bool(self._additions)

    @torch.no_grad()
    def update(self, at: Position) -> None:
        """Every so many updates."""
        if at.epoch < self._settings.start or (at.step + 1) % self._settings.every:
            return
        before = int(self._additions)
        kept = min(self._settings.decay, before / (before + 9))
        torch._foreach_lerp_(self._average, self._now, 1 - kept)
        if self._counts:
            torch._foreach_copy_(self._counts, self._counted)
        self._additions += 1

    def tensors(self) -> dict[str, Tensor]:
        """The averages, and how many additions there were."""
        return named_tensors(self.module) | {"additions": self._additions}


def followers(settings: TrainingSettings, module: nn.Module) -> dict[str, Follower]:
    """What follows a network as the settings ask, by name.

    Of those that have begun, the last one is what is evaluated: with both, the average of the
    weights that `lookahead` leaves.
    """
    found: dict[str, Follower] = {}
    if settings.lookahead is not None:
        found["lookahead"] = SlowWeights(settings.lookahead, module)
    if settings.averaging is not None:
        found["average"] = RunningAverage(settings.averaging, module)
    return found
