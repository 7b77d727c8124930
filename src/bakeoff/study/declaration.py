"""What a study declares: one control, variants as changed fields, factors, metric, seeds, folds."""

import itertools
from collections.abc import Mapping, Sequence, Set
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from bakeoff.core.cell import Folds
from bakeoff.core.errors import InputError, nearest
from bakeoff.core.frozen import Frozen, later
from bakeoff.core.measures import in_words, scale_of
from bakeoff.core.recipe import DatasetReference
from bakeoff.study.grid import overlap
from bakeoff.study.looks import plan_looks

Changes = dict[str, Any]
STAND_IN = {"technique": "majority"}
"""Changes that are right with any control."""
RECIPES = ("resampling", "metric", "variants", "factors", "search")
"""Besides data set and control, what a study's recipes depend on."""
NEVER_SEARCHED = ("data", "numerics", "scoring", "technique", "name")
"""Sections whose values decide what a validation score means."""
AGAIN = "again"
"""A variant without changes: the control on other seeds, to see the noise."""


class Reference(Frozen):
    """A figure from elsewhere, drawn as a line beside ours."""

    label: str
    """What stands at the line."""
    value: float
    """Of the study's metric: 0.9125 for 91.25 %."""
    source: str
    """Where it is from."""


class Resampling(Frozen):
    """Cross-validation: the training part is cut into folds, and each is held out once."""

    folds: Annotated[int, Field(ge=2)]
    """Parts, each of which is held out once."""
    repeats: Annotated[int, Field(ge=1)] = 1
    """How often it is cut anew."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the cuts: with the data and a repeat's number it decides them."""
    then_test: bool = False
    """Then fit the recipe with the best mean fold score on the whole training part, for every
    seed, and score it on test."""

    @property
    def cut(self) -> Folds:
        """What a cell has to know of it."""
        return Folds(count=self.folds, seed=self.seed)


class Search(Frozen):
    """Fields whose values are chosen on validation, for every recipe alike, before test is read."""

    grid: dict[str, list[Any]]
    """Values by field, crossed; a recipe is tried with those of the fields that it has."""
    seeds: Annotated[int, Field(ge=1)] = 1
    """How often each combination is tried; none of these seeds is one of the study's."""
    of: tuple[str, ...] | None = None
    """The recipes that are searched: all that have one of the fields, unless told."""
    labels: Annotated[int, Field(ge=1)] | None = later(None)
    """Trials learn from so many examples, and have no more to validate on: cheaper than with all
    that what is compared learns from. None: with all."""

    def only(self, fields: Mapping[str, Set[str]]) -> "Search | None":
        """The search of some recipes alone, by name with the fields that each is tried with."""
        paths = {path for own in fields.values() for path in own}
        if not paths:
            return None
        of = None if self.of is None else tuple(name for name in self.of if fields.get(name))
        grid = {path: values for path, values in self.grid.items() if path in paths}
        return self.model_copy(update={"of": of, "grid": grid})

    @field_validator("grid")
    @classmethod
    def _something_to_choose(cls, grid: dict[str, list[Any]]) -> dict[str, list[Any]]:
        if max((len(values) for values in grid.values()), default=0) < 2:
            raise ValueError("needs a field with two values or more to choose from")
        if found := [path for path in grid if path.partition(".")[0] in NEVER_SEARCHED]:
            raise ValueError(
                f"{', '.join(found)}: cannot be searched, since scores would be of other examples "
                "or on another scale, or computed otherwise (a factor can cross it)"
            )
        return grid


class Declaration(Frozen):
    """The fields of a study; `bakeoff.Study` says what they mean."""

    name: str = "study"
    question: str
    dataset: DatasetReference
    resampling: Resampling | None = None
    metric: str = "test/accuracy"
    margin: Annotated[float, Field(ge=0)] | None = None
    seeds: Any = 5
    control: Changes
    variants: dict[str, Changes] = {}
    factors: dict[str, list[Any]] = {}
    search: Search | None = None
    references: tuple[Reference, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_resampling(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("resampling") is not None:
            return {"metric": "fold/accuracy", "seeds": 1} | dict(value)
        return value

    @field_validator("name")
    @classmethod
    def _one_folder(cls, name: str) -> str:
        if name in ("", ".", "..") or {*name} & {"/", "\\", "\0"}:
            raise ValueError("must be usable as the name of a folder")
        return name

    @field_validator("metric")
    @classmethod
    def _on_what_is_sealed(cls, metric: str, info: ValidationInfo) -> str:
        if "resampling" not in info.data:
            return metric  # its own fault is told
        split = _split(info.data)
        if not metric.startswith(f"{split}/"):
            raise ValueError(
                "must be test/<name>: verdicts are about test examples (fold/<name> is for studies "
                "with resampling)"
                if split == "test"
                else "must be fold/<name>: with resampling, verdicts are about the folds held out"
            )
        return metric

    @field_validator("margin")
    @classmethod
    def _within_reach(cls, margin: float | None, info: ValidationInfo) -> float | None:
        metric = info.data.get("metric")
        if margin is not None and margin >= 1 and metric and scale_of(metric) == "share":
            raise ValueError(
                f"must be less than 1: {in_words(metric)} is a share of 1, so 0.02 are two points"
            )
        return margin

    @field_validator("seeds")
    @classmethod
    def _known_seeds(cls, seeds: Any, info: ValidationInfo) -> Any:
        """With resampling, a number of seeds is judged once: more of them would not decide."""
        resampled = info.data.get("resampling") is not None
        if resampled and seeds == {"race": True}:
            raise ValueError("must be a number or a list with resampling: it is judged once")
        if resampled and isinstance(seeds, int) and not isinstance(seeds, bool):
            seeds = {"exactly": seeds}
        try:
            plan_looks(seeds)
        except InputError as error:
            allowed = str(error).partition("(allowed: ")[2].removesuffix(")")
            raise ValueError(f"must be {allowed}") from None
        return seeds

    @field_validator("variants", mode="before")
    @classmethod
    def _no_changes(cls, variants: Any) -> Any:
        """`again:` with nothing behind it means no changes."""
        if not isinstance(variants, Mapping):
            return variants
        return {name: {} if change is None else change for name, change in variants.items()}

    @field_validator("search")
    @classmethod
    def _searchable(cls, search: Search | None, info: ValidationInfo) -> Search | None:
        if search is None:
            return None
        if info.data.get("resampling") is not None:
            raise ValueError(
                "must be left out with resampling, whose folds choose: among variants or levels of "
                "a factor, with then_test"
            )
        factors = info.data.get("factors", {})
        for path, factor in itertools.product(search.grid, factors):
            if overlap(path, factor):
                raise ValueError(f"{path}: {factor} is a factor, which sets it at every level")
        return search

    @property
    def scored_split(self) -> str:
        """What its recipes are scored on: `test`, or `fold`."""
        return _split({"resampling": self.resampling})

    @property
    def control_name(self) -> str:
        """The control's name: its own, or its technique's."""
        return str(self.control.get("name") or self.control.get("technique"))


def _split(given: Mapping[str, Any]) -> str:
    return "test" if given.get("resampling") is None else "fold"


def readable(content: Mapping[str, Any]) -> Declaration | None:
    """What can be read of a study some of whose fields are at fault, to find faults elsewhere.

    A misspelt field counts as the one that was meant; what is faulty itself is left out.

    Args:
        content: As `Declaration.parse` refused it.

    Returns:
        None where data set or control cannot be read.
    """
    fields = Declaration.model_fields
    given: dict[str, Any] = {}
    for name, value in content.items():
        meant = name if name in fields else nearest(str(name), fields)
        if meant is not None and (meant == name or meant not in content):
            given[meant] = value
    if isinstance(given.get("variants"), Mapping):  # names stay, since others may refer to them
        given["variants"] = {
            name: change if change is None or isinstance(change, Mapping) else STAND_IN
            for name, change in given["variants"].items()
        }
    if isinstance(given.get("factors"), Mapping):
        given["factors"] = {p: v for p, v in given["factors"].items() if isinstance(v, list)}
    kept = {"question": "", **{name: given.get(name) for name in ("dataset", "control")}}
    found: Declaration | None = None
    added: list[dict[str, Any]] = [{name: given[name]} for name in RECIPES if name in given]
    for more in [{}, *added]:
        try:
            found = Declaration.parse(kept | more)
            kept |= more
        except InputError:
            if not more:
                return None
    return found


def changed(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with some fields replaced: `a.b: v` sets one, `a: {...}` replaces all of `a`.

    Raises:
        InputError: where a path goes through something that has no fields, or a field is set in
            something that is replaced as a whole beside it.
    """
    if faults := [
        f"{path}: '{whole}' is replaced beside it, as a whole; write the field into that"
        for path in changes
        for whole in changes
        if path.startswith(f"{whole}.")
    ]:
        raise InputError(faults)
    result = dict(content)
    for path, value in changes.items():
        result = _with(result, path.split("."), value, path)
    return result


def extended(change: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """What a variant changes, with one field more, or another value of it; all else as it was.

    Args:
        change: As in `changed`: dotted paths, and sections that are replaced as a whole.
        path: Of the field, from the recipe on.
        value: What it is to be.
    """
    for whole, inside in change.items():
        if path.startswith(f"{whole}.") and isinstance(inside, Mapping):
            return {**change, whole: changed(inside, {path.removeprefix(f"{whole}."): value})}
    kept = {other: v for other, v in change.items() if not other.startswith(f"{path}.")}
    return {**kept, path: value}


def _with(
    content: Mapping[str, Any], parts: Sequence[str], value: object, path: str
) -> dict[str, Any]:
    """A copy with the field below `parts` set; `path` is told in messages."""
    head, rest = parts[0], parts[1:]
    if not rest:
        return {**content, head: value}
    inner = content.get(head) or {}
    if not isinstance(inner, Mapping):
        raise InputError(f"{path}: '{head}' is {inner!r} and has no field '{rest[0]}'")
    return {**content, head: _with(inner, rest, value, path)}
