"""Frozen, validated values: the base of every setting a user can write down."""

from collections.abc import Mapping
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from bakeoff.core.errors import InputError, suggest


class Frozen(BaseModel):
    """An immutable value; unknown fields are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=False, allow_inf_nan=False, protected_namespaces=()
    )

    @classmethod
    def parse(cls, value: object, where: str = "") -> Self:
        """Validate `value`; every fault is told at once, with the nearest names.

        Args:
            value: A mapping, as read from YAML or JSON.
            where: The path of `value` in the user's file, to begin each message with.

        Raises:
            InputError: naming every field that is unknown or has a value that is not allowed.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise InputError([_tell(cls, fault, where) for fault in error.errors()]) from None


def _tell(model: type[BaseModel], fault: Any, where: str) -> str:
    """One pydantic fault in our words."""
    location = [str(part) for part in fault["loc"]]
    path = ".".join(part for part in [where, *_without_tags(model, location)] if part)
    if fault["type"] == "extra_forbidden":
        allowed = sorted(_fields_at(model, location[:-1]))
        near = suggest(location[-1], allowed)
        return f"{path}: unknown field{near} (allowed: {', '.join(allowed)})"
    if fault["type"] == "missing":
        return f"{path}: this field is required"
    message = fault["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    received = fault["input"]
    if isinstance(received, str):
        expected = fault.get("ctx", {}).get("expected", "")
        message += suggest(received, [name.strip("' ") for name in _split_expected(expected)])
    shown = repr(received)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return f"{path}: {message} (received {shown})"


def _split_expected(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(", ")


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """The model classes an annotation may hold, through unions and containers."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType) or get_args(annotation):
        return [model for part in get_args(annotation) for model in _models_in(part)]
    return []


def _walk(model: type[BaseModel], location: list[str]) -> tuple[list[type[BaseModel]], list[str]]:
    """The models reached by a location, and the location without the union tags pydantic adds."""
    models, path = [model], []
    for part in location:
        fields = [m.model_fields[part] for m in models if part in m.model_fields]
        if fields:
            models = [found for field in fields for found in _models_in(field.annotation)]
            path.append(part)
            continue
        tagged = [m for m in models if part in (m.__name__, _tag(m))]
        if tagged:
            models = tagged
        else:
            path.append(part)
    return models, path


def _tag(model: type[BaseModel]) -> str | None:
    """The value of the field a discriminated union tells the model by."""
    name = model.model_fields.get("name")
    return name.default if name is not None and isinstance(name.default, str) else None


def _fields_at(model: type[BaseModel], location: list[str]) -> set[str]:
    models, _ = _walk(model, location)
    return {name for found in models for name in found.model_fields}


def _without_tags(model: type[BaseModel], location: list[str]) -> list[str]:
    return _walk(model, location)[1]


def plain(value: BaseModel) -> dict[str, Any]:
    """A frozen value as JSON-ready data, defaults included."""
    return value.model_dump(mode="json")


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping from dotted path to leaf."""
    leaves: dict[str, Any] = {}
    for key, inner in value.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(inner, Mapping) and inner:
            leaves |= flatten(inner, path)
        else:
            leaves[path] = inner
    return leaves
