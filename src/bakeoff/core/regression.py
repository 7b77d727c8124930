"""Regression: a number for every item; its metrics in NumPy, spelt as scikit-learn's scorers.

They are recomputed wherever a result is checked, so they need neither scikit-learn nor SciPy; the
tests hold them against `sklearn.metrics`. A loss too large for float64 is infinite, without a
warning: the loop calls that divergence.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError, unknown
from bakeoff.core.measures import directions
from bakeoff.core.metrics import Floats
from bakeoff.core.table import Table
from bakeoff.core.task import NumberTask


def mean_squared_error(targets: Floats, predictions: Floats) -> float:
    """The mean of the squared errors of (N,) float64."""
    return _mean(example_values("mean_squared_error", targets, predictions))


def mean_absolute_error(targets: Floats, predictions: Floats) -> float:
    """The mean of the errors' sizes, of (N,) float64."""
    return _mean(example_values("mean_absolute_error", targets, predictions))


def r2(targets: Floats, predictions: Floats) -> float:
    """The share of the targets' variance that the predictions explain, at most 1.

    As `sklearn.metrics.r2_score`: where all targets are equal, 1 for perfect predictions, else 0.
    """
    _check(targets, predictions)
    with np.errstate(over="ignore", invalid="ignore"):
        unexplained = float(np.square(targets - predictions).sum())
    total = float(np.square(targets - targets.mean()).sum())
    if total == 0:
        return float(unexplained == 0)
    return 1 - unexplained / total


def example_values(metric: str, targets: Floats, predictions: Floats) -> Floats:
    """What each example contributes to a metric, larger = better, (N,) float64.

    Minus the loss; for R2, which is no mean over examples, the jackknife's pseudo-values
    m*theta - (m-1)*theta(without example i).

    Raises:
        InputError: for an unknown metric, and for arrays that do not fit.
    """
    _check(targets, predictions)
    if metric not in DIRECTIONS:
        raise unknown("metric", metric, tuple(DIRECTIONS))
    if metric == "r2":
        return _r2_values(targets, predictions)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = targets - predictions
        losses = np.square(errors) if metric == "mean_squared_error" else np.abs(errors)
    return np.asarray(-losses, dtype=np.float64)


def _r2_values(targets: Floats, predictions: Floats) -> Floats:
    """Leaving out y takes (y - mean)^2 m / (m - 1) from the total sum of squares."""
    m = len(targets)
    if m < 3:
        raise InputError(f"the jackknife of r2 needs at least 3 examples, received {m}")
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.square(targets - predictions)
        from_mean = np.square(targets - targets.mean())
        total, unexplained = from_mean.sum(), squares.sum()
        totals = total - from_mean * m / (m - 1)
        known = totals > 1e-12 * total
        without = np.where(known, 1 - (unexplained - squares) / np.where(known, totals, 1), 0)
        return np.asarray(m * r2(targets, predictions) - (m - 1) * without)


def _mean(values: Floats) -> float:
    with np.errstate(over="ignore"):
        return float(-values.mean()) + 0.0


def _check(targets: NDArray[Any], predictions: NDArray[Any]) -> None:
    if targets.ndim != 1 or targets.shape != predictions.shape or not targets.size:
        raise InputError(
            "targets and predictions must be 1-D, not empty and of one length, received shapes "
            f"{targets.shape} and {predictions.shape}"
        )
    if np.isnan(targets).any() or np.isnan(predictions).any():
        raise InputError("targets and predictions must be numbers, received NaN")


_SCORES: Mapping[str, Callable[[Floats, Floats], float]] = {
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "r2": r2,
}
DIRECTIONS = directions(*_SCORES)


class Regression(NumberTask):
    """A number for every item.

    A table of predictions has columns `id` (N,) str, `target` (N,) float64 (NaN where unknown),
    `prediction` (N,) float64, and `group` (N,) int64 where the data has groups.
    """

    name = "regression"
    directions = DIRECTIONS
    columns = ("target", "prediction")
    loss = "mean_squared_error"

    def metrics(self, predictions: Table) -> dict[str, float]:
        """Every metric of the rows whose target is known; empty where none is."""
        rows = self.answers(predictions)
        if not rows.length:
            return {}
        return {name: f(rows["truth"], rows["prediction"]) for name, f in _SCORES.items()}

    @staticmethod
    def value(metric: str, answers: Table) -> float:
        """One metric of answers."""
        if metric not in _SCORES:
            raise unknown("metric", metric, tuple(_SCORES))
        return _SCORES[metric](answers["truth"], answers["prediction"])

    @staticmethod
    def example_values(metric: str, answers: Table) -> Floats:
        """What each of N answers contributes to a metric, larger = better, (N,) float64."""
        return example_values(metric, answers["truth"], answers["prediction"])
