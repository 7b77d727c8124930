"""Cells: one recipe with one replicate: what is run, resumed, cached and sent elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import Field

from bakeoff.core.errors import InputError
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.frozen import Frozen, plain
from bakeoff.core.recipe import Recipe, renamed
from bakeoff.core.streams import Streams

Purpose = Literal["final", "trial", "input"]
Key = str
"""16 hexadecimal digits that stand for all a cell's result depends on."""


LABEL = re.compile(r"(\d+)(?:\.repeat-([1-9]\d*))?(?:\.fold-(\d+))?")
"""How a replicate is written down: its folder's name without `seed-`."""


class Folds(Frozen):
    """A way to cut the training part into folds; with a repeat's number it fixes the cut."""

    count: Annotated[int, Field(ge=2)]
    seed: Annotated[int, Field(ge=0)] = 0


class Replicate(Frozen):
    """What pairs two recipes: a seed, and a fold where there is cross-validation."""

    seed: Annotated[int, Field(ge=0)]
    fold: Annotated[int, Field(ge=0)] | None = None
    repeat: Annotated[int, Field(ge=0)] = 0

    @property
    def label(self) -> str:
        """How it is written down: `0`, or `0.fold-2`, or `0.repeat-1.fold-2`."""
        name = str(self.seed)
        if self.repeat:
            name += f".repeat-{self.repeat}"
        return name if self.fold is None else f"{name}.fold-{self.fold}"

    @classmethod
    def labelled(cls, label: str) -> Self:
        """The replicate of a label.

        Raises:
            InputError: where it is none.
        """
        found = LABEL.fullmatch(label)
        if found is None:
            raise InputError(f"{label!r}: not a replicate (as in 0, 0.fold-2, 0.repeat-1.fold-2)")
        seed, repeat, fold = found.groups()
        return cls(
            seed=int(seed), fold=None if fold is None else int(fold), repeat=int(repeat or 0)
        )

    @property
    def folder(self) -> str:
        """The name of its folder: `seed-0`, or `seed-0.fold-2`, or `seed-0.repeat-1.fold-2`."""
        return f"seed-{self.label}"

    @property
    def order(self) -> tuple[int, int, int]:
        """To sort by: seed, repeat, fold; what is fitted on everything comes first."""
        return self.seed, self.repeat, -1 if self.fold is None else self.fold

    def at_seed(self, seed: int) -> Self:
        """The same fold with another seed."""
        return self.model_copy(update={"seed": seed})

    @property
    def split(self) -> Literal["fold", "test"]:
        """What its cells are scored on: the fold held out, or the test split."""
        return "test" if self.fold is None else "fold"

    @property
    def streams(self) -> Streams:
        """Its random streams: folds draw apart, also with one seed."""
        if self.fold is None:
            return Streams(self.seed)
        return Streams(self.seed, "fold", self.repeat, self.fold)


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
        purpose: `final`: to be scored; `trial`: of a search; `input`: to be fitted for other cells
            and not scored, so that the test split stays sealed.
        folds: How the training part was cut, where the replicate has a fold.
        weights: SHA-256 of the pretrained weights that the recipe names, by those names.
    """

    recipe: Recipe
    replicate: Replicate
    data_hash: str
    split_hash: str
    version: int
    inputs: Mapping[str, Key] = field(default_factory=dict)
    purpose: Purpose = "final"
    folds: Folds | None = None
    weights: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """A hash of everything the result depends on; names are no part of it."""
        content: dict[str, object] = {
            "recipe": renamed(self.recipe.resolved(), self.inputs),
            "replicate": plain(self.replicate),
            "data": self.data_hash,
            "split": self.split_hash,
            "inputs": sorted(self.inputs.values()) or {},  # {} keeps the keys of earlier versions
            "version": self.version,
            "purpose": self.purpose,
        }
        if self.folds is not None:
            content["folds"] = plain(self.folds)
        if self.weights:
            content["weights"] = dict(self.weights)
        return digest(canonical_json(content))[:16]

    @property
    def folder(self) -> str:
        """Its place below `cells/`: recipe and replicate."""
        return f"{self.recipe.name}/{self.replicate.folder}"
