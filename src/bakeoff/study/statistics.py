"""The statistics behind verdicts: spreads, intervals, p-values, corrections, prices.

Two recipes are compared over n seeds and m test examples, in pairs: d_s is the difference of their
scores at seed s, D_si that of their values on example i; positive = the first is better. Both
seeds and examples are samples, so both kinds of spread enter one interval.

What decides at a fixed level (`measure`, `half_width`, `holm`) takes arrays of comparisons, so
that the tests can hold its promises against many thousand simulated studies.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bakeoff.core.measures import bare, measure_of
from bakeoff.core.record import Seconds

Floats = NDArray[np.float64]

# No p-value is given as smaller; normal tails that far out mean nothing anyway.
SMALLEST_LEVEL = 1e-100
# A plan is made for this chance of deciding: 0.84 is the normal quantile of 80 %.
POWER_QUANTILE = 0.84
# A count no study reaches: stands for infinitely many seeds or examples.
_ENDLESS = 2**40


@dataclass(frozen=True)
class Spreads:
    """What the differences of one pair, or of many pairs at once, say about their spread.

    Array fields have the shape of the batch, () for a single pair; all are float64.

    Attributes:
        difference: d, the mean of d_s over seeds; positive = the first recipe is better.
        seed_variance: s_S^2, variance of d_s over seeds (ddof 1); NaN where n = 1.
        example_variance: s_E^2, variance of the seed means e_i over examples (ddof 1), two
            invented examples included.
        residual_variance: MS_R, the mean square of what neither seed nor example explains.
        seed_count: n.
        example_count: m; groups, where there are groups.
    """

    difference: Floats
    seed_variance: Floats
    example_variance: Floats
    residual_variance: Floats
    seed_count: int
    example_count: int

    @property
    def shared(self) -> Floats:
        """b: the variance of d that more seeds would not take away."""
        rest = self.example_variance - self.residual_variance / self.seed_count
        return np.asarray(np.maximum(0.0, rest) / self.example_count)


def measure(
    differences: Floats, values: NDArray[Any], *, invented: ArrayLike | None = None
) -> Spreads:
    """The spreads of paired differences: a two-way table, seeds by examples.

    Two examples with differences +r and -r are invented, so that "no disagreement seen" is not
    taken for "none possible". Source: Bonett and Price 2012, "Adjusted Wald confidence interval
    for a difference of binomial proportions based on paired data", who add one discordant pair
    each way; here for any values, and for their means over seeds.

    Args:
        differences: (..., n) d_s, differences of the scores.
        values: (..., n, m) D_si, differences of the values on each example.
        invented: r; by default the largest |D_si|.
    """
    n, m = values.shape[-2:]
    table = np.asarray(values, dtype=np.float64)
    r = np.abs(table).max(axis=(-2, -1)) if invented is None else np.asarray(invented)
    mean = table.mean(axis=(-2, -1))
    centred = table - mean[..., None, None]
    of_seeds, of_examples = centred.mean(axis=-1), centred.mean(axis=-2)
    squares = _sum_of_squares(of_examples)
    residual = (
        np.einsum("...si,...si->...", centred, centred)
        - m * _sum_of_squares(of_seeds)
        - n * squares
    )
    # The sum of squares of e_1..e_m, r and -r around their mean, which is mean*m/(m+2).
    spread = squares + 2 * r**2 + mean**2 * (2 * m / (m + 2))
    seed_variance = differences.var(axis=-1, ddof=1) if n > 1 else np.full(mean.shape, np.nan)
    return Spreads(
        difference=np.asarray(differences.mean(axis=-1)),
        seed_variance=np.asarray(seed_variance),
        example_variance=np.asarray(spread / (m + 1)),
        residual_variance=np.maximum(0.0, residual) / max(1, (n - 1) * (m - 1)),
        seed_count=n,
        example_count=m,
    )


def group_values(values: Floats, groups: NDArray[Any]) -> Floats:
    """Differences per group: D_sg = (groups / examples) * the sum of the group's D_si.

    Examples of one group (document, author, patient, duplicates) are not independent; groups are.

    Args:
        values: (n, m) D_si.
        groups: (m,) the group of each example, of any type that sorts.

    Returns:
        (n, G) float64; its row means are those of `values`.
    """
    names, place = np.unique(groups, return_inverse=True)
    sums = [np.bincount(place.ravel(), weights=row, minlength=len(names)) for row in values]
    return np.asarray(np.array(sums) * (len(names) / values.shape[1]), dtype=np.float64)


def half_width(spreads: Spreads, level: ArrayLike) -> Floats:
    """h(a), half the width of the interval around d at two-sided level a.

        h(a) = max(sqrt(tS^2 * s_S^2/n + tE^2 * b), tE * sqrt(s_E^2/m))

    The variance over seeds takes the t quantile of n-1 degrees of freedom, what examples add to it
    that of m-1: after Cochran and Cox 1957, who weight the quantiles, where we weight their
    squares. Never narrower than the examples alone demand, which is all where seeds change nothing.

    Args:
        spreads: Of a batch of comparisons.
        level: a in (0, 1], of a shape that broadcasts with the batch.

    Returns:
        h(a), NaN where there is one seed only.
    """
    of_examples = _t_quantile(level, spreads.example_count - 1)
    of_seeds = _t_quantile(level, spreads.seed_count - 1)
    both = of_seeds**2 * spreads.seed_variance / spreads.seed_count
    least = half_width_of_examples(spreads, level)
    return np.maximum(np.sqrt(both + of_examples**2 * spreads.shared), least)


def half_width_of_examples(spreads: Spreads, level: ArrayLike) -> Floats:
    """Half the width of the interval where seeds are none of its business: tE * sqrt(s_E^2/m)."""
    quantile = _t_quantile(level, spreads.example_count - 1)
    return np.asarray(quantile * np.sqrt(spreads.example_variance / spreads.example_count))


def interval(spreads: Spreads, level: float = 0.05) -> tuple[float, float]:
    """d +- h(level) of one comparison: new seeds and new examples."""
    d, h = float(spreads.difference), float(half_width(spreads, level))
    return d - h, d + h


def interval_this_test_set(spreads: Spreads, level: float = 0.05) -> tuple[float, float]:
    """d +- tS*s_S/sqrt(n): new seeds, these very examples (the paired t-interval).

    It says nothing about new examples and decides nothing; it is the one to lay beside a figure
    published for the same test set.
    """
    d = float(spreads.difference)
    quantile = _t_quantile(level, spreads.seed_count - 1)
    h = float(quantile * np.sqrt(spreads.seed_variance / spreads.seed_count))
    return d - h, d + h


def p_value(spreads: Spreads) -> float:
    """The level at which the interval of one comparison just reaches 0: h(p) = |d|."""
    return _level_of(spreads, abs(float(spreads.difference)))


def p_equivalence(spreads: Spreads, margin: float) -> float:
    """The level at which both |d| >= margin and |d| <= -margin are just refused.

    Source: Schuirmann 1987, two one-sided tests; each takes half of a two-sided level, so it is
    half the a with h(a) = margin - |d|, and 1 where |d| reaches the margin.
    """
    room = margin - abs(float(spreads.difference))
    return 1.0 if room <= 0 else _level_of(spreads, room) / 2


def holm(p_values: Floats, counted: NDArray[np.bool_] | None = None) -> Floats:
    """Corrected p-values of families of hypotheses (Holm 1979, step-down).

    Args:
        p_values: (..., K) one family along the last axis.
        counted: (..., K) which hypotheses belong to it; by default all.

    Returns:
        (..., K) float64, at most 1; NaN where not counted. A hypothesis is rejected at a level
        for the whole family where its corrected p-value does not exceed the level.
    """
    members = np.ones(p_values.shape, np.bool_) if counted is None else counted
    order = np.argsort(np.where(members, p_values, np.inf), axis=-1, kind="stable")
    ranked = np.take_along_axis(p_values, order, axis=-1)
    inside = np.take_along_axis(members, order, axis=-1)
    left = members.sum(axis=-1, keepdims=True) - np.arange(p_values.shape[-1])
    steps = np.maximum.accumulate(np.where(inside, ranked * left, 0.0), axis=-1)
    corrected = np.empty(p_values.shape)
    np.put_along_axis(corrected, order, np.where(inside, np.minimum(1.0, steps), np.nan), axis=-1)
    return corrected


class Price(NamedTuple):
    """What deciding would take: plans, not promises.

    Attributes:
        seeds: Fewest seeds in all: estimated, and for a seed variance at the upper end of its
            80 % range; None where no number of seeds helps.
        examples: Test examples missing at the last look; None where seeds decide, or where not
            even endlessly many examples help.
        limited_by: What there is too little of.
    """

    seeds: tuple[int, int] | None
    examples: int | None
    limited_by: Literal["seeds", "examples"] | None


@dataclass(frozen=True)
class Ahead:
    """What a study still may do: the looks to come and the level of each comparison at them.

    Attributes:
        looks: Seed counts of the looks not reached yet.
        level: A_next / K, where the next look's level is shared by all K comparisons.
        last_look: Seed count of the last look, reached or not.
        last_level: A_last / K.
    """

    looks: tuple[int, ...]
    level: float
    last_look: int
    last_level: float


def price_of_deciding(spreads: Spreads, margin: float, ahead: Ahead) -> Price:
    """The seeds, or else the test examples, with which one comparison is likely to be decided.

    Decided means that the interval leaves out 0, or fits into the margin, whichever there is more
    room for; likely, that room is left for 0.84 standard errors of d (a chance of about 80 %).
    """
    d = abs(float(spreads.difference))
    room = max(d, margin - d)
    sides = 1 if d >= margin - d else 2  # p_equivalence is half the level of its interval
    if room <= 0 or spreads.seed_count < 2:
        return Price(None, None, None)
    m, now, last = int(spreads.example_count), int(spreads.seed_count), ahead.last_look

    def enough(of: Spreads, seeds: int, examples: int, level: float) -> bool:
        return _reach(of, seeds, examples, level * sides) <= room

    def seeds_for(of: Spreads) -> int | None:
        found = _smallest(lambda seeds: enough(of, seeds, m, ahead.level), now + 1)
        return found and next((look for look in ahead.looks if look >= found), found)

    fewest = seeds_for(spreads)
    if fewest is not None:
        most = seeds_for(replace(spreads, seed_variance=_upper_variance(spreads)))
        return Price((fewest, most or fewest), None, "seeds")
    needed = _smallest(lambda count: enough(spreads, last, count, ahead.last_level), m + 1)
    return Price(None, None if needed is None else needed - m, "examples")


@dataclass(frozen=True)
class FoldSpread:
    """What differences per fold say about their spread.

    Source: Nadeau and Bengio 2003, "Inference for the generalization error", the corrected
    resampled t: training sets overlap, so the variance of J folds' mean is not s^2/J but about
    s^2 * (1/J + 1/(k-1)), test size over training size being 1/(k-1). Approximate. It speaks about
    new training sets of (k-1)/k of the data.

    Args:
        values: (..., J) per fold, seeds averaged inside a fold; J = repeats * k, at least 2.
        fold_count: k.
    """

    values: Floats
    fold_count: int

    @property
    def mean(self) -> Floats:
        """(...,) of the folds."""
        return np.asarray(self.values.mean(axis=-1))

    @property
    def error(self) -> Floats:
        """(...,) the corrected standard error of the mean."""
        scale = math.sqrt(1 / self.values.shape[-1] + 1 / (self.fold_count - 1))
        return np.asarray(self.values.std(axis=-1, ddof=1) * scale)

    def half_width(self, level: ArrayLike) -> Floats:
        """Half the width of the interval at a two-sided level a in (0, 1]."""
        return np.asarray(_t_quantile(level, self.values.shape[-1] - 1) * self.error)

    def interval(self, level: float = 0.05) -> tuple[float, float]:
        """The mean of one row of folds with its half-width on either side."""
        mean, h = float(self.mean), float(self.half_width(level))
        return mean - h, mean + h

    def p_value(self) -> float:
        """The level at which the interval of one row of folds just reaches 0."""
        return self._level_of(abs(float(self.mean)))

    def p_equivalence(self, margin: float) -> float:
        """Half the level at which the interval just fits into the margin: two one-sided tests."""
        room = margin - abs(float(self.mean))
        return 1.0 if room <= 0 else self._level_of(room) / 2

    def _level_of(self, room: float) -> float:
        """The level a with half_width(a) = room, within [SMALLEST_LEVEL, 1]."""
        from scipy.special import stdtr

        if not float(self.error):
            return 1.0 if room == 0 else SMALLEST_LEVEL
        level = float(2 * stdtr(self.values.shape[-1] - 1, -room / float(self.error)))
        return max(SMALLEST_LEVEL, level)


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> float:
    """McNemar's exact p-value for two saved models on the same examples.

    It speaks of these two models, not of the recipes that made them. Never pool it over seeds: the
    same examples would count n times.

    Args:
        right_a: (m,) whether the first model is right.
        right_b: (m,) whether the second is.
    """
    from scipy.stats import binomtest

    first, second = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return float(binomtest(first, first + second, 0.5).pvalue) if first + second else 1.0


def mean_interval(values: Sequence[float], level: float = 0.05) -> tuple[float, float] | None:
    """The t-interval of one recipe's mean score over seeds, on these test examples; None for one.

    Args:
        values: n scores, one per seed.
        level: a; 0.05 gives the 95 % interval.
    """
    n = len(values)
    if n < 2:
        return None
    centre, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    h = float(_t_quantile(level, n - 1)) * sd / math.sqrt(n)
    return centre - h, centre + h


def noise_floor(sd: float, seed_count: int) -> float:
    """The difference that the mean of n seeds against n others exceeds by chance in 5 % of cases.

    Args:
        sd: Standard deviation of the control's score over seeds.
        seed_count: n, at least 2.
    """
    return float(_t_quantile(0.05, seed_count - 1)) * sd * math.sqrt(2 / seed_count)


class CostRatio(NamedTuple):
    """How many times the first recipe's time the second's is, with its 95 % interval."""

    ratio: float
    ci95: tuple[float, float] | None  # None for one seed


def cost_ratio(seconds: Iterable[tuple[Seconds | None, Seconds | None]]) -> CostRatio | None:
    """Geometric mean of the ratios a/b over seeds, with a t-interval on their logarithms.

    Args:
        seconds: Of both recipes' cells with one seed; None where they are no price. A pair without
            both, or measured on different machines or devices, is left out.

    Returns:
        None where nothing is left.
    """
    measured = [
        (a.value, b.value) for a, b in seconds if a and b and a.measured_on == b.measured_on
    ]
    if not measured:
        return None
    of_a, of_b = (np.array(column, np.float64) for column in zip(*measured, strict=True))
    logs = np.log(of_a) - np.log(of_b)
    n, centre = len(logs), float(logs.mean())
    if n < 2:
        return CostRatio(math.exp(centre), None)
    h = float(_t_quantile(0.05, n - 1)) * float(logs.std(ddof=1)) / math.sqrt(n)
    return CostRatio(math.exp(centre), (math.exp(centre - h), math.exp(centre + h)))


def default_margin(metric: str, control_validation_value: float) -> float:
    """The difference that does not matter, where a study declares none.

    A tenth of the control's validation error and at most 1 point (accuracy, F1); 0.03 (Matthews);
    5 % of the control's validation loss (R2: of the share of the variance that it leaves
    unexplained); 1 % (perplexities, whose differences are logarithms, as those of nats are).

    Args:
        metric: Its name, with or without the split (`test/accuracy`).
        control_validation_value: The metric of the control on validation data, never on test.

    Raises:
        InputError: where no task knows the metric.
    """
    measure = measure_of(metric)
    if measure.scale == "share":
        return min(0.01, max(0.0, 1 - control_validation_value) / 10)
    if measure.scale in ("factor", "nats"):
        return math.log(1.01)
    if bare(metric) == "matthews_corrcoef":
        return 0.03
    if measure.direction == "max":
        return 0.05 * (1 - control_validation_value)
    return 0.05 * control_validation_value


def _sum_of_squares(values: Floats) -> Floats:
    return np.asarray(np.einsum("...i,...i->...", values, values))


def _t_quantile(level: ArrayLike, freedom: float) -> Floats:
    """`scipy.stats.t.isf(level / 2, freedom)`, a hundred times faster on single numbers."""
    from scipy.special import stdtrit

    return np.asarray(-stdtrit(freedom, np.asarray(level) / 2))


def _level_of(spreads: Spreads, room: float) -> float:
    """The level a with h(a) = room, within [SMALLEST_LEVEL, 1]; NaN where there is no h."""
    from scipy.optimize import brentq

    def excess(log_level: float) -> float:
        return float(half_width(spreads, math.exp(log_level))) - room

    lowest = math.log(SMALLEST_LEVEL)
    if math.isnan(excess(0.0)):
        return math.nan
    if room <= 0:
        return 1.0
    if excess(lowest) <= 0:
        return SMALLEST_LEVEL
    return math.exp(float(brentq(excess, lowest, 0.0, xtol=1e-12)))


def _reach(spreads: Spreads, seeds: int, examples: int, level: float) -> float:
    """h' + 0.84*SE', had there been that many seeds and examples."""
    m = spreads.example_count
    residual = float(spreads.residual_variance)
    of_seeds = max(0.0, float(spreads.seed_variance) - residual / m)
    of_examples = m * float(spreads.shared)
    planned = Spreads(
        difference=spreads.difference,
        seed_variance=np.asarray(of_seeds + residual / examples),
        example_variance=np.asarray(of_examples + residual / seeds),
        residual_variance=spreads.residual_variance,
        seed_count=seeds,
        example_count=examples,
    )
    error = of_seeds / seeds + of_examples / examples + residual / (seeds * examples)
    return float(half_width(planned, level)) + POWER_QUANTILE * math.sqrt(error)


def _upper_variance(spreads: Spreads) -> Floats:
    """The upper end of s_S^2: exceeded by the true variance in 20 % of cases."""
    from scipy.special import chdtri

    freedom = spreads.seed_count - 1
    return np.asarray(freedom * spreads.seed_variance / chdtri(freedom, 0.8))


def _smallest(enough: Callable[[int], bool], start: int) -> int | None:
    """The smallest count from `start` that is enough, more being always enough too; or None."""
    if not enough(_ENDLESS):
        return None
    low, high = start - 1, start
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
