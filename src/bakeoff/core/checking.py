"""What is known before anything runs, and techniques that can tell by it what would fail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from bakeoff.core.protocols import Predictor
from bakeoff.core.recipe import Ref, Settings


@dataclass(frozen=True)
class Offer:
    """What a study offers to one of its recipes.

    Args:
        shape: (H, W, C) of an image; () of a text.
        examples: The fewest training examples of any cell.
        by_class: The fewest of each class, by its name; empty where labels are numbers.
        inputs: Untrained predictors of the recipes whose vectors it reads, by name.
    """

    shape: tuple[int, ...]
    examples: int
    by_class: Mapping[str, int]
    inputs: Mapping[str, Predictor] = field(default_factory=dict)


@runtime_checkable
class Checking(Protocol):
    """A technique that can tell before anything runs which settings certain data cannot serve."""

    def check(self, settings: Settings, offer: Offer) -> None:
        """Look at settings beside the data, and beside other recipes that they refer to.

        Raises:
            InputError: naming the setting, what was received and what is allowed.
        """
        ...


@runtime_checkable
class OnEncoders(Protocol):
    """A technique that reads the vectors of other recipes, where its settings name one."""

    def untrained_on(self, settings: Settings, offer: Offer) -> Predictor:
        """As `untrained`, on the untrained predictor that is offered.

        Raises:
            InputError: where that gives no vectors.
        """
        ...


def vectors_from(settings: Settings) -> str | None:
    """The recipe whose vectors settings ask for; None: they ask for none's."""
    encoder = getattr(settings, "encoder", None)
    return encoder.recipe if isinstance(encoder, Ref) else None
