"""Recipes: all settings of one technique on one data set, as a frozen, validated value."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, SerializeAsAny, model_validator

from bakeoff.core.frozen import Frozen, plain


class FolderSource(Frozen):
    """Images in class folders, with or without `train/validation/test` above them."""

    folder: str
    """Its path, from the current folder."""
    size: Annotated[int, Field(ge=4, le=1024)] | None = None
    """Side in pixels that images are resized to; None: their own size, if all have the same."""
    channels: Literal["auto", "grey", "rgb"] = "auto"
    """`auto`: grey if every image is grey, else colour."""


class TableSource(Frozen):
    """Rows of a CSV, TSV, JSONL or Parquet file: texts with labels, or numbers with a target.

    With `target` they are numbers: that column is predicted from `inputs`. Else they are texts,
    whose columns are guessed where they are not named.
    """

    table: str
    """Path of the file, from the current folder; its ending says how it is read."""
    text: str | None = None
    """The column of texts."""
    label: str | None = None
    """The column of classes."""
    target: str | None = None
    """The column of numbers to be predicted."""
    inputs: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The columns it is predicted from; None: all that have no other role."""
    group: str | None = None
    """Examples of one group (document, author, patient) stay on one side of every split."""
    split: str | None = None
    """The column that says `train`, `validation` or `test`; None: a fifth is set aside as test."""
    id: str | None = None
    """The column of what examples are called; None: their row numbers."""

    @model_validator(mode="after")
    def _one_kind(self) -> "TableSource":
        texts = [name for name in ("text", "label") if getattr(self, name) is not None]
        if self.target is not None and texts:
            raise ValueError(
                f"target (a table of numbers) and {' and '.join(texts)} (a table of texts) "
                "exclude each other"
            )
        if self.inputs is not None and self.target is None:
            raise ValueError("inputs need a target: the column that is predicted from them")
        return self


class HubSource(Frozen):
    """Labelled texts of a data set of the Hugging Face hub, or of a folder laid out like one.

    Columns and splits are guessed by their usual names where they are not named.
    """

    hub: str
    """Its id, `owner/name`, or a folder."""
    configuration: str | None = None
    """Its part, where it has several."""
    revision: str | None = None
    """A commit, a tag or a branch; None: what is newest now. A note of the data set tells the
    commit."""
    text: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """One column, or several that are put together with a space between them."""
    label: str | None = None
    """The column of classes."""
    group: str | None = None
    """The column whose equal values stay on one side of every split."""
    train: str | None = None
    """What the split to learn from is called there."""
    validation: str | None = None
    """The split that validates."""
    test: str | None = None
    """The split that is sealed."""

    @model_validator(mode="after")
    def _a_split_has_one_use(self) -> "HubSource":
        named = [name for name in (self.train, self.validation, self.test) if name is not None]
        if len(set(named)) < len(named):
            raise ValueError(f"{', '.join(named)} received as splits (allowed: each split once)")
        return self


class CorpusSource(Frozen):
    """A text file, whose text is to be foretold."""

    corpus: str
    """Path of the file, from the current folder; UTF-8."""
    words: Annotated[int, Field(ge=1)] = 400
    """Lines are put together to documents of about so many words: what is scored as one."""


Framework = Literal["numpy", "torch", "keras"]
"""What a network computes in: NumPy with the scratch layers, PyTorch, or Keras on TensorFlow."""
DatasetReference = str | FolderSource | TableSource | HubSource | CorpusSource
"""A name of the catalogue, a folder of images, a table of texts or numbers, texts of a hub, or a
text file."""


class DataSettings(Frozen):
    """Which examples a recipe learns from. Test is fixed; validation is drawn per seed."""

    set: DatasetReference
    classes: tuple[str, ...] | None = None
    """Only these classes, in this order; None: all."""
    labels: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    """Label budget: this many training examples, stratified, drawn per seed."""
    validation: Annotated[float, Field(gt=0, lt=1)] | Annotated[int, Field(ge=1, strict=True)] = 0.1
    """Share of the training examples carved off, stratified, where no validation is published; a
    whole number: so many examples, also of published ones (about so many are carved off, since
    copies and groups stay together)."""
    normalise: Literal["auto", "none", "channel", "feature"] = "auto"
    """Pixels to mean 0 and SD 1 per channel or per pixel, fitted on training examples only;
    `none` scales to 0..1; `auto` is `channel` for images and `none` for texts."""


DeviceName = Literal["auto", "cpu", "cuda"]
"""`auto`: a GPU where there is one."""


class Numerics(Frozen):
    """How numbers are computed. `auto` is resolved once a study and recorded."""

    device: DeviceName = "auto"
    """`auto`: a GPU where there is one; NumPy and Keras compute on processors."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto`: bfloat16 matrix products where the device has units for them. NumPy: float32."""
    threads: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """`auto`: as many as there are cores."""
    deterministic: bool = True
    """The same bits on the same machine, also after an interruption."""
    compile: bool | Literal["auto"] = "auto"
    """Training passes as one compiled program; `auto`: where that is sooner done, compiling
    included. Of `cnn`; other techniques compute as ever."""
    channels_last: bool = True
    """Torch's images lie in memory pixel by pixel, not channel by channel."""
    resident: bool = True
    """Torch keeps the training images on its device, where there is room for them."""

    def described(self) -> dict[str, Any]:
        """As plain data, without fields that came later and say what was so before there were any.

        So keys, plans and records of earlier versions hold. Read back, `compile` is to be taken
        for false where it is missing.
        """
        return {k: v for k, v in plain(self).items() if (k, v) not in BEFORE.items()}


BEFORE: Mapping[str, bool] = {"compile": False, "channels_last": True, "resident": True}
"""What `Numerics` did before it had these fields."""


class Settings(Frozen):
    """Base of what a technique adds to a recipe: its own sections (model, training, ...)."""


class Ref(Frozen):
    """The fitted result of another recipe of the study, same seed unless given."""

    recipe: str
    """Its name in the study."""
    seed: Annotated[int, Field(ge=0)] | None = None
    """Of the fit, for all seeds; None: each uses that of its own seed."""


class Recipe(Frozen):
    """All settings of one technique on one data set. The name is not part of what it is."""

    name: str
    technique: str
    data: DataSettings
    numerics: Numerics = Numerics()
    settings: SerializeAsAny[Settings]

    def resolved(self) -> dict[str, Any]:
        """Everything but the name as JSON-ready data, in the layout of a study file."""
        return {
            "technique": self.technique,
            "data": plain(self.data),
            "numerics": self.numerics.described(),
            **plain(self.settings),
        }


def renamed(content: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A resolved recipe with other names for the recipes it refers to.

    Args:
        content: As `Recipe.resolved` gives it.
        names: What each is to be called; one that is not among them loses its name.
    """
    return {key: _renamed(value, names) for key, value in content.items()}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        if value.keys() >= Ref.model_fields.keys():
            return {**value, "recipe": names.get(value["recipe"], "")}
        return renamed(value, names)
    return [_renamed(inner, names) for inner in value] if isinstance(value, list) else value


T = TypeVar("T")


def parts(value: object, kind: type[T]) -> Iterator[T]:
    """Every value of a class inside a setting, depth first."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from parts(getattr(value, name), kind)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from parts(inner, kind)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from parts(inner, kind)


def references(value: object) -> Iterator[Ref]:
    """Every `Ref` inside a setting, depth first."""
    return parts(value, Ref)
