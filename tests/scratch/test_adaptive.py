"""Adaptive filters against closed forms: least squares, bounds, misadjustment."""

import time

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from bakeoff.scratch.adaptive import (
    OVERFLOW,
    Filter,
    Lms,
    Nlms,
    Rls,
    predicted,
    stability,
    wiener,
)

EIGENVALUES = np.array([4.5, 0.5])
WEIGHTS = np.array([1.5, -0.8])
NOISE = 0.5


def samples(count: int, seed: int = 0, noise: float = NOISE) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian inputs whose correlation has the eigenvalues above."""
    generator = np.random.default_rng(seed)
    turn = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
    inputs = generator.standard_normal((count, 2)) * np.sqrt(EIGENVALUES) @ turn
    return inputs, inputs @ WEIGHTS + noise * generator.standard_normal(count)


def test_one_step_of_lms_is_the_formula() -> None:
    rule = Lms(np.array([0.5, -1.0]), 0.1)
    found = rule.run(np.array([[2.0, 3.0], [1.0, 0.0]]), np.array([4.0, 1.0]))
    # e = 4 - (1 - 3) = 6, w = (0.5, -1) + 0.6 (2, 3); then e = 1 - 1.7
    np.testing.assert_allclose(found.errors, [6.0, -0.7], rtol=1e-12)
    np.testing.assert_allclose(rule.weights, [1.63, 0.8], rtol=1e-12)
    assert found.overflow_at is None


def test_nlms_is_lms_with_a_rate_for_each_sample() -> None:
    inputs, targets = samples(50)
    normalised, plain = Nlms(np.zeros(2), 0.5, eps=1e-3), Lms(np.zeros(2), 0.0)
    normalised.run(inputs, targets)
    for row, target in zip(inputs, targets, strict=True):
        plain.rate = 0.5 / (1e-3 + float(row @ row))
        plain.run(row[None], np.array([target]))
    np.testing.assert_allclose(normalised.weights, plain.weights, rtol=1e-12)


def test_nlms_with_rate_one_removes_the_error_of_the_sample() -> None:
    inputs, targets = samples(1)
    rule = Nlms(np.zeros(2), 1.0, eps=0.0)
    rule.run(inputs, targets)
    np.testing.assert_allclose(inputs @ rule.weights, targets, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 5, 300])
def test_rls_is_ridge_regression_at_every_moment(count: int) -> None:
    inputs, targets = samples(count)
    rule = Rls(np.zeros(2), 1.0, delta=0.3)
    rule.run(inputs, targets)
    ridge = Ridge(alpha=0.3, fit_intercept=False).fit(inputs, targets)
    np.testing.assert_allclose(rule.weights, ridge.coef_, rtol=1e-9)


def test_rls_with_forgetting_is_weighted_least_squares() -> None:
    inputs, targets = samples(120)
    rule = Rls(np.zeros(2), 0.95, delta=1e-9)
    rule.run(inputs, targets)
    shares = 0.95 ** np.arange(119, -1, -1)
    batch = LinearRegression(fit_intercept=False).fit(inputs, targets, sample_weight=shares)
    np.testing.assert_allclose(rule.weights, batch.coef_, rtol=1e-6)


@pytest.mark.parametrize("forgetting", [0.95, 0.98, 0.99])
def test_rls_stays_weighted_least_squares_on_a_long_correlated_signal(forgetting: float) -> None:
    """Rounding must not grow with the samples, as it did where P was not kept symmetric."""
    generator = np.random.default_rng(0)
    count, size = 20_000, 8
    signal = np.zeros(count + size)
    for place, fresh in enumerate(generator.standard_normal(count + size - 1), start=1):
        signal[place] = 0.95 * signal[place - 1] + fresh
    inputs = np.lib.stride_tricks.sliding_window_view(signal, size)[:count]
    targets = inputs @ np.linspace(-1, 1, size) + NOISE * generator.standard_normal(count)
    rule = Rls(np.zeros(size), forgetting)
    assert rule.run(inputs, targets).overflow_at is None
    np.testing.assert_array_equal(rule.inverse, rule.inverse.T)
    shares = forgetting ** np.arange(count - 1.0, -1.0, -1.0)
    batch = LinearRegression(fit_intercept=False).fit(inputs, targets, sample_weight=shares)
    np.testing.assert_allclose(rule.weights, batch.coef_, rtol=1e-6)


def test_rls_whose_matrix_overflows_has_diverged() -> None:
    """Of a direction that no input takes, P grows by 1 / f with every sample, without an end."""
    inputs, targets = samples(3000)
    inputs[:, 1] = 0
    rule = Rls(np.zeros(2), 0.5)
    found = rule.run(inputs, targets)
    assert found.overflow_at is not None
    assert found.overflow_at == len(found.errors) - 1
    assert np.isfinite(rule.weights).all()
    assert rule.run(inputs[:1], targets[:1]).overflow_at == 0  # it does not come back


def test_wiener_is_least_squares() -> None:
    inputs, targets = samples(500)
    found = wiener(inputs, targets)
    batch = LinearRegression(fit_intercept=False).fit(inputs, targets)
    np.testing.assert_allclose(found.weights, batch.coef_, rtol=1e-10)
    errors = targets - batch.predict(inputs)
    assert found.mse == pytest.approx(np.square(errors).mean(), rel=1e-12)
    # The errors are orthogonal to the inputs, and any other weights are worse.
    np.testing.assert_allclose((targets - inputs @ found.weights) @ inputs, 0, atol=1e-9)


def test_wiener_of_inputs_that_repeat_each_other_is_the_shortest() -> None:
    inputs, targets = samples(50)
    doubled = np.column_stack([inputs, inputs[:, 1]])
    found = wiener(doubled, targets)
    np.testing.assert_allclose(found.weights[1], found.weights[2], rtol=1e-9)
    assert found.mse == pytest.approx(wiener(inputs, targets).mse, rel=1e-9)


def test_lms_at_a_small_rate_comes_to_wiener() -> None:
    inputs, targets = samples(2000)
    rule = Lms(np.zeros(2), 1e-3)
    for _ in range(30):
        rule.run(inputs, targets)
    np.testing.assert_allclose(rule.weights, wiener(inputs, targets).weights, atol=0.02)


def test_bounds_from_known_eigenvalues() -> None:
    # Four rows with exactly R = diag(4.5, 0.5).
    rows = np.diag(np.sqrt(2 * EIGENVALUES))
    found = stability(np.concatenate([rows, -rows]))
    np.testing.assert_allclose(found.eigenvalues, [0.5, 4.5], rtol=1e-12)
    assert found.mean == pytest.approx(2 / 4.5)
    assert found.sufficient == pytest.approx(2 / 15)
    rate = found.mean_square
    assert (rate * EIGENVALUES / (2 - 2 * rate * EIGENVALUES)).sum() == pytest.approx(1)
    assert found.sufficient < rate < found.mean
    assert found.misadjustment(1e-6) == pytest.approx(1e-6 * 5 / 2, rel=1e-4)
    assert found.misadjustment(rate) == np.inf


def test_inputs_of_zeros_have_no_bound() -> None:
    found = stability(np.zeros((3, 2)))
    assert (found.mean, found.sufficient, found.mean_square) == (np.inf, np.inf, np.inf)


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.99])
def test_below_the_mean_bound_expected_weights_converge(factor: float) -> None:
    """With expectations for samples, the recursion of the weights' error is I - mu R."""
    rows = np.diag(np.sqrt(2 * EIGENVALUES))
    bound = stability(np.concatenate([rows, -rows])).mean
    left = np.prod([np.abs(1 - factor * bound * EIGENVALUES)] * 400, axis=0)
    assert (left < 0.05).all()
    beyond = np.abs(1 - bound / factor * EIGENVALUES) ** 400
    assert beyond.max() > 1


@pytest.mark.parametrize("rate", [0.005, 0.02, 0.05])
def test_excess_error_is_the_misadjustment(rate: float) -> None:
    """The settled error of fresh samples is (1 + M) times the noise; 4 standard errors allowed."""
    inputs, targets = samples(120_000, seed=1)
    rule = Lms(WEIGHTS, rate)
    errors = rule.run(inputs, targets).errors[20_000:]
    parts = np.square(errors).reshape(100, -1).mean(axis=1)
    expected = NOISE**2 * (1 + stability(inputs).misadjustment(rate))
    assert abs(parts.mean() - expected) < 4 * parts.std(ddof=1) / 10


def test_the_mean_square_bound_separates() -> None:
    """Averaged over many filters, the error settles below the bound and grows above it."""
    rate = 0.5 * (1 / 4.5)
    spread = {}
    for factor in (0.7, 1.6):
        ends = []
        for seed in range(200):
            inputs, targets = samples(150, seed=seed)
            ends.append(np.square(Lms(WEIGHTS, factor * rate).run(inputs, targets).errors).mean())
        spread[factor] = float(np.mean(ends))
    bound = stability(samples(100_000)[0]).mean_square
    assert 0.7 * rate < bound < 1.6 * rate
    assert spread[0.7] < 4 * NOISE**2
    assert spread[1.6] > 4 * spread[0.7]


@pytest.mark.parametrize("rate", [1.0, 1e6])
def test_divergence_is_told_with_its_sample_and_without_a_warning(rate: float) -> None:
    inputs, targets = samples(3000)
    rule = Lms(np.zeros(2), rate)
    found = rule.run(inputs, targets)
    assert found.overflow_at is not None
    assert found.overflow_at == len(found.errors) - 1
    assert not abs(found.errors[-1]) < OVERFLOW
    assert (np.abs(found.errors[:-1]) < OVERFLOW).all()
    assert np.isfinite(rule.weights).all()


@pytest.mark.parametrize("kind", [Lms, Nlms])
def test_weights_beyond_float64_are_divergence_too(kind: type[Lms]) -> None:
    inputs, targets = samples(10)
    found = kind(np.zeros(2), 1e308).run(1e5 * inputs, 1e10 * targets)
    assert found.overflow_at == 1


def test_nlms_is_stable_where_lms_is_not() -> None:
    inputs, targets = samples(2000)
    found = Nlms(np.zeros(2), 1.0).run(1000 * inputs, targets)
    assert found.overflow_at is None


@pytest.mark.parametrize(
    "make",
    [lambda: Lms(np.zeros(2), 0.01), lambda: Nlms(np.zeros(2), 0.3), lambda: Rls(np.zeros(2), 0.9)],
)
def test_chunks_and_saved_states_change_no_bit(make: "type[Lms]") -> None:
    inputs, targets = samples(300)
    whole: Filter = make()  # type: ignore[call-arg]
    errors = whole.run(inputs, targets).errors
    first: Filter = make()  # type: ignore[call-arg]
    begun = first.run(inputs[:111], targets[:111]).errors
    state = first.state()
    first.run(inputs, targets)
    second: Filter = make()  # type: ignore[call-arg]
    second.load(state)
    rest = second.run(inputs[111:], targets[111:]).errors
    np.testing.assert_array_equal(np.concatenate([begun, rest]), errors)
    np.testing.assert_array_equal(second.weights, whole.weights)


def test_predictions_do_not_depend_on_the_batch() -> None:
    inputs, _ = samples(100)
    whole = predicted(inputs, WEIGHTS)
    np.testing.assert_allclose(whole, inputs @ WEIGHTS, rtol=1e-12)
    np.testing.assert_array_equal(np.concatenate([predicted(inputs[:7], WEIGHTS)]), whole[:7])
    assert predicted(inputs[:0], WEIGHTS).shape == (0,)


@pytest.mark.parametrize(
    ("inputs", "targets", "fault"),
    [
        (np.zeros((3, 3)), np.zeros(3), "inputs"),
        (np.zeros((3, 2)), np.zeros(4), "inputs"),
        (np.zeros(2), np.zeros(2), "inputs"),
        (np.zeros((0, 2)), np.zeros(0), "at least one sample"),
        (np.array([[np.nan, 1.0]]), np.zeros(1), "finite"),
        (np.zeros((1, 2)), np.array([np.inf]), "finite"),
    ],
)
def test_samples_that_do_not_fit(inputs: np.ndarray, targets: np.ndarray, fault: str) -> None:
    for rule in (Lms(np.zeros(2), 0.1), Nlms(np.zeros(2), 0.1), Rls(np.zeros(2))):
        with pytest.raises(ValueError, match=fault):
            rule.run(inputs, targets)


def test_twenty_epochs_take_about_a_second() -> None:
    inputs, targets = samples(2000)
    began = time.process_time()
    rule = Lms(np.zeros(2), 0.005)
    for _ in range(20):
        rule.run(inputs, targets)
    assert time.process_time() - began < 2
