"""Gradients against central differences: `(f(x + h) - f(x - h)) / 2h`, in float64.

The layer's outputs are weighed with random numbers, as if these were the gradient that arrives
from above: a fault in any output shows in the one number that is differentiated.

Where a kink (of ReLU, of a maximum) lies between x - h and x + h there is no derivative to compare
with. Half the step shows it: a smooth function's quotient stays what it was. Such coordinates are
left out, by what f does alone, whatever the gradient says.
Source: the usual check; see Baydin et al. 2018, "Automatic differentiation in machine learning",
section 2.1, for the errors of h too large and too small.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.protocols import Position
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import Loss
from bakeoff.scratch.memory import Array

STEP = 1e-5
"""h: its cube root is near float64's rounding, where both errors of the quotient balance."""
TOLERANCE = 1e-7
ROUNDING = 8 * float(np.finfo(np.float64).eps) / STEP
"""What rounding makes of a quotient, as a share of the numbers that f is summed up from."""
AT = Position(step=0, epoch=0, learning_rate=0.0)


@dataclass(frozen=True)
class GradientError:
    """How far one gradient is from central differences.

    Args:
        name: The parameter's path, or `inputs`.
        relative: `|analytic - numeric| / (|analytic| + |numeric|)`, Euclidean; of gradients so
            small that the differences' rounding alone would exceed the tolerance, what the
            distance is of the smallest that are not.
        checked: Coordinates compared.
        kinks: Coordinates left out because a kink is near.
    """

    name: str
    relative: float
    checked: int
    kinks: int = 0

    @property
    def right(self) -> bool:
        """Whether the gradient is right as far as float64 can tell."""
        return self.relative <= TOLERANCE and self.checked > self.kinks


def check_layer(
    layer: Layer, inputs: Array, generator: np.random.Generator, limit: int = 200
) -> tuple[GradientError, ...]:
    """Check a layer's gradients at its parameters and inputs.

    Args:
        layer: With float64 parameters.
        inputs: (B, ...) float64.
        generator: Draws the upstream gradient, and the coordinates where there are too many.
        limit: Coordinates of each array that are compared at most.
    """
    outputs = layer.forward(inputs, AT)
    upstream = generator.standard_normal(outputs.shape)
    scale = float(np.linalg.norm(outputs) * np.linalg.norm(upstream))

    def function() -> float:
        return float(np.vdot(layer.forward(inputs, AT), upstream))

    to_inputs = layer.backward(upstream)
    if to_inputs is None:
        raise ValueError(f"{layer.kind}: no gradient at the inputs")
    pairs = [("inputs", inputs, to_inputs.copy()), *_parameters(layer)]
    return _compare(function, pairs, generator, limit, scale)


def check_loss(
    loss: Loss,
    outputs: Array,
    labels: NDArray[np.int64],
    generator: np.random.Generator,
    limit: int = 200,
) -> GradientError:
    """Check a loss's gradient at a network's outputs; the error is named `outputs`.

    Args:
        loss: Its mean over the batch is differentiated.
        outputs: (B, K) float64.
        labels: (B,) int64.
        generator: Draws the coordinates where there are too many.
        limit: Coordinates that are compared at most.
    """

    def function() -> float:
        return float(loss.forward(outputs, labels).mean())

    scale = max(1.0, abs(function()))
    pairs = [("outputs", outputs, loss.backward(len(labels)).copy())]
    (error,) = _compare(function, pairs, generator, limit, scale)
    return error


def _parameters(layer: Layer) -> Iterator[tuple[str, Array, Array]]:
    for path, values in layer.parameters.items():
        yield path, values, layer.gradients[path].copy()


def _compare(
    function: Callable[[], float],
    pairs: Iterable[tuple[str, Array, Array]],
    generator: np.random.Generator,
    limit: int,
    scale: float,
) -> tuple[GradientError, ...]:
    """Each named array's analytic gradient against the function's differences along it.

    Args:
        function: f, of the arrays as they are at each call.
        pairs: Name, array, analytic gradient.
        generator: Draws coordinates.
        limit: Coordinates of each array.
        scale: Size of the numbers that f is summed up from.
    """
    noise, errors = scale * ROUNDING, []
    for name, values, analytic in list(pairs):
        chosen = np.arange(values.size)
        if values.size > limit:
            chosen = np.sort(generator.choice(values.size, limit, replace=False))
        found = [_differences(function, values, int(i)) for i in chosen]
        numeric, unrest = np.array(found).reshape(-1, 2).T
        # Not a number is no kink, but an error.
        kinks = unrest > 2 * noise + TOLERANCE / 100 * np.abs(numeric)
        exact = analytic.reshape(-1)[chosen]
        size = float(np.linalg.norm(exact[~kinks]) + np.linalg.norm(numeric[~kinks]))
        distance = float(np.linalg.norm((exact - numeric)[~kinks]))
        least = noise * np.sqrt(len(chosen)) / TOLERANCE
        relative = distance / max(size, least)
        errors.append(GradientError(name, relative, len(chosen), int(kinks.sum())))
    return tuple(errors)


def _differences(function: Callable[[], float], values: Array, index: int) -> tuple[float, float]:
    """The central difference along one coordinate, and how restless f is there; `values` stay.

    With half the step, a smooth function's central difference stays, and its second difference
    `(f(x + h) - 2 f(x) + f(x - h)) / h` halves. A kink between shows in the first, unless it is
    at x itself: that shows in the second.
    """
    place = np.unravel_index(index, values.shape)
    kept, here = values[place], function()
    slopes, bends = [], []
    for step in (STEP, STEP / 2):
        values[place] = kept + step
        above = function()
        values[place] = kept - step
        below = function()
        slopes.append((above - below) / (2 * step))
        bends.append((above - 2 * here + below) / step)
    values[place] = kept
    return slopes[0], abs(slopes[0] - slopes[1]) + abs(bends[0] - 2 * bends[1]) / 4
