"""Stopping triggers, by name. Each looks at the newest validation and remembers what it needs.

Scores and negated losses are both "greater is better" here, so every rule is written once.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean

from bakeoff.training.settings import StoppingSettings, StopRule

Rule = Callable[[Sequence[float], StoppingSettings], bool]


def _first_degradation(seen: Sequence[float], settings: StoppingSettings) -> bool:
    """The newest value is worse than the one before."""
    return len(seen) > 1 and seen[-1] < seen[-2] - settings.tolerance


def _no_change(seen: Sequence[float], settings: StoppingSettings) -> bool:
    """The last `window` changes are all within the tolerance."""
    recent = seen[-settings.window - 1 :]
    return len(recent) > settings.window and max(recent) - min(recent) <= settings.tolerance


def _absolute_change(seen: Sequence[float], settings: StoppingSettings) -> bool:
    """The newest change is within the tolerance."""
    return len(seen) > 1 and abs(seen[-1] - seen[-2]) <= settings.tolerance


def _average_change(seen: Sequence[float], settings: StoppingSettings) -> bool:
    """The mean size of the last `window` changes is within the tolerance."""
    recent = seen[-settings.window - 1 :]
    changes = [abs(b - a) for a, b in pairwise(recent)]
    return len(changes) == settings.window and fmean(changes) <= settings.tolerance


def _patience(seen: Sequence[float], settings: StoppingSettings) -> bool:
    """No value of the last `window` is better than the best before them."""
    before, recent = seen[: -settings.window], seen[-settings.window :]
    return bool(before) and max(recent) <= max(before) + settings.tolerance


def _last_25(seen: Sequence[float], settings: StoppingSettings) -> bool:
    """The newest value is not greater than at least one of the 25 before it.

    The rule of a course project, read as "it does not beat even one of them": the newest value is
    at most the smallest of the last 25. (Read as "some of them is not beaten" it would end nearly
    every noisy curve at the 26th validation, which the project's own curve did not do.)
    """
    return len(seen) > 25 and seen[-1] <= min(seen[-26:-1])


RULES: dict[StopRule, Rule] = {
    "first-degradation": _first_degradation,
    "no-change": _no_change,
    "absolute-change": _absolute_change,
    "average-change": _average_change,
    "patience": _patience,
    "last-25": _last_25,
}


class Trigger:
    """A stopping rule with its memory; state is the values seen."""

    def __init__(self, settings: StoppingSettings) -> None:
        self.settings = settings
        self._seen: list[float] = []

    def __call__(self, score: float, loss: float) -> bool:
        """Whether to stop after this validation."""
        self._seen.append(score if self.settings.on == "score" else -loss)
        return RULES[self.settings.rule](self._seen, self.settings)

    def state(self) -> list[float]:
        """The values seen so far."""
        return list(self._seen)

    def load(self, state: list[float]) -> None:
        """Put them back."""
        self._seen = list(state)
