"""The statistics against their formulas, SciPy and worked numbers."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bakeoff.core.errors import InputError
from bakeoff.core.record import Seconds
from bakeoff.study import statistics
from bakeoff.study.statistics import Ahead, FoldSpread, Price, Spreads

Floats = NDArray[np.float64]


def table(n: int = 5, m: int = 200, seed: int = 0, shift: float = 0.0) -> Floats:
    """(n, m) differences with spread over seeds, over examples and beyond both."""
    rng = np.random.default_rng(seed)
    seeds, examples = rng.normal(0, 0.1, (n, 1)), rng.normal(0, 0.5, (1, m))
    values: Floats = shift + seeds + examples + rng.normal(0, 1, (n, m))
    return values


def measured(values: Floats, **options: Any) -> Spreads:
    return statistics.measure(values.mean(axis=-1), values, **options)


def test_spreads_follow_their_definitions() -> None:
    values = table()
    n, m = values.shape
    spreads = measured(values, invented=2.5)
    e = values.mean(axis=0)
    rest = values - values.mean(axis=1, keepdims=True) - e + values.mean()
    assert spreads.difference == pytest.approx(values.mean())
    assert spreads.seed_variance == pytest.approx(values.mean(axis=1).var(ddof=1))
    assert spreads.example_variance == pytest.approx(np.append(e, [2.5, -2.5]).var(ddof=1))
    assert spreads.residual_variance == pytest.approx((rest**2).sum() / ((n - 1) * (m - 1)))
    b = (spreads.example_variance - spreads.residual_variance / n) / m
    assert spreads.shared == pytest.approx(max(0, b))


def test_the_invented_examples_are_as_large_as_the_largest_difference() -> None:
    values = table()
    by_hand = measured(values, invented=np.abs(values).max())
    assert measured(values).example_variance == by_hand.example_variance


def test_spreads_of_many_pairs_are_those_of_each() -> None:
    batch = np.stack([table(seed=seed) for seed in range(6)]).reshape(2, 3, 5, 200)
    whole = measured(batch)
    levels = np.array([0.05, 0.01, 0.001])
    for index in np.ndindex(2, 3):
        one = measured(batch[index])
        for name in ("difference", "seed_variance", "example_variance", "residual_variance"):
            assert getattr(whole, name)[index] == pytest.approx(getattr(one, name))
        expected = statistics.half_width(one, levels[index[1]])
        assert statistics.half_width(whole, levels)[index] == pytest.approx(expected)


@pytest.mark.parametrize("level", [0.05, 0.003, 1e-9])
def test_half_width_follows_its_formula(level: float) -> None:
    spreads = measured(table())
    n, m = 5, 200
    of_seeds, of_examples = stats.t.isf(level / 2, n - 1), stats.t.isf(level / 2, m - 1)
    both = of_seeds**2 * spreads.seed_variance / n + of_examples**2 * spreads.shared
    least = of_examples * math.sqrt(spreads.example_variance / m)
    expected = max(math.sqrt(both), least)
    assert statistics.half_width(spreads, level) == pytest.approx(expected)
    assert statistics.half_width_of_examples(spreads, level) == pytest.approx(least)


def test_the_examples_alone_set_the_least_width() -> None:
    """Seeds that happen to agree do not make the interval narrower than the examples allow."""
    a = np.asarray
    spreads = Spreads(a(0.0), a(1e-9), a(4.0), a(1e6), 5, 400)
    assert spreads.shared == 0
    least = stats.t.isf(0.025, 399) * math.sqrt(4.0 / 400)
    assert statistics.half_width(spreads, 0.05) == pytest.approx(least)


def test_p_value_is_the_level_whose_interval_reaches_zero() -> None:
    for shift in (0.05, 0.2, 1.0):
        spreads = measured(table(shift=shift))
        p = statistics.p_value(spreads)
        assert statistics.half_width(spreads, p) == pytest.approx(abs(spreads.difference), rel=1e-9)
        low, high = statistics.interval(spreads, p)
        assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-9)


def test_p_value_follows_seeds_alone_where_examples_do_not_differ() -> None:
    differences = np.array([0.3, 0.5, 0.2, 0.6])
    values = np.tile(differences[:, None], 1000)
    spreads = statistics.measure(differences, values, invented=0.0)
    expected = stats.ttest_1samp(differences, 0).pvalue
    assert statistics.p_value(spreads) == pytest.approx(expected, rel=1e-4)


def test_p_equivalence_is_two_one_sided_tests() -> None:
    differences = np.array([0.3, -0.1, 0.2, 0.1])
    values = np.tile(differences[:, None], 1000)
    spreads = statistics.measure(differences, values, invented=0.0)
    upper = stats.ttest_1samp(differences, 0.6, alternative="less").pvalue
    lower = stats.ttest_1samp(differences, -0.6, alternative="greater").pvalue
    expected = max(upper, lower)
    assert statistics.p_equivalence(spreads, 0.6) == pytest.approx(expected, rel=1e-4)
    assert statistics.p_equivalence(spreads, abs(float(spreads.difference))) == 1
    assert statistics.p_equivalence(spreads, 0.0) == 1


def test_p_values_have_their_extremes() -> None:
    none = statistics.measure(np.zeros(3), np.zeros((3, 50)))
    assert statistics.p_value(none) == 1
    assert statistics.p_equivalence(none, 0.01) == statistics.SMALLEST_LEVEL / 2
    sure = statistics.measure(np.full(3, 1e9), table(3), invented=0.0)
    assert 0 < statistics.p_value(replace(sure, seed_variance=np.array(0.0))) < 1e-90


def test_one_seed_has_an_interval_of_examples_alone() -> None:
    values = table(1)
    open_end = measured(values)
    assert math.isnan(statistics.p_value(open_end))
    assert math.isnan(statistics.p_equivalence(open_end, 10.0))
    assert np.isnan(statistics.interval(open_end)).all()
    assert np.isnan(statistics.interval_this_test_set(open_end)).all()
    assert open_end.residual_variance == 0
    spread = np.append(values, [np.abs(values).max(), -np.abs(values).max()]).std(ddof=1)
    h = stats.t.isf(0.025, 199) * spread / math.sqrt(200)
    assert statistics.half_width_of_examples(open_end, 0.05) == pytest.approx(h)


def test_interval_of_this_test_set_is_the_paired_t_interval() -> None:
    a, b = np.random.default_rng(0).normal(0.8, 0.01, (2, 6))
    spreads = statistics.measure(a - b, np.zeros((6, 40)))
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert statistics.interval_this_test_set(spreads) == pytest.approx(tuple(expected))


def test_groups_weigh_by_their_size() -> None:
    values = table(3, 6)
    found = statistics.group_values(values, np.array(["b", "a", "b", "c", "a", "b"]))
    sums = [values[:, [1, 4]].sum(1), values[:, [0, 2, 5]].sum(1), values[:, 3]]
    np.testing.assert_allclose(found, np.stack(sums, axis=1) * 3 / 6)
    np.testing.assert_allclose(found.mean(axis=1), values.mean(axis=1))


def test_holm_follows_the_worked_example() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(statistics.holm(p), [0.03, 0.06, 0.06, 0.02])
    left = statistics.holm(p, np.array([True, True, False, True]))
    np.testing.assert_allclose(left, [0.02, 0.04, np.nan, 0.015])
    np.testing.assert_array_equal(statistics.holm(np.array([0.9, 0.8])), [1, 1])


def test_holm_takes_many_families() -> None:
    rng = np.random.default_rng(0)
    p, counted = rng.random((4, 5, 6)) ** 2, rng.random((4, 5, 6)) < 0.7
    whole = statistics.holm(p, counted)
    for index in np.ndindex(4, 5):
        np.testing.assert_array_equal(whole[index], statistics.holm(p[index], counted[index]))
        inside = statistics.holm(p[index][counted[index]])
        np.testing.assert_array_equal(whole[index][counted[index]], inside)


def spread_of(d: float, of_seeds: float, of_examples: float, n: int = 5, m: int = 1000) -> Spreads:
    """Spreads without residual: v_S = of_seeds, v_X = of_examples."""
    a = np.asarray
    return Spreads(a(d), a(of_seeds), a(of_examples), a(0.0), n, m)


AHEAD = Ahead(looks=(10, 20), level=0.01, last_look=20, last_level=0.01)


def test_price_in_seeds_is_rounded_up_to_a_look() -> None:
    found = statistics.price_of_deciding(spread_of(1.5, 1.0, 1e-6), 0.1, AHEAD)
    assert found.seeds is not None
    assert (found.seeds[0], found.examples, found.limited_by) == (10, None, "seeds")
    assert found.seeds[0] <= found.seeds[1]
    beyond = statistics.price_of_deciding(spread_of(0.5, 1.0, 1e-6), 0.1, AHEAD)
    assert beyond.seeds is not None
    assert beyond.seeds[0] > 20


@pytest.mark.parametrize("d", [0.5, 0.0])
def test_price_in_seeds_is_the_smallest_that_is_enough(d: float) -> None:
    """By the formula, without looks: h' + 0.84 * SE' <= w, twice the level for equivalence."""
    margin, level = 0.5, 0.01 * (1 if d else 2)
    ahead = replace(AHEAD, looks=())
    found = statistics.price_of_deciding(spread_of(d, 1.0, 20.0), margin, ahead)

    def reach(n: int) -> float:
        squares = stats.t.isf(level / 2, n - 1) ** 2 / n + stats.t.isf(level / 2, 999) ** 2 * 0.02
        return float(math.sqrt(squares) + 0.84 * math.sqrt(1 / n + 0.02))

    assert found.seeds is not None
    assert reach(found.seeds[0]) <= 0.5 < reach(found.seeds[0] - 1)
    upper = spread_of(d, 4 * 1.0 / stats.chi2.ppf(0.2, 4), 20.0)
    most = statistics.price_of_deciding(upper, margin, ahead).seeds
    assert most is not None
    assert most[0] == found.seeds[1]


def test_price_in_examples_where_no_number_of_seeds_helps() -> None:
    found = statistics.price_of_deciding(spread_of(0.02, 1e-5, 1.0), 0.005, AHEAD)
    assert (found.seeds, found.limited_by) == (None, "examples")
    assert found.examples is not None
    level, count = 0.01, 1000 + found.examples

    def reach(m: int) -> float:
        squares = (
            stats.t.isf(level / 2, 19) ** 2 * 1e-5 / 20 + stats.t.isf(level / 2, m - 1) ** 2 / m
        )
        return float(math.sqrt(squares) + 0.84 * math.sqrt(1e-5 / 20 + 1 / m))

    assert reach(count) <= 0.02 < reach(count - 1)


def test_price_where_neither_helps_alone_and_where_nothing_is_asked() -> None:
    both = spread_of(0.02, 1.0, 1.0)
    assert statistics.price_of_deciding(both, 0.005, AHEAD) == Price(None, None, "examples")
    nothing = Price(None, None, None)
    assert statistics.price_of_deciding(spread_of(0.0, 1.0, 1.0), 0.0, AHEAD) == nothing
    assert statistics.price_of_deciding(spread_of(0.0, 1.0, 1.0, n=1), 0.1, AHEAD) == nothing


def test_price_is_in_examples_where_no_seed_changes_anything() -> None:
    found = statistics.price_of_deciding(spread_of(0.02, 0.0, 1.0), 0.0, AHEAD)
    assert (found.seeds, found.limited_by) == (None, "examples")
    needed = ((stats.norm.isf(0.005) + 0.84) / 0.02) ** 2
    assert 1000 + (found.examples or 0) == pytest.approx(needed, rel=1e-3)


def test_fold_interval_is_the_corrected_resampled_t() -> None:
    differences = np.array([0.01, 0.03, 0.02, 0.05, 0.00])
    h = stats.t.isf(0.025, 4) * differences.std(ddof=1) * math.sqrt(1 / 5 + 1 / 4)
    spread = FoldSpread(differences, 5)
    assert spread.half_width(0.05) == pytest.approx(h)
    assert spread.half_width(spread.p_value()) == pytest.approx(abs(differences.mean()))
    low, high = spread.interval()
    assert (low + high) / 2 == pytest.approx(differences.mean())
    assert (high - low) / 2 == pytest.approx(h)


def test_folds_that_never_differ() -> None:
    assert FoldSpread(np.zeros(5), 5).p_value() == 1
    assert FoldSpread(np.full(5, 0.5), 5).p_value() == statistics.SMALLEST_LEVEL
    assert FoldSpread(np.zeros(5), 5).p_equivalence(0.01) == statistics.SMALLEST_LEVEL / 2
    assert FoldSpread(np.zeros(5), 5).p_equivalence(0.0) == 1


def test_folds_are_equivalent_where_twice_the_level_fits_into_the_margin() -> None:
    spread = FoldSpread(np.random.default_rng(3).normal(0.002, 0.004, 10), 5)
    p = spread.p_equivalence(0.02)
    assert 0 < p < 0.05
    assert spread.half_width(2 * p) == pytest.approx(0.02 - abs(float(spread.mean)))
    assert spread.p_equivalence(abs(float(spread.mean))) == 1


def test_mcnemar_is_the_exact_binomial_test() -> None:
    a = np.array([True] * 9 + [False] * 2 + [True] * 5)
    b = np.array([False] * 9 + [True] * 2 + [True] * 5)
    assert statistics.mcnemar(a, b) == pytest.approx(stats.binomtest(9, 11, 0.5).pvalue)
    assert statistics.mcnemar(a, a) == 1


def test_noise_floor_is_that_of_two_blocks_of_seeds() -> None:
    expected = stats.t.isf(0.025, 4) * 0.01 * math.sqrt(2 / 5)
    assert statistics.noise_floor(0.01, 5) == pytest.approx(expected)


def test_cost_ratio_is_a_geometric_mean() -> None:
    one, two, four, eight = (Seconds(value, ("a CPU", 2)) for value in (1.0, 2.0, 4.0, 8.0))
    found = statistics.cost_ratio([(two, one), (None, eight), (eight, two), (four, four)])
    assert found is not None
    assert found.ratio == pytest.approx(2)
    logs = np.log([2.0, 4.0, 1.0])
    low, high = stats.ttest_1samp(logs, 0).confidence_interval()
    assert found.ci95 == pytest.approx((math.exp(low), math.exp(high)))
    single = statistics.cost_ratio([(eight, two)])
    assert single is not None
    assert single.ratio == pytest.approx(4)
    assert single.ci95 is None
    assert statistics.cost_ratio([(eight, None)]) is None


def test_cost_ratio_is_not_told_across_hardware() -> None:
    here, there = (Seconds(2.0, (name, 2)) for name in ("a CPU", "another"))
    assert statistics.cost_ratio([(here, there), (there, here)]) is None
    slow = Seconds(6.0, here.measured_on)
    found = statistics.cost_ratio([(slow, here), (slow, there)])
    assert found is not None
    assert found.ratio == pytest.approx(3)
    assert found.ci95 is None, "one pair is left"


def test_mean_interval_is_a_t_interval() -> None:
    values = [0.91, 0.93, 0.92, 0.95]
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert statistics.mean_interval(values) == pytest.approx(tuple(expected))
    assert statistics.mean_interval(values[:1]) is None


@pytest.mark.parametrize(
    ("metric", "value", "margin"),
    [
        ("test/accuracy", 0.95, 0.005),
        ("accuracy", 0.6, 0.01),
        ("f1_macro", 0.97, 0.003),
        ("accuracy", 1.0, 0.0),
        ("matthews_corrcoef", 0.2, 0.03),
        ("test/perplexity", 30.0, math.log(1.01)),
        ("mean_squared_error", 4.0, 0.2),
        ("log_loss", 0.4, 0.02),
    ],
)
def test_default_margins(metric: str, value: float, margin: float) -> None:
    assert statistics.default_margin(metric, value) == pytest.approx(margin)


def test_metrics_without_default_margin_are_told() -> None:
    with pytest.raises(InputError, match="did you mean 'accuracy'"):
        statistics.default_margin("acuracy", 0.5)
