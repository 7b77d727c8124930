"""Contenders that do the same work, run in turn: seconds, and ratios of seconds with intervals.

Contenders run in changing order, so that what else the machine does falls on all; a ratio is the
median over neighbouring runs, with the 95 % interval that the sign test gives.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from scipy import stats

SETTLE_SECONDS = 0.03
"""Between two contenders: threads that wait for work by spinning have gone to sleep by then."""

Contenders = Mapping[str, Callable[[], float]]
"""Each does the same work and says how many seconds it took."""


@dataclass(frozen=True)
class Target:
    """A ratio of seconds, `ours` over `theirs`, that is to be at most `at_most`."""

    ours: str
    theirs: str
    at_most: float


@dataclass(frozen=True)
class Ratio:
    """What the runs say about a target; it is missed where the whole interval lies beyond."""

    ours: str
    theirs: str
    at_most: float
    median: float
    ci95: tuple[float, float]

    @property
    def missed(self) -> bool:
        """Whether it is surely missed."""
        return self.ci95[0] > self.at_most


def interval(values: list[float]) -> tuple[float, float]:
    """The 95 % interval of the median, by the sign test."""
    cut = max(1, int(stats.binom.ppf(0.025, len(values), 0.5)))
    return sorted(values)[cut - 1], sorted(values)[-cut]


def compare(contenders: Contenders, repeats: int) -> dict[str, list[float]]:
    """Seconds of every run, after one run of each that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(-1, repeats):
        for name in names if number % 2 else reversed(names):
            time.sleep(SETTLE_SECONDS)
            taken = contenders[name]()
            if number >= 0:
                seconds[name].append(taken)
    return seconds


def ratio(seconds: Mapping[str, list[float]], target: Target) -> Ratio:
    """A target's ratio, over neighbouring runs."""
    pairs = zip(seconds[target.ours], seconds[target.theirs], strict=True)
    logs = [math.log(ours / theirs) for ours, theirs in pairs]
    low, high = interval(logs)
    median = math.exp(statistics.median(logs))
    return Ratio(**asdict(target), median=median, ci95=(math.exp(low), math.exp(high)))
