"""Cells: one recipe with one replicate: what is run, resumed, cached and sent elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from bakeoff.core.files import canonical_json, digest
from bakeoff.core.frozen import Frozen, plain
from bakeoff.core.recipe import Recipe

Key = str
"""16 hexadecimal digits that stand for all a cell's result depends on."""


class Replicate(Frozen):
    """What pairs two recipes: a seed, and a fold where there is cross-validation."""

    seed: Annotated[int, Field(ge=0)]
    fold: int | None = None
    repeat: int = 0

    @property
    def folder(self) -> str:
        """The name of its folder: `seed-0`, or `seed-0.fold-2`, or `seed-0.repeat-1.fold-2`."""
        name = f"seed-{self.seed}"
        if self.repeat:
            name += f".repeat-{self.repeat}"
        return name if self.fold is None else f"{name}.fold-{self.fold}"


@dataclass(frozen=True)
class Cell:
    """One recipe with one replicate.

    Args:
        recipe: Resolved: no `auto` left in its numerics and data settings.
        replicate: Seed and fold.
        inputs: The keys of the cells whose fitted results it needs, by recipe name.
        data_hash: Of the data set's items and labels.
        split_hash: Of the indices of train, validation and test.
        version: The technique's; raised when its numbers change.
    """

    recipe: Recipe
    replicate: Replicate
    data_hash: str
    split_hash: str
    version: int
    inputs: Mapping[str, Key] = field(default_factory=dict)
    purpose: Literal["final", "trial"] = "final"

    @property
    def key(self) -> Key:
        """A hash of everything the result depends on; names are no part of it."""
        content = {
            "recipe": self.recipe.resolved(),
            "replicate": plain(self.replicate),
            "data": self.data_hash,
            "split": self.split_hash,
            "inputs": dict(self.inputs),
            "version": self.version,
            "purpose": self.purpose,
        }
        return digest(canonical_json(content))[:16]

    @property
    def folder(self) -> str:
        """Its place below `cells/`: recipe and replicate."""
        return f"{self.recipe.name}/{self.replicate.folder}"
