"""Optimisers: torch's formulas, in place.

L2 adds `l2 * w` to the gradient of every weight (`adamw` shrinks the weight itself instead), L1
`l1 * sign(w)`, and sign 0 = 0. Clipping comes before both, the bound on norms after the update.
The rules themselves are kernels, compiled where there was a compiler.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from bakeoff.core.optimisers import BETAS, CLIP_EPSILON, EPSILON, SMOOTHING
from bakeoff.core.protocols import Arrays, State
from bakeoff.scratch import kernels
from bakeoff.scratch.kernels import Numbers, Rule
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.memory import Array

Name = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"]
PIECE = 16384
"""Numbers that are summed or swept at a time."""
TINY, SWEEP = 1e-25, 128
"""Moments below TINY become 0 every SWEEP updates."""


@dataclass(frozen=True)
class Limits:
    """What holds weights and gradients small besides L2.

    Args:
        l1: Of the weights: `l1 * |w|` is added to the loss (Tibshirani 1996, "Regression shrinkage
            and selection via the lasso"), by its subgradient `l1 * sign(w)`.
        max_norm: Greatest Euclidean norm of the weights into one unit (the rest of a weight's
            first axis); longer ones are scaled down to it after each update (Srivastava et al.
            2014, "Dropout", section 5.1).
        clip: Greatest Euclidean norm of all gradients together; longer ones are scaled down to it
            before each update, as torch does, by `clip / (norm + 1e-6)` (Pascanu, Mikolov and
            Bengio 2013, "On the difficulty of training recurrent neural networks", algorithm 1).
    """

    l1: float = 0.0
    max_norm: float | None = None
    clip: float | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, eq=False)
class _Part:
    """One parameter, all arrays flat; `l1` and `l2` are 0 where it is no weight."""

    values: Array
    gradient: Array
    mean: Array | None
    square: Array | None
    l1: float
    l2: float


class Optimiser:
    """Changes a network's parameters by its gradients.

    Args:
        network: Its parameters are changed in place; its gradients are used up.
        l2: Of the weights; biases and gains have none.
        limits: Of weights and gradients.

    Raises:
        ValueError: where a parameter or a gradient is no single piece of memory.
    """

    rule: Rule
    moments: ClassVar[tuple[str | None, str | None]] = (None, None)
    """What it calls the mean and the mean of squares that it keeps for every parameter."""

    def __init__(self, network: Layer, l2: float = 0.0, limits: Limits = NO_LIMITS) -> None:
        self.count = 0
        self._limits = limits
        self._weights = [network.parameters[path] for path in network.weights]
        self._moments = {
            name: {path: np.zeros_like(p) for path, p in network.parameters.items()}
            for name in self.moments
            if name is not None
        }
        self._parts = []
        for path, values in network.parameters.items():
            mean, square = (_flat(self._moments[n][path]) if n else None for n in self.moments)
            penalties = (limits.l1, l2) if path in network.weights else (0.0, 0.0)
            gradient = _flat(network.gradients[path])
            self._parts.append(_Part(_flat(values), gradient, mean, square, *penalties))

    def step(self, rate: float) -> None:
        """One update at this learning rate."""
        self.count += 1
        if self._limits.clip is not None:
            self._shorten(self._limits.clip)
        for part in self._parts:
            numbers = self._numbers(rate, part.l1, part.l2)
            kernels.update(self.rule, part.values, part.gradient, part.mean, part.square, numbers)
        if self._limits.max_norm is not None:
            self._bound(self._limits.max_norm)
        if self.count % SWEEP == 0:
            self._sweep()

    def _numbers(self, rate: float, l1: float, l2: float) -> Numbers:
        """Of this update, for a parameter with these penalties."""
        return Numbers(rate, l1, l2)

    def _shorten(self, longest: float) -> None:
        """Scale all gradients down where their common norm is greater."""
        gradients = [part.gradient for part in self._parts]
        squares = sum(float(np.dot(g, g)) for g in _pieces(gradients))
        share = longest / (math.sqrt(squares) + CLIP_EPSILON)
        # Not a number where a gradient is not: divergence must show, not be cut off.
        if not share >= 1:
            for gradient in gradients:
                np.multiply(gradient, share, out=gradient)

    def _bound(self, longest: float) -> None:
        """Scale the weights of units down whose norm is greater."""
        for weight in self._weights:
            rows = weight.reshape(len(weight), -1)
            norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
            rows *= (longest / np.maximum(norms, longest))[:, None]

    def _sweep(self) -> None:
        """Set to 0 what is on its way there.

        Where gradients are exactly 0 (a unit that is always off), moments shrink until they are
        subnormal, and stay so: 9/10 of the smallest float32 rounds to itself. Processors multiply
        such numbers up to forty times slower. No update feels moments as small as these.
        """
        moments = [m.reshape(-1) for arrays in self._moments.values() for m in arrays.values()]
        for moment in _pieces(moments):
            np.copyto(moment, 0, where=np.abs(moment) < TINY)

    def state(self) -> State:
        """Moments by name and path, and the number of updates done; copied."""
        state: State = {"updates": np.array([self.count], np.int64)}
        for name, arrays in self._moments.items():
            state |= {f"{name}.{path}": values.copy() for path, values in arrays.items()}
        return state

    def load(self, state: Arrays) -> None:
        """Put a state back into the same memory."""
        self.count = int(state["updates"][0])
        for name, arrays in self._moments.items():
            for path, values in arrays.items():
                np.copyto(values, state[f"{name}.{path}"], casting="no")


def _flat(array: Array) -> Array:
    """(N,) the same memory."""
    flat = array.reshape(-1)
    if not np.shares_memory(flat, array):
        raise ValueError("parameters and gradients must be C-contiguous")
    return flat


def _pieces(arrays: list[Array]) -> Iterator[Array]:
    """Runs of flat arrays that fit the processor's cache."""
    for array in arrays:
        for start in range(0, array.size, PIECE):
            yield array[start : start + PIECE]


class Sgd(Optimiser):
    """`w -= rate * g`. Robbins and Monro 1951, "A stochastic approximation method"."""

    rule = "sgd"


class Momentum(Optimiser):
    """`v = momentum * v + g`, `w -= rate * v`. Polyak 1964, as torch writes it.

    With `nesterov`, `w -= rate * (g + momentum * v)`: Sutskever et al. 2013, "On the importance of
    initialization and momentum in deep learning".

    Args:
        network: As for every optimiser.
        l2: As for every optimiser.
        limits: As for every optimiser.
        momentum: What is kept of the velocity, 0 <= momentum < 1.
        nesterov: Look ahead.
    """

    moments = ("velocity", None)

    def __init__(
        self,
        network: Layer,
        l2: float = 0.0,
        limits: Limits = NO_LIMITS,
        momentum: float = 0.9,
        nesterov: bool = False,
    ) -> None:
        super().__init__(network, l2, limits)
        self.rule = "nesterov" if nesterov else "momentum"
        self._momentum = momentum

    def _numbers(self, rate: float, l1: float, l2: float) -> Numbers:
        return Numbers(rate, l1, l2, first=self._momentum)


class RmsProp(Optimiser):
    """`v = 0.99 v + 0.01 g^2`, `w -= rate * g / (sqrt(v) + 1e-8)`, as torch writes it.

    Source: Tieleman and Hinton 2012, "Neural networks for machine learning", lecture 6.5.
    """

    rule = "rmsprop"
    moments = (None, "square")

    def _numbers(self, rate: float, l1: float, l2: float) -> Numbers:
        return Numbers(rate, l1, l2, second=SMOOTHING, epsilon=EPSILON)


class Adam(Optimiser):
    """`m` and `v`, the running means of g and g^2, undone of their start at 0: Kingma and Ba 2015.

    `w -= rate * m' / (sqrt(v') + 1e-8)`, `m' = m / (1 - 0.9^t)`, `v' = v / (1 - 0.999^t)`.
    With `decoupled`, `w -= rate * l2 * w` first instead of L2 in the gradient: Loshchilov and
    Hutter 2019, "Decoupled weight decay regularization".

    Args:
        network: As for every optimiser.
        l2: As for every optimiser, or the decay.
        limits: As for every optimiser.
        decoupled: AdamW.
    """

    rule = "adam"
    moments = ("mean", "square")

    def __init__(
        self,
        network: Layer,
        l2: float = 0.0,
        limits: Limits = NO_LIMITS,
        decoupled: bool = False,
    ) -> None:
        super().__init__(network, l2, limits)
        self._decoupled = decoupled

    def _numbers(self, rate: float, l1: float, l2: float) -> Numbers:
        first, second = BETAS
        return Numbers(
            rate=rate / (1 - first**self.count),
            l1=l1,
            l2=0.0 if self._decoupled else l2,
            shrink=1 - rate * l2 if self._decoupled else 1.0,
            first=first,
            second=second,
            deviation=math.sqrt(1 - second**self.count),
            epsilon=EPSILON,
        )


def optimiser(
    name: Name,
    network: Layer,
    l2: float = 0.0,
    momentum: float = 0.9,
    limits: Limits = NO_LIMITS,
) -> Optimiser:
    """The optimiser of that name; `momentum` is read by `momentum` and `nesterov` alone."""
    match name:
        case "sgd":
            return Sgd(network, l2, limits)
        case "rmsprop":
            return RmsProp(network, l2, limits)
        case "adam" | "adamw":
            return Adam(network, l2, limits, decoupled=name == "adamw")
        case "momentum" | "nesterov":
            return Momentum(network, l2, limits, momentum, nesterov=name == "nesterov")
