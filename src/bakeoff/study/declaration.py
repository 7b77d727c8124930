"""What a study declares: one control, variants as changed fields, factors, a metric, seeds."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, field_validator

from bakeoff.core.errors import InputError
from bakeoff.core.frozen import Frozen
from bakeoff.core.recipe import DatasetReference
from bakeoff.study.looks import plan_looks

Changes = dict[str, Any]
AGAIN = "again"
"""A variant without changes: the control on other seeds, to see the noise."""


class Reference(Frozen):
    """A figure from elsewhere, drawn as a line beside ours."""

    label: str
    value: float
    source: str


class Declaration(Frozen):
    """The fields of a study; `bakeoff.Study` says what they mean."""

    name: str = "study"
    question: str
    dataset: DatasetReference
    metric: str = "test/accuracy"
    margin: Annotated[float, Field(ge=0)] | None = None
    seeds: Any = 5
    control: Changes
    variants: dict[str, Changes] = {}
    factors: dict[str, list[Any]] = {}
    references: tuple[Reference, ...] = ()

    @field_validator("name")
    @classmethod
    def _one_folder(cls, name: str) -> str:
        if name in ("", ".", "..") or {*name} & {"/", "\\", "\0"}:
            raise ValueError("must be usable as the name of a folder")
        return name

    @field_validator("metric")
    @classmethod
    def _on_test(cls, metric: str) -> str:
        if not metric.startswith("test/"):
            raise ValueError("must be test/<name>: verdicts are about test examples")
        return metric

    @field_validator("seeds")
    @classmethod
    def _known_seeds(cls, seeds: Any) -> Any:
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

    @property
    def control_name(self) -> str:
        """The control's name: its own, or its technique's."""
        return str(self.control.get("name") or self.control.get("technique"))


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
