"""Judging a cross-validation: from scores of folds to verdicts.

The unit is a fold: seeds are averaged inside it, and what differs between the folds is the training
set as well as the examples that are scored. A verdict is about new training sets of (k-1)/k of the
data, and approximate, because training sets overlap. It is reached in one look. Neither more seeds
nor more repeats narrow it by much, so no price of deciding is told.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.measures import measure_of
from bakeoff.core.record import Seconds
from bakeoff.study.looks import TOTAL_LEVEL, judge_looks
from bakeoff.study.sentences import Circumstances, Outcome, Verdict, sentence
from bakeoff.study.statistics import Floats, FoldSpread, cost_ratio
from bakeoff.study.verdicts import LEAST_EXAMPLES, Role

SAME = 1e-9
"""Differences of scores that are no larger, beside the scores, come from rounding."""
LEAST_FOLDS = 3
"""For an outcome: two folds of unequal sizes with equal gains differ by next to nothing."""
Fold = tuple[int, int]
"""Repeat and number of a fold."""


@dataclass(frozen=True)
class FoldScore:
    """What one cell scored on the fold it held out.

    Attributes:
        score: In the metric of the comparison, on the scale on which differences are taken.
        examples: How many were held out.
        scored: A hash of which they were.
        train_seconds: None where they are no price (`Record.priced_seconds`).
        diverged: Whether training broke off.
    """

    score: float
    examples: int
    scored: str
    train_seconds: Seconds | None = None
    diverged: bool = False


@dataclass(frozen=True)
class FoldPair:
    """What is known of one pair of recipes.

    Attributes:
        a: The variant.
        b: The control.
        metric: `fold/<name>`.
        scored_a: The variant's cells by replicate.
        scored_b: The control's.
        level: Values of the crossed factors.
        role: As for `verdicts.PairInput`.
        macs_ratio: The same.
        protocol: The same.
    """

    a: str
    b: str
    metric: str
    scored_a: Mapping[Replicate, FoldScore]
    scored_b: Mapping[Replicate, FoldScore]
    level: Mapping[str, Any] = field(default_factory=dict)
    role: Role = "planned"
    macs_ratio: float | None = None
    protocol: str = ""

    @property
    def direction(self) -> int:
        """1 where more is better, else -1."""
        return 1 if measure_of(self.metric).direction == "max" else -1


@dataclass(frozen=True)
class Cut:
    """What was planned: so many folds, so often, with these seeds in each.

    Attributes:
        folds: k.
        repeats: r.
        seeds: As planned.
    """

    folds: int
    repeats: int
    seeds: tuple[int, ...]

    @property
    def every(self) -> list[Fold]:
        """All folds, repeat by repeat."""
        return [(repeat, fold) for repeat in range(self.repeats) for fold in range(self.folds)]


def by_fold(values: Mapping[Replicate, float]) -> dict[Fold, float]:
    """Means over the seeds inside each fold, by repeat and fold."""
    found: dict[Fold, list[float]] = {}
    for at in sorted(values, key=lambda at: at.order):
        if at.fold is not None:
            found.setdefault((at.repeat, at.fold), []).append(values[at])
    return {fold: math.fsum(found[fold]) / len(found[fold]) for fold in sorted(found)}


def judge_folds(pairs: Sequence[FoldPair], *, cut: Cut, margin: float) -> tuple[Verdict, ...]:
    """The verdicts of a cross-validated study, in the order of its pairs.

    Outcomes follow the rule of `verdicts.judge`: Holm over all planned pairs, in the family of
    differences and in that of equivalences, at 0.05.

    Args:
        pairs: All pairs of the study, those that have no cell yet too.
        cut: What was planned.
        margin: Differences smaller than this do not matter; 0 rules equivalence out.

    Raises:
        InputError: where recipes were scored on different examples, or the margin is negative.
    """
    if not 0 <= margin < math.inf:
        raise InputError(f"margin: received {margin} (allowed: a number from 0)")
    compared = [_compare(pair, cut) for pair in pairs]
    planned = [entry for entry in compared if entry.pair.role == "planned"]
    differs, agrees = np.ones((1, len(planned))), np.ones((1, len(planned)))
    for k, entry in enumerate(planned):
        if entry.reason is None:
            differs[0, k] = entry.spread.p_value()
            agrees[0, k] = entry.spread.p_equivalence(margin)
    difference, equivalence = (judge_looks(p, (TOTAL_LEVEL,)) for p in (differs, agrees))
    study, rows = _Study(cut, margin, len(planned)), []
    for entry in compared:
        if entry.pair.role != "planned" or entry.reason is not None:
            rows.append(_row(entry, study))
            continue
        k = next(i for i, other in enumerate(planned) if other is entry)
        outcome: Outcome = "undecided"
        if equivalence.rejected_at[k]:
            outcome = "equivalent"
        elif difference.rejected_at[k]:
            outcome = "better" if entry.spread.mean > 0 else "worse"
        rows.append(_row(entry, study, outcome, float(difference.corrected[0, k])))
    return tuple(rows)


@dataclass(frozen=True)
class _Study:
    cut: Cut
    margin: float
    comparison_count: int


@dataclass(frozen=True)
class _Compared:
    """One pair's differences, a fold each."""

    pair: FoldPair
    differences: Floats  # (J,) of the folds there are
    size: float  # of the largest score
    seed_count: int  # in the fold that has the fewest
    fold_count: int  # k
    reason: str | None  # why no outcome is allowed
    exploratory: bool

    @property
    def spreads(self) -> bool:
        """Whether the folds differ from one another; else their spread says nothing."""
        return len(self.differences) > 1 and bool(np.ptp(self.differences) > SAME * self.size)

    @property
    def spread(self) -> FoldSpread:
        return FoldSpread(self.differences, self.fold_count)


def _compare(pair: FoldPair, cut: Cut) -> _Compared:
    """Pairs two recipes fold by fold, seed by seed."""
    common = sorted(pair.scored_a.keys() & pair.scored_b.keys(), key=lambda at: at.order)
    values, size = {}, 0.0
    for at in common:
        a, b = pair.scored_a[at], pair.scored_b[at]
        if a.scored != b.scored:
            raise InputError(f"{pair.a} and {pair.b}: not scored on the same examples: {at.label}")
        values[at] = pair.direction * (a.score - b.score)
        size = max(size, abs(a.score), abs(b.score))
    means = by_fold(values)
    seeds = [sum((at.repeat, at.fold) == fold for at in common) for fold in means]
    differences = np.array(list(means.values()))
    reason, exploratory = _obstacle(pair, common, cut)
    fewest = min(seeds, default=0)
    entry = _Compared(pair, differences, size, fewest, cut.folds, reason, exploratory)
    if reason is None and not entry.spreads:
        # A handful of equal numbers would claim certainty, which few examples cannot give.
        same = "all folds give the same difference, so there is no spread to judge by"
        return replace(entry, reason=same)
    return entry


def _obstacle(pair: FoldPair, common: Sequence[Replicate], cut: Cut) -> tuple[str | None, bool]:
    """Why no outcome is allowed, or None; and whether the pair is exploratory."""
    if pair.role == "late":
        return "one of the two was added or changed after a fold score was read", True
    if pair.role == "secondary":
        return "outside the study's question, which alone has outcomes", False
    if outside := sorted({at.seed for at in common} - set(cut.seeds)):
        return f"seeds outside the plan: {', '.join(map(str, outside))}", True
    needed = len(cut.seeds) * len(cut.every)
    if len(common) < needed:
        return f"{len(common)} of {needed} cells of each recipe are there", False
    if cut.folds < LEAST_FOLDS:
        return f"{cut.folds} folds, at least {LEAST_FOLDS} are needed", False
    examples = sum(
        pair.scored_a[at].examples for at in common if (at.seed, at.repeat) == (cut.seeds[0], 0)
    )
    if examples < LEAST_EXAMPLES:
        return f"{examples} examples in all folds, at least {LEAST_EXAMPLES} are needed", False
    return None, False


def _row(
    entry: _Compared, study: _Study, outcome: Outcome = "undecided", p: float | None = None
) -> Verdict:
    """One pair's numbers and sentence."""
    pair, spread, some = entry.pair, entry.spread, entry.spreads
    both = sorted(pair.scored_a.keys() & pair.scored_b.keys(), key=lambda at: at.order)
    ratio = cost_ratio(
        (pair.scored_a[at].train_seconds, pair.scored_b[at].train_seconds) for at in both
    )
    judged = p is not None
    verdict = Verdict(
        a=pair.a,
        b=pair.b,
        level=pair.level,
        metric=pair.metric,
        difference=float(spread.mean) if len(entry.differences) else None,
        ci95=spread.interval() if some else None,
        ci_this_test_set=None,
        p_value=spread.p_value() if some else None,
        p_corrected=p,
        p_equivalence=spread.p_equivalence(study.margin)
        if some and pair.role != "secondary"
        else None,
        look=1 if judged else None,
        alpha_spent=TOTAL_LEVEL if judged else None,
        outcome=outcome,
        exploratory=entry.exploratory,
        cost_ratio=ratio and ratio.ratio,
        cost_ratio_ci95=ratio and ratio.ci95,
        macs_ratio=pair.macs_ratio,
        seeds_to_decide=None,
        examples_to_decide=None,
        limited_by=None,
        reason=entry.reason,
    )
    facts = Circumstances(
        seed_count=entry.seed_count,
        comparison_count=study.comparison_count,
        look_count=1,
        last_look=len(study.cut.seeds),
        margin=study.margin,
        direction="max" if pair.direction > 0 else "min",
        diverged={
            pair.a: sum(cell.diverged for cell in pair.scored_a.values()),
            pair.b: sum(cell.diverged for cell in pair.scored_b.values()),
        },
        folds=study.cut.folds,
        repeats=study.cut.repeats,
        protocol=pair.protocol,
    )
    return replace(verdict, sentence=sentence(verdict, facts))
