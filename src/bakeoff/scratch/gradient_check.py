"""Gradients against central differences: `(f(x + h) - f(x - h)) / 2h`, in float64.

The layer's outputs are weighed with random numbers, as if these were the gradient that arrives
from above: a fault in any output shows in the one number that is differentiated.
Source: the usual check; see Baydin et al. 2018, "Automatic differentiation in machine learning",
section 2.1, for the errors of h too large and too small.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.protocols import Position
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import SoftmaxCrossEntropy
from bakeoff.scratch.memory import Array

STEP = 1e-5
"""h: its cube root is near float64's rounding, where both errors of the quotient balance."""
TOLERANCE = 1e-7
AT = Position(step=0, epoch=0, learning_rate=0.0)


@dataclass(frozen=True)
class GradientError:
    """How far one gradient is from central differences.

    Args:
        name: The parameter's path, or `inputs`.
        relative: `|analytic - numeric| / (|analytic| + |numeric|)`, Euclidean; 0 where both are 0.
        checked: Coordinates compared.
    """

    name: str
    relative: float
    checked: int

    @property
    def right(self) -> bool:
        """Whether the gradient is right as far as float64 can tell."""
        return self.relative <= TOLERANCE


def check_layer(
    layer: Layer, inputs: Array, generator: np.random.Generator, limit: int = 200
) -> tuple[GradientError, ...]:
    """Check a layer's gradients at its parameters and inputs.

    Args:
        layer: With float64 parameters.
        inputs: (B, ...) float64, away from kinks by more than `STEP`.
        generator: Draws the upstream gradient, and the coordinates where there are too many.
        limit: Coordinates of each array that are compared at most.
    """
    upstream = generator.standard_normal(layer.forward(inputs, AT).shape)

    def function() -> float:
        return float(np.vdot(layer.forward(inputs, AT), upstream))

    function()
    to_inputs = layer.backward(upstream)
    if to_inputs is None:
        raise ValueError(f"{layer.kind}: no gradient at the inputs")
    pairs = [("inputs", inputs, to_inputs.copy()), *_parameters(layer)]
    return _compare(function, pairs, generator, limit)


def check_classifier(
    network: Layer,
    inputs: Array,
    labels: NDArray[np.int64],
    generator: np.random.Generator,
    limit: int = 200,
) -> tuple[GradientError, ...]:
    """Check a network's gradients under the mean softmax cross-entropy of a batch.

    Args:
        network: With float64 parameters, and logits (B, K) as outputs.
        inputs: (B, ...) float64.
        labels: (B,) int64.
        generator: Draws the coordinates where there are too many.
        limit: Coordinates of each array that are compared at most.
    """
    loss = SoftmaxCrossEntropy()

    def function() -> float:
        return float(loss.forward(network.forward(inputs, AT), labels).mean())

    function()
    network.backward(loss.backward(len(labels)), to_inputs=False)
    return _compare(function, _parameters(network), generator, limit)


def _parameters(layer: Layer) -> Iterator[tuple[str, Array, Array]]:
    for path, values in layer.parameters.items():
        yield path, values, layer.gradients[path].copy()


def _compare(
    function: Callable[[], float],
    pairs: Iterable[tuple[str, Array, Array]],
    generator: np.random.Generator,
    limit: int,
) -> tuple[GradientError, ...]:
    """Each named array's analytic gradient against the function's differences along it."""
    errors = []
    for name, values, analytic in list(pairs):
        chosen = np.arange(values.size)
        if values.size > limit:
            chosen = np.sort(generator.choice(values.size, limit, replace=False))
        numeric = np.array([_difference(function, values, int(i)) for i in chosen])
        exact = analytic.reshape(-1)[chosen]
        size = float(np.linalg.norm(exact) + np.linalg.norm(numeric))
        distance = float(np.linalg.norm(exact - numeric))
        errors.append(GradientError(name, distance / size if size else 0.0, len(chosen)))
    return tuple(errors)


def _difference(function: Callable[[], float], values: Array, index: int) -> float:
    """The central difference along one coordinate; `values` ends as it began."""
    place = np.unravel_index(index, values.shape)
    kept = values[place]
    values[place] = kept + STEP
    above = function()
    values[place] = kept - STEP
    below = function()
    values[place] = kept
    return (above - below) / (2 * STEP)
