"""Update rules: how weights follow from gradients, and the numbers a rule needs."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Rule = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam"]
MOMENTS: Mapping[Rule, tuple[bool, bool]] = {
    "sgd": (False, False),
    "momentum": (True, False),
    "nesterov": (True, False),
    "rmsprop": (False, True),
    "adam": (True, True),
}
"""Whether a rule keeps a velocity or mean of gradients, and a mean of squared gradients."""


class Numbers(NamedTuple):
    """What an update needs besides arrays; a rule reads those that it knows.

    Args:
        rate: What a step is multiplied by.
        l1: Times the sign of a weight is added to its gradient.
        l2: Times the weight is added to it, too.
        shrink: Weights are multiplied by it (`adam`).
        first: Share of the velocity, or of the mean of gradients, that is kept.
        second: Share of the mean of squared gradients that is kept.
        deviation: What the root of that mean is divided by (`adam`).
        epsilon: Added to what a step is divided by.
    """

    rate: float
    l1: float = 0.0
    l2: float = 0.0
    shrink: float = 1.0
    first: float = 0.0
    second: float = 0.0
    deviation: float = 1.0
    epsilon: float = 0.0
