"""Write docs/fields.md: every field that a study file may have, from the classes that read it.

python docs/fields.py            rewrites the page
python docs/fields.py --check    exits with 1 where it differs
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bakeoff.core.augmentation import AugmentationSettings
from bakeoff.core.recipe import (
    CorpusSource,
    DataSettings,
    FolderSource,
    HubSource,
    Numerics,
    Ref,
    TableSource,
)
from bakeoff.core.views import PredictionSettings
from bakeoff.models.settings import ModelSettings
from bakeoff.study.declaration import Reference
from bakeoff.study.study import Study
from bakeoff.techniques import find, frameworks_of, names
from bakeoff.training.settings import LoopSettings, TaughtSettings, TrainingSettings

PAGE = Path(__file__).resolve().parent / "fields.md"
Model: TypeAlias = type[BaseModel]
SOURCES: tuple[Model, ...] = (FolderSource, TableSource, HubSource, CorpusSource)
SHARED: tuple[Model, ...] = (LoopSettings, TrainingSettings, TaughtSettings)
"""What several techniques call `training`, each with all that the one before has."""
ELSEWHERE: dict[Any, str] = {
    AugmentationSettings: "[augmentation](#augmentation)",
    PredictionSettings: "[prediction](#prediction)",
    Ref: "the name of another recipe of the study: `{recipe: NAME}`; with `seed: 0`, its fit with "
    "that seed for all",
}
"""What is told once, and referred to."""
IMAGES = "a [model of images](#models-of-images)"
NAMES = {"numpy": "NumPy", "torch": "PyTorch", "keras": "Keras"}
WORDS: dict[Any, tuple[str, str]] = {
    bool: ("`true`, `false`", ""),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
}
"""What one is called, and several."""
OPENING = """# Fields of a study

Every field that a study file may have, with its default and what is allowed. The page is made from
the classes that read them (`python docs/fields.py`), and a test holds it to them. In a variant
`training.epochs: 5` changes one field and `training: {...}` replaces the section; on the command
line `--set training.epochs=5` changes it in every recipe. `bakeoff show STUDY` tells what a file
comes to; misspelt fields are refused, with the nearest name."""


def page() -> str:
    """The whole page."""
    return "\n\n".join([OPENING, *_of_studies(), *_of_all_recipes(), *_of_techniques()]) + "\n"


def _of_studies() -> Iterator[str]:
    yield "## The study"
    yield _table(_rows(Study))
    yield (
        "[How verdicts are reached](verdicts.md) tells of `metric`, `margin` and `seeds`,\n"
        "[cross-validation](cross-validation.md) of `resampling`. Each of `references` is a line\n"
        "in the report's drawings:"
    )
    yield _table(_rows(Reference))
    yield "## The data set"
    yield "`dataset` is a name (`bakeoff list datasets`) or one of these mappings."
    for source in SOURCES:
        yield _paragraph(source)
        yield _table(_rows(source))


def _of_all_recipes() -> Iterator[str]:
    yield "## Every recipe"
    yield (
        "A recipe is a `technique`, what the technique reads (below), `data` and `numerics`. The\n"
        "control may have a `name`; variants have theirs."
    )
    yield _table([*_rows(DataSettings, "data", skip=("set",)), *_rows(Numerics, "numerics")])
    yield "## Training"
    yield (
        "Of all techniques with a loop. Where a technique has other defaults, it is said there;\n"
        "not every framework has every [addition](training.md)."
    )
    yield _table(_rows(TaughtSettings, "training"))
    yield "## Augmentation"
    yield _paragraph(AugmentationSettings)
    yield _table(_rows(AugmentationSettings, "augmentation"))
    yield "## Prediction"
    yield _paragraph(PredictionSettings)
    yield _table(_rows(PredictionSettings, "prediction"))
    yield "## Models of images"
    yield "What `model` may be where PyTorch reads images; [more about them](vision.md)."
    for model in _members(ModelSettings):
        yield _paragraph(model)
        yield _table(_rows(model, "model"))


def _of_techniques() -> Iterator[str]:
    yield "## Techniques"
    for name in sorted(names()):
        technique = find(name)
        frameworks = ", ".join(NAMES[framework] for framework in frameworks_of(technique))
        yield f"### `{name}`"
        yield f"{technique.summary[0].upper()}{technique.summary[1:]}. Computes with {frameworks}."
        settings = technique.settings
        if rows := _rows(settings):
            yield _table(rows)
        for field, info in settings.model_fields.items():
            if (base := _base(info.annotation)) is not None:
                yield _differences(field, info.annotation, base)


def _differences(name: str, kind: Any, base: Model) -> str:
    """A section of a technique beside the one that all have."""
    changed = [
        f"`{field}` {_default(info)}"
        for field, info in kind.model_fields.items()
        if field in base.model_fields and info.default != base.model_fields[field].default
    ]
    lacking = [f for f in TaughtSettings.model_fields if f not in kind.model_fields]
    said = f"`{name}` is [as above](#training)"
    said += f", without {', '.join(f'`{field}`' for field in lacking)}" if lacking else ""
    return said + (f"; by default {', '.join(changed)}." if changed else ".")


def _base(kind: Any) -> Model | None:
    """The last of the shared sections that a class has everything of."""
    if not _is_model(kind):
        return None
    return next((base for base in reversed(SHARED) if issubclass(kind, base)), None)


Row: TypeAlias = tuple[str, str, str, str]


def _rows(model: Model, path: str = "", skip: Sequence[str] = ()) -> list[Row]:
    """Path, default, what is allowed and meaning of all fields, those of sections included."""
    rows: list[Row] = []
    told = _told(model)
    for name, info in model.model_fields.items():
        if name in skip:
            continue
        place = f"{path}.{name}" if path else name
        meaning = " ".join(told.get(name, "").split()).replace("None:", "`null`:")
        if name == "name" and get_origin(info.annotation) is Literal:
            meaning = _first(model)
        rows += _rows_of(place, info, meaning)
    return rows


def _rows_of(place: str, info: FieldInfo, meaning: str) -> list[Row]:
    kind, members = info.annotation, _members(info.annotation)
    if place == "training" and (base := _base(kind)) is not None:
        return _rows(members[0], place, skip=tuple(base.model_fields))
    if len(members) == 1 and members[0] in ELSEWHERE:
        return [(place, _default(info), ELSEWHERE[members[0]], meaning or _first(members[0]))]
    of_images = set(_members(ModelSettings)) <= set(members)
    own = [m for m in members if _is_model(m) and not (of_images and m in _members(ModelSettings))]
    if not own or members == list(SOURCES) or not all(map(_is_model, members)):
        allowed = IMAGES if of_images else _allowed(kind, info.metadata)
        return [(place, _default(info), allowed, meaning or ("What learns." if of_images else ""))]
    if members == own and len(own) == 1 and not _optional(kind):
        return _rows(own[0], place)
    allowed = f"{IMAGES}, or a mapping" if of_images else "a mapping"
    alone = len(own) == 1 and not of_images
    told = meaning or (_first(own[0]) if alone else "Told apart by `name`.")
    rows = [(place, _default(info), allowed, told)]
    return [*rows, *(row for model in own for row in _rows(model, place))]


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    value = info.get_default(call_default_factory=True)
    if value is None:
        return "`null`"
    if isinstance(value, BaseModel):
        return f"`{getattr(value, 'name', '{}')}`"
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "{}" if value == {} else str(value)


def _allowed(kind: Any, bounds: Sequence[Any] = (), many: bool = False) -> str:
    """What a field may hold, in words; `many`: what a list may hold."""
    if get_origin(kind) is Annotated:
        inner, *more = get_args(kind)
        metadata = [part for info in more for part in getattr(info, "metadata", [info])]
        return _allowed(inner, [*bounds, *metadata], many)
    if get_origin(kind) in (Union, UnionType):
        parts = [part for part in get_args(kind) if part is not NoneType]
        return " or ".join(dict.fromkeys(_allowed(part, bounds, many) for part in parts))
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) in (tuple, list):
        inner = [part for part in get_args(kind) if part is not Ellipsis]
        count = "" if Ellipsis in get_args(kind) or len(inner) < 2 else f"{len(inner)} "
        return f"a list of {count}{_allowed(inner[0], many=True)}"
    if get_origin(kind) is dict or _is_model(kind):
        return "mappings" if many else "a mapping"
    one, several = WORDS.get(kind, ("", ""))
    return f"{several if many else one}{_range(bounds)}"


def _range(bounds: Sequence[Any]) -> str:
    told = {Ge: "from {0.ge}", Gt: "above {0.gt}", Le: "to {0.le}", Lt: "below {0.lt}"}
    found = [told[type(bound)].format(bound) for bound in bounds if type(bound) in told]
    return f" {' '.join(found)}" if found else ""


def _members(kind: Any) -> list[Any]:
    """What an annotation may be besides None."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [m for part in get_args(kind) if part is not NoneType for m in _members(part)]
    return [kind]


def _optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


@cache
def _told(model: Model) -> dict[str, str]:
    """What the docstrings of a class and its bases say of its fields."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if not _is_model(kind) or kind is BaseModel:
            continue
        found |= _arguments(inspect.getdoc(kind) or "")
        body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, below in zip(body.body, [*body.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                text = getattr(getattr(below, "value", None), "value", None)
                if isinstance(below, ast.Expr) and isinstance(text, str):
                    found[field.target.id] = text
    return found


def _arguments(doc: str) -> dict[str, str]:
    """The fields that a section `Args:` tells of."""
    section = re.search(r"^Args:\n((?: {4}.*\n?|\n)+)", doc, re.MULTILINE)
    if section is None:
        return {}
    told = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section[1], re.MULTILINE)
    return dict(told)


def _first(model: Model) -> str:
    """What a class is, in a sentence."""
    return " ".join((inspect.getdoc(model) or "").split("\n\n")[0].split())


def _paragraph(model: Model) -> str:
    """What a class is, and what is to be known of it."""
    parts = (inspect.getdoc(model) or "").split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in parts if not part.startswith("Args:"))


def _table(rows: Sequence[Row]) -> str:
    lines = ["| field | default | allowed | |", "|---|---|---|---|"]
    for place, *others in rows:
        cells = " | ".join(text.replace("|", "\\|") for text in others)
        lines.append(f"| `{place}` | {cells} |")
    return "\n".join(lines)


def main() -> int:
    """Rewrite or check the page."""
    made = page()
    stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made
    if stale and "--check" not in sys.argv[1:]:
        PAGE.write_text(made, encoding="utf-8")
    if stale:
        print(f"{'stale' if '--check' in sys.argv[1:] else 'rewritten'}: {PAGE.name}")
    return int(stale and "--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
