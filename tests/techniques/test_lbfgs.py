"""L-BFGS as a solve: scikit-learn's minimum, selection, convergence, curve, divergence."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from bakeoff.core.protocols import Fitted
from bakeoff.scratch.objective import Doubles, Last
from bakeoff.techniques.lbfgs import solve


class Bowl:
    """`sum s_i (w_i - i)^2 / 2`: its minimum is known."""

    def __init__(self, worst: float = 1.0) -> None:
        self.last = Last(0.5, 0.25)
        self.put_last = np.zeros(3)
        self._scale = np.array([1.0, 4.0, worst])

    def start(self) -> Doubles:
        return np.zeros(3)

    def put(self, vector: Doubles) -> None:
        self.put_last = vector.copy()

    def __call__(self, vector: Doubles) -> tuple[float, Doubles]:
        apart = vector - np.arange(3)
        return float(0.5 * self._scale @ apart**2), self._scale * apart


def attempt(run: Any, bowl: Any, select: Any = None, **change: Any) -> Doubles:
    def scores() -> Mapping[str, float]:
        away = float(np.abs(bowl.put_last - np.arange(3)).max())
        return {"accuracy": -away, "log_loss": away, "far": float(np.abs(bowl.put_last[0] - 9))}

    asked = {"iterations": 50, "tolerance": 1e-8} | change
    return solve(run, bowl, scores, select, **asked)


def test_it_finds_the_minimum_and_says_so(run: Any) -> None:
    found = attempt(run, Bowl(100.0))
    np.testing.assert_allclose(found, [0, 1, 2], atol=1e-7)
    steps = len(run.rows)
    assert run.fitted == [Fitted(steps, steps, None, "converged")]
    assert run.rows[-1]["validation/log_loss"] < 1e-7
    assert [row["step"] for row in run.rows] == list(range(1, steps + 1))
    assert {row["phase"] for row in run.rows} == {"solve"}
    assert run.rows[0]["train/loss"] == 0.5
    assert run.rows[0]["train/accuracy"] == 0.25


def test_it_ends_after_the_iterations(run: Any) -> None:
    attempt(run, Bowl(100.0), iterations=2)
    assert run.fitted == [Fitted(2, 2, None, None)]


@pytest.mark.parametrize(("select", "best"), [(("far", "max"), max), (("far", "min"), min)])
def test_the_best_iteration_is_selected(run: Any, select: Any, best: Any) -> None:
    found = attempt(run, Bowl(100.0), select=select)
    scores = [row["validation/far"] for row in run.rows]
    assert abs(found[0] - 9) == best(scores)
    assert run.fitted[0].selected_step == 1 + scores.index(best(scores))


def test_what_is_not_finite_from_the_start_has_diverged(run: Any) -> None:
    class Broken(Bowl):
        def __call__(self, vector: Doubles) -> tuple[float, Doubles]:
            return float("nan"), np.full(3, np.nan)

    found = attempt(run, Broken())
    np.testing.assert_array_equal(found, np.zeros(3))
    assert run.fitted == [Fitted(0, 0, 0, None)]
    assert run.rows == []


def test_a_step_too_far_is_taken_back(run: Any) -> None:
    class Cliff(Bowl):
        def __call__(self, vector: Doubles) -> tuple[float, Doubles]:
            value, gradient = super().__call__(vector)
            return (float("inf"), gradient) if np.abs(vector).max() > 2.5 else (value, gradient)

    found = attempt(run, Cliff(100.0))
    np.testing.assert_allclose(found, [0, 1, 2], atol=1e-6)
    assert run.fitted[0].diverged_at is None
