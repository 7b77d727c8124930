"""Which optimisers there are, what each remembers, and what each framework has: the one table.

Below every framework, so that all of them, NumPy alone too, read the same constants. Formulas are
each framework's own: `scratch.optimisers` and `training/{torch,keras}/optimisers.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bakeoff.core.recipe import Framework

OptimizerName = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon"]
EVERYWHERE: frozenset[Framework] = frozenset({"numpy", "torch", "keras"})


@dataclass(frozen=True)
class Kind:
    """One optimiser.

    Attributes:
        moments: What it remembers of every parameter's gradients.
        frameworks: Where there is one.
    """

    moments: tuple[str, ...] = ()
    frameworks: frozenset[Framework] = EVERYWHERE


OPTIMISERS: Mapping[OptimizerName, Kind] = {
    "sgd": Kind(),
    "momentum": Kind(("velocity",)),
    "nesterov": Kind(("velocity",)),
    "rmsprop": Kind(("square",)),
    "adam": Kind(("mean", "square")),
    "adamw": Kind(("mean", "square")),
    "muon": Kind(("velocity",), frozenset({"torch"})),
}
"""By the names of `training.optimizer`."""
FIELDS: Mapping[str, frozenset[Framework]] = {
    "lookahead": frozenset({"torch"}),
    "averaging": frozenset({"torch"}),
    "teacher": frozenset({"numpy", "torch"}),
}
"""Optional fields of settings of training that not every framework reads, and those that do."""

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Of `adam` and `adamw`: the paper's (Kingma and Ba 2015, "Adam", algorithm 1)."""
SMOOTHING = 0.99
"""Of `rmsprop`: what is kept of the mean square, torch's."""
CLIP_EPSILON = 1e-6
"""Added to the norm that gradients are scaled down by, as torch does."""


def names_in(framework: Framework) -> tuple[OptimizerName, ...]:
    """The optimisers of a framework, in the order of the table."""
    return tuple(name for name, kind in OPTIMISERS.items() if framework in kind.frameworks)
