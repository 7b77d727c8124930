"""Judging all comparisons of a study together: from predictions to verdicts.

A verdict is about two recipes as set, trained on this training set, averaged over seeds, on new
examples drawn like the test examples. `judge` is a pure function of the predictions: it replays
every look of the plan from the first seeds on, so that an outcome once reached stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.measures import bare, measure_of
from bakeoff.core.metrics import JACKKNIFED, Floats
from bakeoff.core.record import Seconds
from bakeoff.core.table import Table
from bakeoff.core.tasks import metric_owner
from bakeoff.study import statistics
from bakeoff.study.looks import FamilyResult, LookPlan, judge_looks
from bakeoff.study.sentences import Circumstances, Outcome, Range, Verdict, sentence
from bakeoff.study.statistics import Spreads

__all__ = ["PairInput", "Scored", "Verdict", "judge"]

Role = Literal["planned", "late", "secondary"]

LEAST_SEEDS = 3
LEAST_EXAMPLES = 30
LEAST_PER_CLASS = 10


@dataclass(frozen=True)
class Scored:
    """One recipe's test predictions at one seed.

    Attributes:
        labels: (m,) integers from 0; of regression the targets, of texts their words, float64.
        predictions: (m,) integers from 0; of regression numbers, of texts nats, float64.
        label_probabilities: (m,) floats in [0, 1]: given to the true label; of classes alone.
        groups: (m,) of any type that sorts: examples of one group are not independent.
        train_seconds: None where they are no price (`Record.priced_seconds`).
        weights: (m,) the scored tokens of each text; of texts alone.
        bytes: (m,) those of each text; of texts alone.
        covered: (m,) their share that scored tokens stand for; of texts alone.
        diverged: Whether training broke off.
    """

    labels: NDArray[Any]
    predictions: NDArray[Any]
    label_probabilities: NDArray[np.floating[Any]] | None = None
    groups: NDArray[Any] | None = None
    train_seconds: Seconds | None = None
    weights: NDArray[np.float64] | None = None
    bytes: NDArray[np.float64] | None = None
    covered: NDArray[np.float64] | None = None
    diverged: bool = False

    @property
    def answers(self) -> Table:
        """As a task judges them."""
        columns = {
            "truth": self.labels,
            "prediction": self.predictions,
            "label_probability": self.label_probabilities,
            "weight": self.weights,
            "bytes": self.bytes,
            "covered": self.covered,
        }
        return Table({name: column for name, column in columns.items() if column is not None})


@dataclass(frozen=True)
class PairInput:
    """What is known of one pair of recipes.

    Attributes:
        a: The variant.
        b: The control.
        metric: `split/name`, e.g. `test/accuracy`.
        scored_a: The variant's predictions by seed.
        scored_b: The control's predictions by seed.
        level: Values of the crossed factors.
        role: `planned`: one of the K comparisons the plan corrects for, which alone may get an
            outcome. `late`: a recipe added after a test score was read. `secondary`: another
            metric, a slice, or the control again.
        seconds_per_seed: What one more seed of both takes, for the price of deciding.
        macs_ratio: Multiply-accumulates of a prediction, the variant's over the control's.
        protocol: What figures of texts were measured by.
    """

    a: str
    b: str
    metric: str
    scored_a: Mapping[int, Scored]
    scored_b: Mapping[int, Scored]
    level: Mapping[str, Any] = field(default_factory=dict)
    role: Role = "planned"
    seconds_per_seed: float | None = None
    macs_ratio: float | None = None
    protocol: str = ""

    @property
    def name(self) -> str:
        """The metric without its split."""
        return bare(self.metric)


def judge(pairs: Sequence[PairInput], *, plan: LookPlan, margin: float) -> tuple[Verdict, ...]:
    """The verdicts of a study, in the order of its pairs.

    Outcomes: `equivalent` where the corrected p_equivalence passes; else `better` or `worse` where
    the corrected p_value does; else `undecided`. The chance that any pair of the study is called
    better or worse falsely is at most 5 %, and so is that of calling any equivalent falsely.

    Args:
        pairs: All pairs of the study, those of every level of its factors included, and those
            that have no cell yet: leaving one out would correct for too few comparisons.
        plan: When the study may be judged.
        margin: Differences smaller than this do not matter; 0 rules equivalence out.

    Raises:
        InputError: where recipes were not scored on the same examples, for unknown metrics and a
            margin that is negative.
    """
    if not 0 <= margin < np.inf:
        raise InputError(f"margin: received {margin} (allowed: a number from 0)")
    compared = [_compare(pair, plan) for pair in pairs]
    planned = [entry for entry in compared if entry.in_plan]
    decisions = iter(_decide(planned, plan, margin))
    rows = []
    for entry in compared:
        decision = next(decisions) if entry.in_plan else _Decision(None)
        rows.append(_row(entry, decision, _Study(plan, margin, len(planned))))
    return tuple(rows)


@dataclass(frozen=True)
class _Study:
    plan: LookPlan
    margin: float
    comparison_count: int


@dataclass(frozen=True)
class _Decision:
    """What the looks came to for one pair."""

    look: int | None  # that decided, else the last reached; None: none was
    outcome: Outcome = "undecided"
    p_corrected: float | None = None


@dataclass(frozen=True)
class _Compared:
    """One pair's differences: seeds in plan order, those outside the plan behind them."""

    pair: PairInput
    seeds: tuple[int, ...]
    look: int  # the last one that the plan's first seeds reach; 0: none
    differences: Floats  # (n,) d_s
    values: Floats  # (n, m) D_si, or per group
    rarest: tuple[tuple[int, int], ...]  # (n,) test examples of the rarest class, and which;
    # () for metrics that do not look at classes

    @property
    def in_plan(self) -> bool:
        return self.pair.role == "planned"

    def flaw(self, seed_count: int) -> str | None:
        """Why the first seeds allow no outcome, or None."""
        if not np.isfinite(self.differences[:seed_count]).all():
            return f"{self.pair.name} of one of them is not finite"
        count = self.values.shape[1]
        if count < LEAST_EXAMPLES:
            what = "groups of test examples" if self.grouped else "test examples"
            return f"{count} {what}, at least {LEAST_EXAMPLES} are needed"
        # A jackknife takes a score for smooth, which it is not where few examples carry a class.
        if self.pair.name in JACKKNIFED:
            size, rarest = min(self.rarest[:seed_count])
            if size < LEAST_PER_CLASS:
                return (
                    f"class {rarest} has {size} test examples, {self.pair.name} needs at least "
                    f"{LEAST_PER_CLASS} of each"
                )
        if seed_count < LEAST_SEEDS:
            seeds = f"{seed_count} seed{'s' if seed_count > 1 else ''}"
            return f"{seeds}, at least {LEAST_SEEDS} are needed"
        return None

    def spreads(self, seed_count: int) -> Spreads:
        """Of the first seeds."""
        if not self.seeds:
            unknown = np.asarray(np.nan)
            return Spreads(unknown, unknown, unknown, unknown, 1, 1)
        values = self.values[:seed_count]
        largest = float(np.abs(values).max())
        if self.pair.name == "accuracy" and not self.grouped:
            largest = 1.0
        elif self.pair.name in ("accuracy", *JACKKNIFED):
            # No disagreement at all in predictions: as if one (average) group were all differing.
            largest = largest or 1.0
        return statistics.measure(self.differences[:seed_count], values, invented=largest)

    @property
    def grouped(self) -> bool:
        return any(scored.groups is not None for scored in self.pair.scored_a.values())


def _compare(pair: PairInput, plan: LookPlan) -> _Compared:
    """Pairs two recipes' values seed by seed."""
    seeds = _common_seeds(pair, plan)
    if not seeds:
        return _Compared(pair, (), 0, np.empty(0), np.empty((0, 0)), ())
    a, b = [pair.scored_a[seed] for seed in seeds], [pair.scored_b[seed] for seed in seeds]
    for scored in (*a, *b):
        _require_same_examples(pair, a[0], scored)
    values = np.array([_values(pair, x) - _values(pair, y) for x, y in zip(a, b, strict=True)])
    if a[0].groups is not None:
        values = statistics.group_values(values, a[0].groups)
    scores = [_score(pair, x) - _score(pair, y) for x, y in zip(a, b, strict=True)]
    sign = 1 if measure_of(pair.name).direction == "max" else -1
    planned = next((i for i, s in enumerate(plan.seeds) if s not in seeds), len(plan.seeds))
    pairs = zip(a, b, strict=True) if pair.name in JACKKNIFED else ()
    rarest = tuple(_rarest(x, y) for x, y in pairs)
    return _Compared(pair, seeds, plan.reached(planned), sign * np.array(scores), values, rarest)


def _common_seeds(pair: PairInput, plan: LookPlan) -> tuple[int, ...]:
    """The seeds to pair: those of the plan in its order, then others."""
    seeds = pair.scored_a.keys() & pair.scored_b.keys()
    inside = tuple(seed for seed in plan.seeds if seed in seeds)
    return inside + tuple(sorted(seeds - set(inside)))


def _require_same_examples(pair: PairInput, first: Scored, other: Scored) -> None:
    same = np.array_equal(first.labels, other.labels)
    if (first.groups is None) != (other.groups is None):
        same = False
    elif first.groups is not None and other.groups is not None:
        same = same and np.array_equal(first.groups, other.groups)
    if not same:
        raise InputError(f"{pair.a} and {pair.b}: not scored on the same examples in one order")


def _values(pair: PairInput, scored: Scored) -> Floats:
    return metric_owner(pair.name).example_values(pair.name, scored.answers)


def _score(pair: PairInput, scored: Scored) -> float:
    value = metric_owner(pair.name).value(pair.name, scored.answers)
    return measure_of(pair.name).judged(value)


def _rarest(a: Scored, b: Scored) -> tuple[int, int]:
    """The class with the fewest test examples, of those that occur or are predicted."""
    classes = np.unique(np.concatenate([a.labels, a.predictions, b.predictions]))
    sizes = np.bincount(a.labels, minlength=int(classes[-1]) + 1)[classes]
    return int(sizes.min()), int(classes[sizes.argmin()])


def _decide(planned: Sequence[_Compared], plan: LookPlan, margin: float) -> list[_Decision]:
    """Replays the looks for all planned pairs together."""
    looks = max([1, *(entry.look for entry in planned)])
    differs = np.ones((looks, len(planned)))
    agrees = differs.copy()
    for k, entry in enumerate(planned):
        for look, size in enumerate(plan.sizes[: entry.look]):
            if entry.flaw(size) is None:
                spreads = entry.spreads(size)
                differs[look, k] = statistics.p_value(spreads)
                agrees[look, k] = statistics.p_equivalence(spreads, margin)
    levels = plan.levels[:looks]
    families = judge_looks(differs, levels), judge_looks(agrees, levels)
    return [_decision(entry, k, plan, *families) for k, entry in enumerate(planned)]


def _decision(
    entry: _Compared, k: int, plan: LookPlan, difference: FamilyResult, equivalence: FamilyResult
) -> _Decision:
    """The first rejection decides; both at one look: equivalent."""
    if not entry.look:
        return _Decision(None)
    differs, agrees = int(difference.rejected_at[k]), int(equivalence.rejected_at[k])
    look = min((number for number in (differs, agrees) if number), default=entry.look)
    outcome: Outcome = "undecided"
    if agrees == look:
        outcome = "equivalent"
    elif differs == look:
        mean = entry.differences[: plan.sizes[look - 1]].mean()
        outcome = "better" if mean > 0 else "worse"
    return _Decision(look, outcome, float(difference.corrected[look - 1, k]))


def _obstacle(entry: _Compared, decision: _Decision, plan: LookPlan) -> tuple[str | None, bool]:
    """Why no outcome is allowed, or None; and whether the pair is exploratory."""
    if entry.pair.role == "late":
        return "one of the two was added or changed after a test score was read", True
    if entry.pair.role == "secondary":
        return "outside the study's question, which alone has outcomes", False
    if not entry.seeds:
        return "no seed in common", False
    if outside := [str(seed) for seed in entry.seeds if seed not in plan.seeds]:
        return f"seeds outside the plan: {', '.join(outside)}", True
    if decision.look is not None:
        return entry.flaw(plan.sizes[decision.look - 1]), False
    first = plan.seeds[: plan.sizes[0]]
    missing = [seed for seed in first if seed not in entry.seeds]
    # Cells may still be running; but later seeds without an earlier one are a choice.
    skipped = plan.seeds.index(missing[0]) < plan.seeds.index(entry.seeds[-1])
    reason = f"{len(first) - len(missing)} of the {len(first)} seeds of the first look are there"
    return f"{reason}{', not the first ones' if skipped else ''}", skipped


def _row(entry: _Compared, decision: _Decision, study: _Study) -> Verdict:
    """One pair's numbers, price and sentence."""
    pair, plan = entry.pair, study.plan
    reason, exploratory = _obstacle(entry, decision, plan)
    # Numbers are those the outcome was reached with; without a look, all there are.
    look = None if exploratory else decision.look
    count = len(entry.seeds)
    if look is not None:
        count = min(count, plan.sizes[look - 1])
    spreads = entry.spreads(count)
    ratio = statistics.cost_ratio(
        (a.train_seconds, pair.scored_b[seed].train_seconds)
        for seed, a in pair.scored_a.items()
        if seed in pair.scored_b
    )
    outcome = decision.outcome if reason is None else "undecided"
    price = statistics.Price(None, None, None)
    if reason is None and outcome == "undecided":
        price = statistics.price_of_deciding(spreads, study.margin, _ahead(decision, study))
    verdict = Verdict(
        a=pair.a,
        b=pair.b,
        level=pair.level,
        metric=pair.metric,
        difference=_known(float(spreads.difference)),
        ci95=_known_range(statistics.interval(spreads)),
        ci_this_test_set=_known_range(statistics.interval_this_test_set(spreads)),
        p_value=_known(statistics.p_value(spreads)),
        p_corrected=decision.p_corrected if reason is None else None,
        p_equivalence=None
        if pair.role == "secondary"
        else _known(statistics.p_equivalence(spreads, study.margin)),
        look=look,
        alpha_spent=None if look is None else plan.spent(look),
        outcome=outcome,
        exploratory=exploratory,
        cost_ratio=ratio and ratio.ratio,
        cost_ratio_ci95=ratio and ratio.ci95,
        macs_ratio=pair.macs_ratio,
        seeds_to_decide=price.seeds,
        examples_to_decide=price.examples,
        limited_by=price.limited_by,
        reason=reason,
    )
    facts = Circumstances(
        seed_count=count,
        comparison_count=study.comparison_count,
        look_count=len(plan.sizes),
        last_look=plan.sizes[-1],
        margin=study.margin,
        direction=measure_of(pair.name).direction,
        seconds_per_seed=pair.seconds_per_seed,
        diverged=_diverged(pair, entry.seeds[:count]),
        protocol=pair.protocol,
    )
    return replace(verdict, sentence=sentence(verdict, facts))


def _ahead(decision: _Decision, study: _Study) -> statistics.Ahead:
    """The looks to come; after the last, a new study's, at the last one's level."""
    plan, done = study.plan, decision.look or 0
    share = 1 / study.comparison_count
    return statistics.Ahead(
        looks=plan.sizes[done:],
        level=plan.levels[min(done, len(plan.levels) - 1)] * share,
        last_look=plan.sizes[-1],
        last_level=plan.levels[-1] * share,
    )


def _diverged(pair: PairInput, seeds: Sequence[int]) -> dict[str, int]:
    """How many of these seeds diverged, by recipe."""
    sides = ((pair.a, pair.scored_a), (pair.b, pair.scored_b))
    return {name: sum(s in scored and scored[s].diverged for s in seeds) for name, scored in sides}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _known_range(ends: Range) -> Range | None:
    return ends if np.isfinite(ends).all() else None
