"""Labelled texts of the Hugging Face hub, or of a folder laid out like one, through `datasets`.

Version 4 of that library, which is needed, runs no code of a data set. It is the extra `hub` and
loads with the first data set. What it gives is read as a table's rows are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from bakeoff.core.errors import InputError, first_line, shown, suggest
from bakeoff.core.offline import is_offline
from bakeoff.core.recipe import HubSource, TableSource
from bakeoff.data.dataset import SPLIT_NAMES, Dataset
from bakeoff.data.tables import USUAL_NAMES, texts_of_rows
from bakeoff.data.tabular import Rows

OLDEST = 4
"""The first version of the library that cannot run code of a data set."""
SPLIT = "(the hub's split)"
TOGETHER = "(columns of texts)"
"""What the columns are called that are made here: no publisher's names."""


@dataclass(frozen=True)
class HubSplit:
    """A split as the library gives it.

    Args:
        columns: By name, all of one length; None where a value is missing.
        classes: The class names of columns whose values are numbers of them.
    """

    columns: Mapping[str, Sequence[Any]]
    classes: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        """Its rows."""
        return len(next(iter(self.columns.values()), ()))


def load_hub(source: HubSource) -> Dataset:
    """The texts of a data set of a hub.

    Offline, the hub is not asked. What the library has in its own cache is read where
    `HF_HUB_OFFLINE` is set when the program starts.

    Args:
        source: Which, and its columns and splits where they should not be guessed.

    Raises:
        InputError: where the library is missing or too old, the hub cannot be reached, there is no
            such data set, or its columns or splits cannot be told.
    """
    library = _library()
    folder = Path(source.hub).expanduser()
    local = folder.is_dir()
    if is_offline() and not local and not _cached_alone(library):
        raise InputError(
            f"data set {{hub: {shown(source.hub)}}}: downloads are off (with HF_HUB_OFFLINE=1 what "
            "`datasets` has in its cache is read; a folder can be given by its path)"
        )
    revision = None if local else _commit(source, library)
    try:
        found = library.load_dataset(
            str(folder) if local else source.hub, source.configuration, revision=revision
        )
    except Exception as error:  # as many kinds as there are ways to fail
        raise InputError(f"data set {{hub: {shown(source.hub)}}}: {first_line(error)}") from None
    splits = {str(name): _split(part, library) for name, part in found.items()}
    note = () if revision is None else (f"revision {revision}",)
    return from_splits(source, splits, note)


def from_splits(
    source: HubSource, splits: Mapping[str, HubSplit], notes: tuple[str, ...] = ()
) -> Dataset:
    """A data set of the splits that were read.

    Splits without any label are left out and told.

    Args:
        source: Columns and splits where they should not be guessed.
        splits: By the publisher's names.
        notes: What is known of them already.

    Raises:
        InputError: where a split or a column is missing, or the labels are no classes.
    """
    where = Path(source.hub)
    chosen, left_out = _choose(source, splits)
    label = source.label or _usual_label(chosen[0][1])
    columns: dict[str, list[Any]] = {}
    used, names = [], tuple(chosen[0][1].columns)
    for role, split in chosen:
        if lacking := sorted({*names} ^ {*split.columns}):
            raise InputError(f"{where}: not all splits have the columns {', '.join(lacking)}")
        rows = _named(split)
        if role != "train" and label in rows and all(value is None for value in rows[label]):
            left_out = (*left_out, f"split for {role} left out: it has no labels")
            continue
        used.append(role)
        for name, values in rows.items():
            columns.setdefault(name, []).extend(values)
        columns.setdefault(SPLIT, []).extend([role] * len(split))
    text = source.text
    if isinstance(text, tuple):
        columns[TOGETHER] = _together(where, columns, text)
        text = TOGETHER
    lines = list(range(1, len(columns[SPLIT]) + 1))
    asked = TableSource(
        table=source.hub, text=text, label=source.label, group=source.group, split=SPLIT
    )
    order = chosen[0][1].classes.get(label or "", ())
    return texts_of_rows(where, Rows(columns, lines, (*notes, *left_out)), asked, order)


def _choose(
    source: HubSource, splits: Mapping[str, HubSplit]
) -> tuple[list[tuple[str, HubSplit]], tuple[str, ...]]:
    """The splits by their use, train first, and a note on those that have none.

    Raises:
        InputError: where a split that was named is not there, or none can be told for training.
    """
    asked = {role: getattr(source, role) for role in SPLIT_NAMES}
    taken = {name for name in asked.values() if name is not None}
    faults, found = [], {}
    for role, name in asked.items():
        if name is not None and name not in splits:
            faults.append(
                f"{source.hub}: {role}: there is no split '{shown(name)}'"
                f"{suggest(name, sorted(splits))}"
            )
        usual = [s for s in splits if s.lower() in SPLIT_NAMES[role] and s not in taken]
        if name is None and len(usual) == 1:
            name = usual[0]
        if name in splits and len(splits[name]):
            found[role] = name
    if not faults and "train" not in found:
        faults.append(f"{source.hub}: no split has a usual name to learn from; name one")
    if faults:
        raise InputError([*faults, f"  splits: {', '.join(sorted(splits))}"])
    unused = sorted({*splits} - {*found.values()})
    note = (f"splits that are not used: {', '.join(unused)}",) if unused else ()
    return [(role, splits[name]) for role, name in found.items()], note


def _named(split: HubSplit) -> dict[str, list[Any]]:
    """The columns, with names in the place of numbers of classes; None where that is below 0."""
    out = {}
    for name, values in split.columns.items():
        classes = split.classes.get(name)
        if classes is None:
            out[name] = list(values)
        else:
            out[name] = [None if v is None or v < 0 else classes[v] for v in values]
    return out


def _usual_label(split: HubSplit) -> str | None:
    """The column with a usual name for the label, where there is one such."""
    found = [name for name in split.columns if name.strip().lower() in USUAL_NAMES["label"]]
    return found[0] if len(found) == 1 else None


def _together(
    where: Path, columns: Mapping[str, list[Any]], names: tuple[str, ...]
) -> list[str | None]:
    """Several columns of texts as one; None where all of them lack it.

    Raises:
        InputError: where there is no such column, or one holds something else.
    """
    for name in names:
        if name not in columns:
            raise InputError(
                f"{where}: text: there is no column '{shown(name)}'"
                f"{suggest(name, sorted(columns))} (columns: {', '.join(sorted(columns))})"
            )
        if any(not isinstance(value, str | None) for value in columns[name]):
            raise InputError(f"{where}: text: column '{shown(name)}' holds other things than texts")
    rows = zip(*(columns[name] for name in names), strict=True)
    return [" ".join(part for part in row if part) or None for row in rows]


def _library() -> Any:
    """The library `datasets`, in a version that runs no code of a data set.

    Raises:
        InputError: where it is missing or too old.
    """
    try:
        datasets: Any = import_module("datasets")
    except ImportError:
        raise InputError(
            'data sets of a hub need the library `datasets`: pip install "bakeoff[hub]"'
        ) from None
    version = str(datasets.__version__)
    if int(version.partition(".")[0]) < OLDEST:
        raise InputError(
            f"data sets of a hub need `datasets` {OLDEST} or later, {version} received: earlier "
            "ones can run code that a data set brings along"
        )
    return datasets


def _cached_alone(library: Any) -> bool:
    """Whether the library itself was told to ask nobody, and reads its cache alone."""
    return bool(getattr(library.config, "HF_HUB_OFFLINE", False))


def _commit(source: HubSource, library: Any) -> str | None:
    """The commit that a revision stands for now, or the revision itself where nobody may be asked.

    Raises:
        InputError: where the hub cannot be reached or has no such data set.
    """
    if _cached_alone(library):
        return source.revision
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(source.hub, revision=source.revision).sha)
    except Exception as error:  # as many kinds as there are ways of not being reached
        raise InputError(
            f"data set {{hub: {shown(source.hub)}}}: the hub has none such, or was not reached: "
            f"{first_line(error)}"
        ) from None


def _split(part: Any, library: Any) -> HubSplit:
    """A split of the library's, read into memory but for columns of images, lists and the like."""
    simple = (library.Value, library.ClassLabel)
    classes = {
        name: tuple(feature.names)
        for name, feature in part.features.items()
        if isinstance(feature, library.ClassLabel)
    }
    read = [name for name, feature in part.features.items() if isinstance(feature, simple)]
    return HubSplit({name: list(part[name]) for name in read}, classes)
