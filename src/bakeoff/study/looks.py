"""Looks: judging, adding seeds and judging again, paid for in advance.

A plan says after how many seeds a study may be judged and which share of the 5 % each look spends.
At look j, Holm's correction runs at level A_j in each family of hypotheses. A hypothesis leaves its
family's count only when that family rejects it. So until the first false rejection every true null
hypothesis is still counted, look j errs with chance at most A_j, and the whole plan with at most
their sum, however looks and comparisons depend on each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.study.statistics import Floats, holm

TOTAL_LEVEL = 0.05
_LEVELS = (0.03, 0.01, 0.01)
MOST_SEEDS = 10_000
"""More are a slip of the finger, and would be listed before anybody noticed."""
_RACE_SEEDS = (3, 5, 8, 12, 20)
_RACE_LEVELS = (0.005, 0.01, 0.01, 0.01, 0.015)


@dataclass(frozen=True)
class LookPlan:
    """When a study may be judged, fixed before the first seed.

    Attributes:
        seeds: Every planned seed, in the order in which they are run and judged.
        sizes: Number of seeds at each look, increasing; the last is `len(seeds)`.
        levels: A_j, what each look may spend; they sum to 0.05.
    """

    seeds: tuple[int, ...]
    sizes: tuple[int, ...]
    levels: tuple[float, ...]

    def reached(self, seed_count: int) -> int:
        """The last look (from 1) that the first `seed_count` seeds of the plan reach; 0: none."""
        return sum(size <= seed_count for size in self.sizes)

    def spent(self, look: int) -> float:
        """What the looks up to this one (from 1) have spent in all."""
        return round(sum(self.levels[:look]), 6)


def plan_looks(seeds: object) -> LookPlan:
    """The looks that a study's `seeds` stand for.

    `5`: looks at 5, 10 and 20 seeds (any n: n, 2n, 4n) with 0.03, 0.01, 0.01. `{exactly: 5}` and a
    list of seeds: one look with 0.05. `{race: true}`: 3, 5, 8, 12, 20 seeds with 0.005, 0.01, 0.01,
    0.01, 0.015. Seeds are 0, 1, 2, ... unless listed.

    Raises:
        InputError: for anything else.
    """
    if _is_count(seeds):
        sizes = (seeds, 2 * seeds, 4 * seeds)
        return LookPlan(tuple(range(sizes[-1])), sizes, _LEVELS)
    if isinstance(seeds, Mapping) and len(seeds) == 1:
        count = seeds.get("exactly")
        if _is_count(count):
            return LookPlan(tuple(range(count)), (count,), (TOTAL_LEVEL,))
        if seeds.get("race") is True:
            return LookPlan(tuple(range(_RACE_SEEDS[-1])), _RACE_SEEDS, _RACE_LEVELS)
    if isinstance(seeds, Sequence) and not isinstance(seeds, str) and seeds:
        listed = tuple(seeds)
        if all(_is_seed(seed) for seed in listed) and len(set(listed)) == len(listed):
            return LookPlan(listed, (len(listed),), (TOTAL_LEVEL,))
    raise InputError(
        f"seeds: received {seeds!r} (allowed: a number of seeds from 1 to {MOST_SEEDS}, a list of "
        "different seeds from 0, {exactly: n}, {race: true})"
    )


@dataclass(frozen=True)
class FamilyResult:
    """What one family of hypotheses came to over its looks.

    Attributes:
        corrected: (..., J, K) min(1, Holm p * 0.05/A_j), to be read against 0.05 at every look; NaN
            from the look after a hypothesis was rejected.
        rejected_at: (..., K) the look (from 1) that rejected a hypothesis; 0: none did.
    """

    corrected: Floats
    rejected_at: NDArray[np.intp]


def judge_looks(p_values: Floats, levels: Sequence[float]) -> FamilyResult:
    """Judges one family look after look: Holm at A_j among what no earlier look rejected.

    Args:
        p_values: (..., J, K) of K hypotheses at J looks; 1 where a hypothesis was not tested, which
            keeps it in the count. Leading axes are separate studies.
        levels: J levels A_j.
    """
    corrected = np.empty(p_values.shape)
    rejected_at = np.zeros((*p_values.shape[:-2], p_values.shape[-1]), np.intp)
    for look, level in enumerate(levels):
        counted = rejected_at == 0
        of_look = holm(p_values[..., look, :], counted)
        # NaN, where not counted, compares as false.
        rejected_at = np.where(of_look <= level, look + 1, rejected_at)
        corrected[..., look, :] = np.minimum(1.0, of_look * (TOTAL_LEVEL / level))
    return FamilyResult(corrected, rejected_at)


def still_racing(
    decisions: Iterable[tuple[str, str, str]], *, for_best: bool = False
) -> frozenset[str]:
    """The recipes that need more seeds.

    Args:
        decisions: (a, b, outcome of a against b) of every pair in the race, at one level of the
            factors.
        for_best: False races each variant against the control: it stops once decided. True races
            all pairs for the best: a recipe stops once worse than any other, and the race ends
            when those left are decided among themselves.
    """
    known = tuple(decisions)
    beaten: set[str] = set()
    if for_best:
        beaten |= {a for a, _, outcome in known if outcome == "worse"}
        beaten |= {b for _, b, outcome in known if outcome == "better"}
    undecided = ({a, b} for a, b, outcome in known if outcome == "undecided")
    return frozenset(name for pair in undecided if not pair & beaten for name in pair)


def _is_seed(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_count(value: Any) -> TypeGuard[int]:
    return _is_seed(value) and 0 < value <= MOST_SEEDS
