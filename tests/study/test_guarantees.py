"""The promises of verdicts, held against simulated studies and real training.

Everything is drawn from fixed seeds and decided by the library's own code, many studies at once.
Limits are one-sided and 4 Monte Carlo standard errors wide, so that another seed hardly ever fails.
The rates that naive practice reaches show that the tests could fail.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bakeoff.core.cell import Replicate
from bakeoff.study.cross_validation import Cut, FoldPair, FoldScore, judge_folds
from bakeoff.study.looks import FamilyResult, judge_looks, plan_looks
from bakeoff.study.statistics import (
    Ahead,
    Spreads,
    half_width,
    measure,
    price_of_deciding,
)

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Signs = NDArray[np.int8]


def limit(level: float, count: int) -> float:
    """A level and 4 Monte Carlo standard errors."""
    return level + 4 * math.sqrt(level * (1 - level) / count)


# 1. A null with teeth: recipes equal on the population of examples, unequal on every sample.


def null_studies(
    rng: np.random.Generator, count: int, n: int, m: int
) -> Iterator[tuple[Spreads, Signs]]:
    """Right(A, s, i) = [4.5 + u_i + x_i + k_s + N(0, 1) > 0], in blocks of some studies."""
    block = max(1, 2_000_000 // (n * m))

    def normal(deviation: float, *shape: int) -> Singles:
        return np.float32(deviation) * rng.standard_normal(shape, dtype=np.float32)

    for start in range(0, count, block):
        size = min(block, count - start)
        shared = np.float32(4.5) + normal(3, size, 1, m)
        first, second = (
            shared + normal(1, size, 1, m) + normal(0.1, size, n, 1) + normal(1, size, n, m) > 0
            for _ in range(2)
        )
        values = first.astype(np.int8) - second.astype(np.int8)
        yield measure(values.mean(axis=-1), values, invented=1.0), values


@pytest.mark.parametrize("m", [500, 2000])
@pytest.mark.parametrize("n", [3, 5, 10])
def test_1_no_difference_is_seldom_called_one(n: int, m: int) -> None:
    rng = np.random.default_rng([1, n, m])
    claims = 0
    for spreads, _ in null_studies(rng, 2000, n, m):
        claims += int((np.abs(spreads.difference) > half_width(spreads, 0.05)).sum())
    assert claims / 2000 <= 0.07


def test_1_seeds_alone_and_pooled_mcnemar_call_it_one_too_often() -> None:
    by_seeds, by_mcnemar = 0, 0
    for spreads, values in null_studies(np.random.default_rng(1), 2000, 5, 1000):
        h = stats.t.isf(0.025, 4) * np.sqrt(spreads.seed_variance / 5)
        by_seeds += int((np.abs(spreads.difference) > h).sum())
        ahead, behind = ((values == sign).sum(axis=(1, 2)) for sign in (1, -1))
        p = 2 * stats.binom.cdf(np.minimum(ahead, behind), ahead + behind, 0.5)
        by_mcnemar += int((p < 0.05).sum())
    assert by_seeds / 2000 >= 0.10
    assert by_mcnemar / 2000 >= 0.15


# 2. and 3. Gaussian grid: the spreads' own distributions, for mixes of the three variances.

SIZES = (0.0, 0.2, 1.0, 3.0)
# 16 of the 64 mixes (v_S, v_X/m, v_R/m), each pair of any two of them once (a Latin square).
MIXES = [(SIZES[i], SIZES[j], SIZES[(i + j + 1) % 4]) for i in range(4) for j in range(4)]
DRAWS = 100_000
EXAMPLES = 100


def gaussian(
    rng: np.random.Generator, mix: tuple[float, float, float], n: int, truth: float = 0.0
) -> Spreads:
    """DRAWS studies of normal differences: mean squares are independent chi-squares."""
    m = EXAMPLES
    of_seeds, of_examples, residual = mix[0], mix[1] * m, mix[2] * m

    def mean_square(variance: float, freedom: int) -> Floats:
        return variance * rng.chisquare(freedom, DRAWS) / freedom

    return Spreads(
        difference=truth + deviation(mix, n) * rng.standard_normal(DRAWS),
        seed_variance=mean_square(of_seeds + residual / m, n - 1),
        example_variance=mean_square(of_examples + residual / n, m - 1),
        residual_variance=mean_square(residual, (n - 1) * (m - 1)),
        seed_count=n,
        example_count=m,
    )


def deviation(mix: tuple[float, float, float], n: int) -> float:
    """The true standard deviation of d."""
    return math.sqrt(mix[0] / n + mix[1] + mix[2] / n)


@pytest.mark.parametrize("mix", MIXES)
def test_2_intervals_err_as_seldom_as_they_say_and_are_not_wide(
    mix: tuple[float, float, float],
) -> None:
    rng = np.random.default_rng([2, *(int(10 * part) for part in mix)])
    for n in range(2, 11):
        spreads = gaussian(rng, mix, n)
        for level in (0.05, 0.005, 0.0005):
            error = (np.abs(spreads.difference) > half_width(spreads, level)).mean()
            assert error <= limit(level, DRAWS), (n, level)
    known = stats.norm.isf(0.025) * deviation(mix, 10)
    assert half_width(spreads, 0.05).mean() <= 1.25 * known


@pytest.mark.parametrize("mix", MIXES)
def test_3_what_differs_by_the_margin_is_seldom_equivalent(
    mix: tuple[float, float, float],
) -> None:
    rng = np.random.default_rng([3, *(int(10 * part) for part in mix)])
    for n in (2, 3, 5, 10):
        for times in (2, 5, 20):
            margin = times * deviation(mix, n)
            spreads = gaussian(rng, mix, n, truth=margin)
            # p_equivalence <= 0.05 is h(0.10) <= margin - |d|.
            called = half_width(spreads, 0.10) <= margin - np.abs(spreads.difference)
            assert called.mean() <= limit(0.05, DRAWS), (n, times)


# 4. Looks and racing: three variants against one control, in points.

STUDIES = 6000
MARGIN = 5.0


def raced(rng: np.random.Generator, points: list[float], m: int = 30) -> Floats:
    """(1000, K, 20, m) differences of K variants from one control; seeds matter most."""
    shape = (1000, len(points) + 1)

    def normal(size: float, *rest: int) -> Singles:
        return np.float32(size) * rng.standard_normal((*shape, *rest), dtype=np.float32)

    level = np.array([0.0, *points], np.float32)[:, None, None]
    values = level + normal(2, 20, 1) + normal(0.1, 1, m) + normal(0.1, 20, m)
    return np.asarray(values[:, 1:] - values[:, :1], np.float64)


def stepped(spreads: Spreads, room: Floats, levels: set[float]) -> Floats:
    """p-values rounded up to the levels that Holm asks for: they decide alike."""
    p = np.ones(room.shape)
    for level in sorted(levels, reverse=True):
        p = np.where(half_width(spreads, level) <= room, level, p)
    return p


def judged(seeds: object, points: list[float]) -> tuple[FamilyResult, FamilyResult, Floats]:
    """Both families over all looks of 6,000 studies, and whether peeking at pair 0 claims."""
    plan, rng = plan_looks(seeds), np.random.default_rng([4, *map(int, points)])
    thirds = {level / k for level in plan.levels for k in (1, 2, 3)}
    differ, agree, peeks = [], [], []
    for _ in range(STUDIES // 1000):
        values = raced(rng, points)
        looks = [values[:, :, :size] for size in plan.sizes]
        spreads = [measure(look.mean(axis=-1), look) for look in looks]
        far = [np.abs(look.difference) for look in spreads]
        differ.append(
            np.stack([stepped(s, d, thirds) for s, d in zip(spreads, far, strict=True)], axis=1)
        )
        doubled = {2 * level for level in thirds}
        near = [stepped(s, MARGIN - d, doubled) / 2 for s, d in zip(spreads, far, strict=True)]
        agree.append(np.stack(near, axis=1))
        naive = [d > half_width(s, 0.05) for s, d in zip(spreads, far, strict=True)]
        peeks.append(np.any(naive, axis=0)[:, 0])
    difference, equivalence = (judge_looks(np.concatenate(p), plan.levels) for p in (differ, agree))
    return difference, equivalence, np.concatenate(peeks)


@pytest.mark.parametrize("seeds", [5, {"race": True}], ids=["looks", "race"])
def test_4_looks_spend_no_more_than_they_say(seeds: object) -> None:
    allowed = 0.061
    difference, _, _ = judged(seeds, [0.0, 0.0, 0.0])
    assert (difference.rejected_at > 0).any(axis=1).mean() <= allowed
    # Two variants like the control, one 5 points off: that is the margin, so not equivalent.
    difference, equivalence, _ = judged(seeds, [0.0, 0.0, 5.0])
    assert (difference.rejected_at[:, :2] > 0).any(axis=1).mean() <= allowed
    assert (equivalence.rejected_at[:, 2] > 0).mean() <= allowed
    # And they do find what is there.
    assert (difference.rejected_at[:, 2] > 0).mean() >= 0.9


def test_4_naive_peeking_spends_more() -> None:
    _, _, peeked = judged({"race": True}, [0.0, 0.0, 0.0])
    assert peeked.mean() >= 0.12


# 5. and 7. Real training: logistic models that see one half of the columns each.

HALVES = ([*range(10), 20], [*range(10, 20), 20])


def signed_examples(rng: np.random.Generator, *shape: int) -> Singles:
    """(..., 21) float32: 20 symmetric Gaussian columns and a constant, times the label.

    Label y = -1 or 1, column ~ N(0.3 y, 1). A model with weights w is right where its product with
    the signed example is positive.
    """
    label = rng.choice(np.array([-1, 1], np.float32), shape)[..., None]
    columns = rng.standard_normal((*shape, 20), dtype=np.float32) + np.float32(0.3) * label
    return np.concatenate([columns * label, label], axis=-1)


def train(rng: np.random.Generator, data: Singles, seeds: int) -> list[Singles]:
    """Two recipes' weights, each (studies, seeds, 11), by 40 steps of SGD.

    Each seed has its own carve (80 % of the data), batch order and initial values; both recipes
    share carve and batches.
    """
    studies, count, _ = data.shape
    weights = [
        np.float32(0.3) * rng.standard_normal((studies, seeds, 11), dtype=np.float32)
        for _ in HALVES
    ]
    order = np.broadcast_to(np.arange(count), (studies, seeds, count))
    carve = rng.permuted(order, axis=-1)[..., : int(0.8 * count)]
    for _ in range(40):
        place = rng.integers(carve.shape[-1], size=(studies, seeds, 20))
        chosen = np.take_along_axis(carve, place, axis=-1)
        batch = data[np.arange(studies)[:, None, None], chosen]
        for half, w in zip(HALVES, weights, strict=True):
            seen = batch[..., half]
            share = 1 / (1 + np.exp(np.einsum("skbf,skf->skb", seen, w)))
            w += np.float32(0.5 / 20) * np.einsum("skb,skbf->skf", share, seen)
    return weights


def population_accuracy(
    rng: np.random.Generator, weights: list[Singles], examples: int
) -> list[Floats]:
    """Accuracies, each (models,), on fresh examples; weights (models, 11)."""
    right = [np.zeros(len(w), np.int64) for w in weights]
    for _ in range(examples // 2000):
        fresh = signed_examples(rng, 2000)
        for count, half, w in zip(right, HALVES, weights, strict=True):
            count += np.count_nonzero(w @ fresh[:, half].T > 0, axis=-1)
    return [count / examples for count in right]


@pytest.mark.slow
def test_5_the_interval_covers_the_truth_of_real_training() -> None:
    studies, n, m, fresh_seeds = 300, 5, 500, 20
    rng = np.random.default_rng(5)
    weights = train(rng, signed_examples(rng, studies, 200), n + fresh_seeds)
    test = signed_examples(rng, studies, m)
    first, second = (
        (np.einsum("smf,skf->skm", test[..., half], w[:, :n]) > 0).astype(np.int8)
        for half, w in zip(HALVES, weights, strict=True)
    )
    spreads = measure((first - second).mean(axis=-1), first - second, invented=1.0)
    fresh = [w[:, n:].reshape(-1, 11) for w in weights]
    one, other = population_accuracy(rng, fresh, 100_000)
    truth = (one - other).reshape(studies, fresh_seeds).mean(axis=1)
    covered = np.abs(spreads.difference - truth) <= half_width(spreads, 0.05)
    assert covered.mean() >= 0.90


def fold_scores(rng: np.random.Generator, data: Singles, k: int, repeats: int) -> list[Floats]:
    """Accuracies of two least-squares models, each (studies, repeats * k)."""
    studies, count, _ = data.shape
    found: list[list[Floats]] = [[], []]
    for _ in range(repeats):
        order = rng.permuted(np.broadcast_to(np.arange(count), (studies, count)), axis=-1)
        folds = np.take_along_axis(data, order[..., None], axis=1).astype(np.float64)
        folds = folds.reshape(studies, k, count // k, 21)
        for accuracies, half in zip(found, HALVES, strict=True):
            seen = folds[..., half]
            squares = np.einsum("skma,skmb->skab", seen, seen)
            sums = seen.sum(axis=2)
            w = np.linalg.solve(
                squares.sum(axis=1, keepdims=True) - squares,
                (sums.sum(axis=1, keepdims=True) - sums)[..., None],
            )
            accuracies.append(((seen @ w)[..., 0] > 0).mean(axis=-1))
    return [np.concatenate(accuracies, axis=1) for accuracies in found]


def judged_folds(scores: tuple[Floats, Floats], k: int, repeats: int) -> str:
    """The outcome of one study of two recipes, each (repeats * k,) fold scores."""
    cut = Cut(k, repeats, (0,))
    a, b = (
        {
            Replicate(seed=0, repeat=repeat, fold=fold): FoldScore(float(score), 200 // k, "")
            for (repeat, fold), score in zip(cut.every, of_folds, strict=True)
        }
        for of_folds in scores
    )
    pair = FoldPair("first", "second", "fold/accuracy", a, b)
    return judge_folds([pair], cut=cut, margin=0.0)[0].outcome


@pytest.mark.parametrize(("k", "repeats"), [(5, 1), (10, 1), (5, 10)])
def test_7_cross_validation_errs_seldom(k: int, repeats: int) -> None:
    rng = np.random.default_rng([7, k, repeats])
    blocks = [fold_scores(rng, signed_examples(rng, 250, 200), k, repeats) for _ in range(4)]
    first, second = (np.concatenate([block[i] for block in blocks]) for i in range(2))
    outcomes = [judged_folds(pair, k, repeats) for pair in zip(first, second, strict=True)]
    claims = sum(outcome in ("better", "worse") for outcome in outcomes)
    assert set(outcomes) >= {"better", "worse", "undecided"}
    assert claims / len(outcomes) <= 0.08
    if repeats > 1:
        differences = first - second
        far = np.abs(differences.mean(axis=1))
        count = k * repeats
        naive = stats.t.isf(0.025, count - 1) * differences.std(axis=1, ddof=1) / math.sqrt(count)
        assert (far > naive).mean() >= 0.30


# 8. Plans, in units of the true difference; no residual, so that seeds can be added one by one.


def undecided(count: int) -> Iterator[Callable[[int], Spreads]]:
    """Studies with d = 1 that look 1 (5 seeds, level 0.03) left undecided, as functions of n."""
    rng, m = np.random.default_rng(8), 500
    for _ in range(count):
        of_seeds = math.sqrt(0.5) * rng.standard_normal(2000)
        offset = 1 + math.sqrt(5 / m) * rng.standard_normal()
        of_examples = 5 * rng.chisquare(m - 1) / (m - 1)

        def study(
            n: int,
            of_seeds: Floats = of_seeds,
            offset: float = offset,
            of_examples: float = of_examples,
        ) -> Spreads:
            chosen = of_seeds[:n]
            a = np.asarray
            mean, variance = offset + chosen.mean(), chosen.var(ddof=1)
            return Spreads(a(mean), a(variance), a(of_examples), a(0.0), n, m)

        first = study(5)
        if abs(float(first.difference)) <= half_width(first, 0.03):
            yield study


def test_8_plans_are_told_and_decide() -> None:
    ahead = Ahead(looks=(10, 20), level=0.01, last_look=20, last_level=0.01)
    asked, told, decided = 0, 0, 0
    for study in undecided(600):
        asked += 1
        price = price_of_deciding(study(5), 0.1, ahead)
        if price.seeds is not None:
            told += 1
            after = study(price.seeds[0])
            decided += bool(abs(after.difference) >= half_width(after, 0.01))
    assert asked >= 200
    assert told / asked >= 0.80
    assert decided / told >= 0.70


# 9. What is not promised: a failure of few seeds that none of those run has shown.


def test_9_a_rare_collapse_that_no_seed_shows_is_not_covered() -> None:
    """The limit that docs/verdicts.md names: A is at 0.70 or, one seed of ten, at 0.10; B at 0.64.

    Their means are equal, but three or five seeds mostly show A ahead by the same every time.
    """
    rng, count, m = np.random.default_rng(9), 400, 2000
    for n, least in ((3, 0.4), (20, 0.0)):
        scores = np.where(rng.random((count, n)) < 0.1, 0.10, 0.70)
        values = (rng.random((count, n, m)) < scores[..., None]).astype(np.int8)
        values -= (rng.random((count, n, m)) < 0.64).astype(np.int8)
        spreads = measure(values.mean(axis=-1), values, invented=1.0)
        falsely = np.abs(spreads.difference) > half_width(spreads, 0.05)
        assert falsely.mean() >= least
        assert n < 20 or falsely.mean() < 0.25
