"""Adaptive linear filters: LMS, NLMS and RLS sample by sample, and the Wiener solution.

All predict y = w.x and see the samples (x, d) one after another; e = d - w.x is the error before
the update (a priori). R = E[x x'] is the inputs' correlation matrix, with eigenvalues l_i.

- LMS: w += mu e x (Widrow and Hoff 1960, "Adaptive switching circuits"). Without the factor 2 that
  some write before mu: their mu is half of ours.
- NLMS: w += mu e x / (eps + x.x) (Nagumo and Noda 1967; Albert and Gardner 1967).
- RLS: k = P x / (f + x'P x), w += k e, P = (P - k x'P) / f, from P = I / delta (Plackett 1950;
  Haykin 2002, "Adaptive filter theory", table 9.1). With f = 1 and small delta it is least squares.
  P is kept symmetric to the bit.
- Wiener: the w of least mean squared error, R w = E[d x] (Wiener 1949).

When LMS is stable: its mean weights converge for 0 < mu < 2 / max l_i (Widrow and Stearns 1985, eq.
6.6). The mean squared error stays bounded only below a smaller rate: for Gaussian inputs that do
not depend on each other, where S(mu) = sum of mu l_i / (2 (1 - mu l_i)) reaches 1 (Horowitz and
Senne 1981; Feuer and Weinstein 1985); mu < 2 / (3 trace R) is always enough. Below it, the error
settles at (1 + M) times the Wiener filter's, with the misadjustment M = S / (1 - S), which is
mu trace(R) / 2 for small rates.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rule = Literal["lms", "nlms", "rls"]

OVERFLOW = 1e20
"""An error of this size counts as overflow: no target is known to that many digits, and what is
computed from squared errors (their spread, its spread) is still far from the end of float64."""


@dataclass(frozen=True)
class Pass:
    """One pass over samples.

    Attributes:
        errors: (n,) float64, a priori; they end with the sample that overflowed.
        overflow_at: The first sample, from 0, whose error was not finite or beyond `OVERFLOW`, or
            for which the P of RLS was not positive and finite any more; None where all is well. The
            weights are then those before it.
    """

    errors: Floats
    overflow_at: int | None = None


class Filter(Protocol):
    """Weights that learn from one sample after another."""

    weights: Floats

    def run(self, inputs: Floats, targets: Floats) -> Pass:
        """Learn from (n, D) inputs and (n,) targets in their order."""
        ...

    def state(self) -> dict[str, Floats]:
        """Everything that changes, copied."""
        ...

    def load(self, state: dict[str, Floats]) -> None:
        """Put a state back."""
        ...


class Lms:
    """Least mean squares: w += rate * e * x.

    Args:
        weights: (D,) float64 to start from; copied.
        rate: Step size mu.
    """

    def __init__(self, weights: Floats, rate: float) -> None:
        self.weights = np.array(weights, dtype=np.float64)
        self.rate = rate

    def run(self, inputs: Floats, targets: Floats) -> Pass:
        """Learn from (n, D) inputs and (n,) targets in their order.

        Raises:
            ValueError: where shapes do not match or a number is not finite.
        """
        inputs, targets = checked(inputs, targets, len(self.weights))
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is told by the Pass
            return self._learn(inputs, targets, [self.rate] * len(targets))

    def _learn(self, inputs: Floats, targets: Floats, rates: list[float]) -> Pass:
        """The loop that LMS and NLMS share: each sample has a step size of its own."""
        weights, errors = self.weights, np.empty(len(targets))
        samples = zip(inputs, targets.tolist(), rates, strict=True)
        for number, (row, target, rate) in enumerate(samples):
            error = target - float(row.dot(weights))
            errors[number] = error
            if not -OVERFLOW < error < OVERFLOW:
                return Pass(errors[: number + 1], number)
            weights += (rate * error) * row
        return Pass(errors)

    def state(self) -> dict[str, Floats]:
        """The weights, copied."""
        return {"weights": self.weights.copy()}

    def load(self, state: dict[str, Floats]) -> None:
        """Put weights back."""
        np.copyto(self.weights, state["weights"])


class Nlms(Lms):
    """Normalised LMS: w += rate * e * x / (eps + x.x); stable for rates below 2, whatever R.

    Args:
        weights: (D,) float64 to start from; copied.
        rate: Step size, 1 = the error of the sample just seen becomes zero.
        eps: Keeps tiny inputs from making huge steps; in squared units of the inputs.
    """

    def __init__(self, weights: Floats, rate: float, eps: float = 1e-6) -> None:
        super().__init__(weights, rate)
        self.eps = eps

    def run(self, inputs: Floats, targets: Floats) -> Pass:
        """Learn from (n, D) inputs and (n,) targets in their order.

        Raises:
            ValueError: where shapes do not match or a number is not finite.
        """
        inputs, targets = checked(inputs, targets, len(self.weights))
        with np.errstate(over="ignore", invalid="ignore"):
            energies = np.einsum("nd,nd->n", inputs, inputs)
            return self._learn(inputs, targets, (self.rate / (self.eps + energies)).tolist())


class Rls:
    """Recursive least squares with a forgetting factor.

    Args:
        weights: (D,) float64 to start from; copied.
        forgetting: f in (0, 1]: the weight of a sample halves after log(0.5) / log(f) others.
        delta: P starts at I / delta: the ridge penalty |w - weights|^2 * delta that fades.
    """

    def __init__(self, weights: Floats, forgetting: float = 1.0, delta: float = 1e-2) -> None:
        self.weights = np.array(weights, dtype=np.float64)
        self.forgetting = forgetting
        self.inverse = np.eye(len(self.weights)) / delta
        """P: (D, D) float64, the inverse of the (forgetting) sum of x x'."""

    def run(self, inputs: Floats, targets: Floats) -> Pass:
        """Learn from (n, D) inputs and (n,) targets in their order.

        Raises:
            ValueError: where shapes do not match or a number is not finite.
        """
        inputs, targets = checked(inputs, targets, len(self.weights))
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is told by the Pass
            return self._learn(inputs, targets)

    def _learn(self, inputs: Floats, targets: Floats) -> Pass:
        weights, inverse, kept = self.weights, self.inverse, self.forgetting
        errors = np.empty(len(targets))
        for number, (row, target) in enumerate(zip(inputs, targets.tolist(), strict=True)):
            error = target - float(row.dot(weights))
            errors[number] = error
            along = inverse.dot(row)
            scale = kept + float(row.dot(along))
            if not (-OVERFLOW < error < OVERFLOW and 0 < scale < np.inf):
                return Pass(errors[: number + 1], number)
            weights += (error / scale) * along
            # A vector's product with itself is symmetric to the bit. Any asymmetry would grow by
            # 1 / kept with every sample, as no update takes it back (Verhaegen 1989).
            root = along / sqrt(scale)
            inverse -= np.multiply.outer(root, root)
            if kept != 1:
                inverse /= kept
        return Pass(errors)

    def state(self) -> dict[str, Floats]:
        """Weights and P, copied."""
        return {"weights": self.weights.copy(), "inverse": self.inverse.copy()}

    def load(self, state: dict[str, Floats]) -> None:
        """Put them back."""
        np.copyto(self.weights, state["weights"])
        np.copyto(self.inverse, state["inverse"])


@dataclass(frozen=True)
class Wiener:
    """The linear filter of least mean squared error on some samples.

    Attributes:
        weights: (D,) float64; of several that are equally good the shortest.
        mse: Its mean squared error on these samples.
    """

    weights: Floats
    mse: float


def wiener(inputs: Floats, targets: Floats) -> Wiener:
    """The Wiener solution of samples: least squares in closed form, by singular values.

    Args:
        inputs: (N, D) float64.
        targets: (N,) float64.

    Raises:
        ValueError: where shapes do not match or a number is not finite.
    """
    inputs, targets = checked(inputs, targets, inputs.shape[-1])
    weights = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    errors = targets - inputs @ weights
    return Wiener(np.asarray(weights, np.float64), float(np.square(errors).mean()))


@dataclass(frozen=True)
class Stability:
    """When LMS is stable on inputs with some correlation matrix.

    Attributes:
        eigenvalues: (D,) of R, rising.
    """

    eigenvalues: Floats

    @property
    def mean(self) -> float:
        """2 / max l_i: below this rate the mean weights converge."""
        largest = float(self.eigenvalues[-1])
        return 2 / largest if largest > 0 else np.inf

    @property
    def sufficient(self) -> float:
        """2 / (3 trace R): below this rate the mean squared error of Gaussian inputs converges."""
        trace = float(self.eigenvalues.sum())
        return 2 / (3 * trace) if trace > 0 else np.inf

    @property
    def mean_square(self) -> float:
        """The rate at which S = 1: below it the mean squared error of Gaussian inputs converges.

        Found by bisection, as S rises from 0 without bound on (0, 1 / max l_i).
        """
        largest = float(self.eigenvalues[-1])
        if largest <= 0:
            return np.inf
        low, high = 0.0, 1 / largest
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if self._sum(middle) < 1 else (low, middle)
        return low

    def misadjustment(self, rate: float) -> float:
        """M: how far the settled error exceeds the Wiener filter's, as a share; inf if unstable."""
        if rate >= self.mean_square:
            return np.inf
        found = self._sum(rate)
        return found / (1 - found)

    def _sum(self, rate: float) -> float:
        steps = rate * self.eigenvalues
        with np.errstate(divide="ignore"):
            return float((steps / (2 * (1 - steps))).sum())


def stability(inputs: Floats) -> Stability:
    """The bounds for LMS on inputs (N, D), from R = X'X / N.

    Raises:
        ValueError: where there are none, or a number is not finite.
    """
    inputs, _ = checked(inputs, np.zeros(len(inputs)), inputs.shape[-1])
    found = np.linalg.eigvalsh(inputs.T @ inputs / len(inputs))
    return Stability(np.maximum(found, 0.0))


def predicted(inputs: Floats, weights: Floats) -> Floats:
    """w.x of each row: (N,) float64 from (N, D); how rows are batched changes no bit."""
    out = np.zeros(len(inputs))
    for column, weight in _columns(inputs, weights):
        out += weight * column
    return out


def _columns(inputs: Floats, weights: Floats) -> Iterator[tuple[Floats, float]]:
    return ((inputs[:, place], weight) for place, weight in enumerate(weights.tolist()))


def checked(inputs: Floats, targets: Floats, size: int) -> tuple[Floats, Floats]:
    """Samples as contiguous float64.

    Args:
        inputs: (n, D).
        targets: (n,).
        size: D, the number of weights.

    Raises:
        ValueError: where shapes do not match, there are no samples, or a number is not finite.
    """
    inputs = np.ascontiguousarray(inputs, dtype=np.float64)
    targets = np.ascontiguousarray(targets, dtype=np.float64)
    if inputs.ndim != 2 or inputs.shape != (len(targets), size) or targets.ndim != 1:
        raise ValueError(
            f"inputs (n, {size}) and targets (n,) needed, {inputs.shape} and {targets.shape} "
            "received"
        )
    if not len(targets):
        raise ValueError("at least one sample is needed")
    if not (np.isfinite(inputs).all() and np.isfinite(targets).all()):
        raise ValueError("inputs and targets must be finite")
    return inputs, targets
