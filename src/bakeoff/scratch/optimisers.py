"""Optimisers: torch's formulas, in place.

L2 adds `l2 * w` to the gradient of every weight (`adamw` shrinks the weight itself instead), L1
`l1 * sign(w)`, and sign 0 = 0. Clipping comes before both, the bound on norms after the update.
All work goes in pieces that fit the processor's cache: an update reads each number from main
memory once, however many passes its formula takes.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from bakeoff.core.protocols import Arrays, State
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.memory import Array

Name = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"]
PIECE = 16384
"""Numbers worked on at a time: five float32 pieces are 320 KiB."""
CLIP_EPSILON = 1e-6
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
class _Piece:
    """A run of one parameter: flat views of values, gradient, moments, spare memory."""

    values: Array
    gradient: Array
    l1: float
    l2: float
    moments: tuple[Array, ...]
    spare: Array


class Optimiser:
    """Changes a network's parameters by its gradients.

    Args:
        network: Its parameters are changed in place; its gradients are used up.
        l2: Of the weights; biases and gains have none.
        limits: Of weights and gradients.
    """

    moments: ClassVar[tuple[str, ...]] = ()
    """Names of the arrays it keeps for every parameter."""

    def __init__(self, network: Layer, l2: float = 0.0, limits: Limits = NO_LIMITS) -> None:
        self.count = 0
        self._limits = limits
        self._weights = [network.parameters[path] for path in network.weights]
        self._moments = {
            name: {path: np.zeros_like(p) for path, p in network.parameters.items()}
            for name in self.moments
        }
        self._pieces: list[_Piece] = []
        for path, values in network.parameters.items():
            arrays = [values, network.gradients[path]]
            arrays += [self._moments[name][path] for name in self.moments]
            penalties = (limits.l1, l2) if path in network.weights else (0.0, 0.0)
            self._pieces += _pieces(arrays, penalties, np.empty(PIECE, values.dtype))

    def step(self, rate: float) -> None:
        """One update at this learning rate."""
        self.count += 1
        if self._limits.clip is not None:
            self._shorten(self._limits.clip)
        for piece in self._pieces:
            if piece.l1:
                np.sign(piece.values, out=piece.spare)
                np.multiply(piece.spare, piece.l1, out=piece.spare)
                np.add(piece.gradient, piece.spare, out=piece.gradient)
            self._update(piece, rate)
        if self._limits.max_norm is not None:
            self._bound(self._limits.max_norm)
        if self.count % SWEEP == 0:
            self._sweep()

    def _shorten(self, longest: float) -> None:
        """Scale all gradients down where their common norm is greater."""
        squares = sum(float(np.dot(p.gradient, p.gradient)) for p in self._pieces)
        share = longest / (math.sqrt(squares) + CLIP_EPSILON)
        # Not a number where a gradient is not: divergence must show, not be cut off.
        if not share >= 1:
            for piece in self._pieces:
                np.multiply(piece.gradient, share, out=piece.gradient)

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
        for piece in self._pieces:
            for moment in piece.moments:
                np.copyto(moment, 0, where=np.abs(moment, out=piece.spare) < TINY)

    def _update(self, piece: _Piece, rate: float) -> None:
        raise NotImplementedError

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


def _pieces(arrays: list[Array], penalties: tuple[float, float], spare: Array) -> list[_Piece]:
    """Flat views of equal runs of arrays of one size; `penalties` are L1 and L2."""
    flat = [array.reshape(-1) for array in arrays]
    if not all(np.shares_memory(f, a) for f, a in zip(flat, arrays, strict=True)):
        raise ValueError("parameters and gradients must be C-contiguous")
    pieces = []
    for start in range(0, flat[0].size, PIECE):
        values, gradient, *moments = (f[start : start + PIECE] for f in flat)
        pieces.append(_Piece(values, gradient, *penalties, tuple(moments), spare[: values.size]))
    return pieces


def _add_l2(piece: _Piece) -> None:
    """The penalty's gradient."""
    if piece.l2:
        np.multiply(piece.values, piece.l2, out=piece.spare)
        np.add(piece.gradient, piece.spare, out=piece.gradient)


class Sgd(Optimiser):
    """`w -= rate * g`. Robbins and Monro 1951, "A stochastic approximation method"."""

    def _update(self, piece: _Piece, rate: float) -> None:
        _add_l2(piece)
        np.multiply(piece.gradient, rate, out=piece.spare)
        np.subtract(piece.values, piece.spare, out=piece.values)


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

    moments = ("velocity",)

    def __init__(
        self,
        network: Layer,
        l2: float = 0.0,
        limits: Limits = NO_LIMITS,
        momentum: float = 0.9,
        nesterov: bool = False,
    ) -> None:
        super().__init__(network, l2, limits)
        self._momentum, self._nesterov = momentum, nesterov

    def _update(self, piece: _Piece, rate: float) -> None:
        _add_l2(piece)
        (velocity,) = piece.moments
        np.multiply(velocity, self._momentum, out=velocity)
        np.add(velocity, piece.gradient, out=velocity)
        if self._nesterov:
            np.multiply(velocity, self._momentum, out=piece.spare)
            np.add(piece.spare, piece.gradient, out=piece.spare)
            np.multiply(piece.spare, rate, out=piece.spare)
        else:
            np.multiply(velocity, rate, out=piece.spare)
        np.subtract(piece.values, piece.spare, out=piece.values)


class RmsProp(Optimiser):
    """`v = 0.99 v + 0.01 g^2`, `w -= rate * g / (sqrt(v) + 1e-8)`, as torch writes it.

    Source: Tieleman and Hinton 2012, "Neural networks for machine learning", lecture 6.5.
    """

    moments = ("square",)
    smoothing: ClassVar[float] = 0.99
    epsilon: ClassVar[float] = 1e-8

    def _update(self, piece: _Piece, rate: float) -> None:
        _add_l2(piece)
        (square,), gradient, spare = piece.moments, piece.gradient, piece.spare
        np.multiply(gradient, gradient, out=spare)
        np.multiply(spare, 1 - self.smoothing, out=spare)
        np.multiply(square, self.smoothing, out=square)
        np.add(square, spare, out=square)
        np.sqrt(square, out=spare)
        np.add(spare, self.epsilon, out=spare)
        np.divide(gradient, spare, out=spare)
        np.multiply(spare, rate, out=spare)
        np.subtract(piece.values, spare, out=piece.values)


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

    moments = ("mean", "square")
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    epsilon: ClassVar[float] = 1e-8

    def __init__(
        self,
        network: Layer,
        l2: float = 0.0,
        limits: Limits = NO_LIMITS,
        decoupled: bool = False,
    ) -> None:
        super().__init__(network, l2, limits)
        self._decoupled = decoupled

    def _update(self, piece: _Piece, rate: float) -> None:
        if not self._decoupled:
            _add_l2(piece)
        elif piece.l2:
            np.multiply(piece.values, 1 - rate * piece.l2, out=piece.values)
        (first, second), gradient, spare = self.betas, piece.gradient, piece.spare
        mean, square = piece.moments
        np.subtract(gradient, mean, out=spare)
        np.multiply(spare, 1 - first, out=spare)
        np.add(mean, spare, out=mean)
        np.multiply(gradient, gradient, out=gradient)
        np.multiply(gradient, 1 - second, out=gradient)
        np.multiply(square, second, out=square)
        np.add(square, gradient, out=square)
        np.sqrt(square, out=spare)
        np.divide(spare, math.sqrt(1 - second**self.count), out=spare)
        np.add(spare, self.epsilon, out=spare)
        np.divide(mean, spare, out=spare)
        np.multiply(spare, rate / (1 - first**self.count), out=spare)
        np.subtract(piece.values, spare, out=piece.values)


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
