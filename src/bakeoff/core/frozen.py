"""Frozen, validated values: the base of every setting a user can write down."""

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bakeoff.core.errors import InputError, nearest, suggest


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
            faults = [(fault["loc"], fault) for fault in error.errors(include_url=False)]
            raise InputError(_tell(cls, faults, where)) from None


def later(default: Any) -> Any:
    """The default of a field that came when records of its class were made already.

    `plain` leaves the field out where it has that value: recipes that do not use it keep their
    keys, and what was recorded before reads as it would be written today.
    """
    return Field(default, exclude_if=lambda value: value == default)


_Fault = tuple[tuple[int | str, ...], Any]
"""A fault of pydantic's, and where it is below the place that is looked at."""
_SHAPES = {"dict_type": "mapping", "tuple_type": "list", "list_type": "list"}


def _tell(kind: object, faults: Sequence[_Fault], path: str) -> list[str]:
    """The faults below one place in our words.

    Args:
        kind: The type annotation of that place.
        faults: With locations that start there.
        path: Of that place in the user's file.
    """
    members = _members(kind)
    told = [_tell_here(members, fault, path) for location, fault in faults if not location]
    groups: dict[int | str, list[_Fault]] = {}
    for location, fault in faults:
        if location:
            groups.setdefault(location[0], []).append((location[1:], fault))
    if not groups:
        return told
    if len(members) == 1:
        return told + _tell_inside(members[0], groups, path)
    # A union. Pydantic puts in front what a member is told by: the value of the field `name`
    # where that decides, and otherwise the name of its type; then every member has its faults.
    first = next(iter(groups))
    for member in members:
        if len(groups) == 1 and first in _tags(member):
            return told + _tell(member, groups[first], path)
    return told + _tell_union(members, groups, path)


def _tell_inside(
    kind: object, groups: Mapping[int | str, Sequence[_Fault]], path: str
) -> list[str]:
    """Faults of the fields of a model, or of the parts of a container."""
    if not _is_model(kind):
        inner = get_args(kind)
        part = (inner[1] if get_origin(kind) in (dict, Mapping) else inner[0]) if inner else Any
        return [
            line for key, faults in groups.items() for line in _tell(part, faults, _join(path, key))
        ]
    fields = _fields(kind)
    told: list[str] = []
    meant: set[str | None] = set()
    missing: dict[str, str] = {}
    for key, faults in groups.items():
        name, place = str(key), _join(path, key)
        kinds = {fault["type"] for location, fault in faults if not location}
        if "extra_forbidden" in kinds:
            meant.add(nearest(name, fields))
            allowed = ", ".join(sorted(fields))
            told.append(f"{place}: unknown field{suggest(name, fields)} (allowed: {allowed})")
        elif "missing" in kinds:
            missing[name] = f"{place}: this field is required"
        else:
            told += _tell(fields.get(name, Any), faults, place)
    return told + [line for name, line in missing.items() if name not in meant]


def _tell_union(
    members: Sequence[object], groups: Mapping[int | str, Sequence[_Fault]], path: str
) -> list[str]:
    """Faults of the member that was meant, where one stands out, or else what all would take."""
    named = {member.__name__: member for member in members if isinstance(member, type)}
    inside: list[list[str]] = []
    wanted: list[str] = []
    received: Any = None
    for key, faults in groups.items():
        # A type with a validator of its own is told as `function-after[validator(), Type]`.
        member = named.get(str(key).rpartition(", ")[2].rstrip("]"), Any)
        at_once = [fault for location, fault in faults if not location]
        if at_once:
            received = at_once[0]
            wanted.append(_wanted([member], received).removeprefix("input should be "))
        else:
            inside.append(_tell(member, faults, path))
            wanted.append(_fields_text(member))
    inside.sort(key=len)
    if inside and (len(inside) == 1 or len(inside[0]) < len(inside[1])):
        return inside[0]
    message = f"input should be {', or '.join(dict.fromkeys(wanted))}"
    if received is None:
        return [_at(path, message)]
    literals = [name for faults in groups.values() for _, fault in faults for name in _names(fault)]
    return [_at(path, message + _received(received["input"], literals))]


def _tell_here(members: Sequence[object], fault: Any, path: str) -> str:
    """What one fault says of its own place."""
    if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
        tags = [tag for member in members for tag in _tags(member)]
        given = fault["ctx"].get("tag")
        message = f"input should be {' or '.join(map(repr, tags))}"
        received = "" if given is None else _received(given, tags)
        return _at(_join(path, fault["ctx"]["discriminator"].strip("'")), message + received)
    return _at(path, _wanted(members, fault) + _received(fault["input"], _names(fault)))


def _wanted(members: Sequence[object], fault: Any) -> str:
    """What should have been there."""
    if fault["type"] in ("model_type", "model_attributes_type"):
        fields = " or ".join(_fields_text(member) for member in members if _is_model(member))
        return f"input should be {fields}"
    if fault["type"] in _SHAPES:
        return f"input should be a {_SHAPES[fault['type']]}"
    if fault["type"] == "too_short":
        return f"input should be a list of {fault['ctx']['min_length']} or more"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _received(value: object, allowed: Sequence[str]) -> str:
    near = suggest(value, allowed) if isinstance(value, str) else ""
    shown = repr(value)
    return f"{near} (received {shown if len(shown) <= 60 else shown[:57] + '...'})"


def _names(fault: Any) -> list[str]:
    """The names a Literal allows."""
    expected = fault.get("ctx", {}).get("expected", "") if fault["type"] == "literal_error" else ""
    return [name.strip("' ") for name in expected.replace(" or ", ", ").split(", ") if name]


def _at(path: str, message: str) -> str:
    return f"{path}: {message}" if path else message


def _join(path: str, part: int | str) -> str:
    return f"{path}.{part}" if path else str(part)


def _members(kind: object) -> list[object]:
    """What an annotation may hold besides None: several types where it is a union."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        parts = [part for part in get_args(kind) if part is not NoneType]
        return [member for part in parts for member in _members(part)]
    return [kind]


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _fields(kind: object) -> dict[str, object]:
    """The annotations of a model's fields, by the names users write."""
    fields = getattr(kind, "model_fields", {})
    return {field.alias or name: field.annotation for name, field in fields.items()}


def _fields_text(kind: object) -> str:
    return f"a mapping with {', '.join(sorted(_fields(kind))) or 'other fields'}"


def _tags(kind: object) -> tuple[str, ...]:
    """The values of the field `name` that tell a model from others."""
    name = getattr(kind, "model_fields", {}).get("name")
    if name is None or get_origin(name.annotation) is not Literal:
        return ()
    return get_args(name.annotation)


def plain(value: BaseModel) -> dict[str, Any]:
    """A frozen value as JSON-ready data, defaults included but for those of `later` fields."""
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
