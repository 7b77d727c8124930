"""A recipe with its place in a study: what it changes, needs, and may be tried with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bakeoff.core.cell import Replicate
from bakeoff.core.recipe import Recipe
from bakeoff.study.declaration import AGAIN

AGAIN_SEEDS = 1_000_000
"""What the seeds of the control run again are moved by."""
TRIAL_SEEDS = 2 * AGAIN_SEEDS
"""The first of trials: beyond all that are compared."""


class Input(NamedTuple):
    """A recipe whose fitted result another one needs."""

    recipe: str
    """Its unique name."""
    seed: int | None
    """None: the seed of the recipe that needs it."""


@dataclass(frozen=True)
class Planned:
    """A recipe of a study, at one level of its factors.

    Args:
        recipe: Its name is unique in the study.
        plain_name: Without the level.
        changed: What was declared to differ from the control.
        level: Values of the factors.
        inputs: What it needs, by the plain name it refers to.
        tries: The same with other values of the fields that are searched.
        along: Of a recipe that has searched fields from the control: the same with what each of
            the control's tries has in them.
        values: Of these fields: what a try has, or what was chosen; empty until then.
    """

    recipe: Recipe
    plain_name: str
    changed: Mapping[str, Any]
    level: Mapping[str, Any]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    tries: tuple["Planned", ...] = ()
    along: tuple["Planned", ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Unique in the study, and the name of its folder."""
        return self.recipe.name

    @property
    def whole(self) -> tuple["Planned", ...]:
        """It, and what may become of it."""
        return self, *self.tries, *self.along

    @property
    def settled(self) -> bool:
        """Whether nothing of it is left to be chosen."""
        return bool(self.values) or not (self.tries or self.along)

    @property
    def seed_offset(self) -> int:
        """What its seeds are moved by: 0, but for the control run again."""
        return AGAIN_SEEDS if self.plain_name == AGAIN and not self.changed else 0

    def drawn(self, replicate: Replicate) -> Replicate:
        """What it runs with where a replicate is planned."""
        return replicate.at_seed(replicate.seed + self.seed_offset)
