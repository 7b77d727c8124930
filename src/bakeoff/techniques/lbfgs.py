"""L-BFGS over all examples, as a solve of a cell: weights, and scores by iteration.

Source: Byrd, Lu, Nocedal and Zhu 1995, "A limited memory algorithm for bound constrained
optimization", as SciPy has it.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.measures import Direction
from bakeoff.core.protocols import Arrays, Fitted, Run
from bakeoff.scratch.objective import Doubles, Objective

MEMORY = 10
"""Pairs of steps and gradient differences that stand for the Hessian."""
COLUMN = "curve."
ALIKE = 1e-12
"""Relative decrease of the objective below which float32 passes cannot tell values apart."""


def solve(
    run: Run,
    objective: Objective,
    scores: Callable[[], Mapping[str, float]],
    select: tuple[str, Direction] | None,
    iterations: int,
    tolerance: float,
) -> Doubles:
    """Minimise in one phase, `solve`; its curve and its end go into the record.

    Args:
        run: What is worked through.
        objective: From its network's parameters on.
        scores: Of the validation examples, with the network's parameters as they are; empty where
            there are none.
        select: The metric whose best value selects among iterations; None: the last one is kept.
        iterations: At most.
        tolerance: It has converged where no component of the gradient is greater.

    Returns:
        The selected parameters; those at the start where the first evaluation was not finite.
    """

    def compute() -> Arrays:
        return _Solver(objective, scores, select).run(iterations, tolerance)

    arrays = run.solve("solve", compute)
    names = [name.removeprefix(COLUMN) for name in arrays if name.startswith(COLUMN)]
    columns = {name: arrays[COLUMN + name].tolist() for name in sorted(names)}
    rows = []
    for i in range(len(columns["step"])):
        row = {name: values[i] for name, values in columns.items()}
        rows.append({"phase": "solve"} | row | {n: int(row[n]) for n in ("step", "epoch")})
    steps, selected, converged, diverged = arrays["end"].tolist()
    fitted = Fitted(
        steps,
        selected,
        diverged_at=steps if diverged else None,
        stopped_by="converged" if converged else None,
    )
    run.note(fitted, rows)
    return arrays["parameters"]


class _Solver:
    """One run of SciPy's minimiser, watched at every iteration."""

    def __init__(
        self,
        objective: Objective,
        scores: Callable[[], Mapping[str, float]],
        select: tuple[str, Direction] | None,
    ) -> None:
        self._objective, self._scores, self._select = objective, scores, select
        self._chosen = objective.start()
        self._selected, self._step, self._best = 0, 0, -math.inf
        self._diverged: bool | None = None
        self._rows: list[dict[str, float]] = []
        self._began = time.perf_counter()

    def run(self, iterations: int, tolerance: float) -> dict[str, NDArray[Any]]:
        """The arrays that the phase leaves."""
        from scipy import optimize

        solver: Any = optimize.minimize  # whose stubs know no function that gives its gradient too
        found = solver(
            self._evaluate,
            self._chosen,
            jac=True,
            method="L-BFGS-B",
            callback=self._iterate,
            options={"maxiter": iterations, "gtol": tolerance, "ftol": ALIKE, "maxcor": MEMORY},
        )
        converged = found.status == 0 and not self._diverged
        end = [self._step, self._selected, converged, bool(self._diverged)]
        columns = {name: [row[name] for row in self._rows] for name in (self._rows or [_EMPTY])[0]}
        return {
            "parameters": self._chosen,
            "end": np.array(end, np.int64),
            **{COLUMN + name: np.array(values) for name, values in columns.items()},
        }

    def _evaluate(self, vector: Doubles) -> tuple[float, Doubles]:
        value, gradient = self._objective(vector)
        finite = math.isfinite(value) and bool(np.isfinite(gradient).all())
        if self._diverged is None:
            self._diverged = not finite
        if not finite:
            # A line search comes back from a step that overflows; from the start there is no way.
            return 0.0 if self._diverged else math.inf, np.zeros_like(vector)
        return value, gradient

    def _iterate(self, vector: Doubles) -> None:
        """After an iteration: score, select, write down."""
        self._step += 1
        self._objective.put(vector)
        scores = self._scores()
        score = 0.0 if self._select is None else scores[self._select[0]]
        if self._select is not None and self._select[1] == "min":
            score = -score
        if self._select is None or score > self._best:
            self._best, self._selected, self._chosen = score, self._step, vector.copy()
        row = {
            "step": float(self._step),
            "epoch": float(self._step),
            "seconds": round(time.perf_counter() - self._began, 3),
            "train/loss": self._objective.last.loss,
            "train/accuracy": self._objective.last.accuracy,
        }
        self._rows.append(row | {f"validation/{name}": value for name, value in scores.items()})


_EMPTY = {"step": 0.0, "epoch": 0.0}
"""Columns of a curve without iterations."""
