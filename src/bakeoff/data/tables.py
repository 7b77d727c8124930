"""Tables of texts: one row an example, columns named or guessed by their usual names."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError, suggest
from bakeoff.core.examples import Examples
from bakeoff.core.recipe import TableSource
from bakeoff.data.dataset import SPLIT_NAMES, Dataset, hold_out_test
from bakeoff.data.tabular import Rows, read_rows

USUAL_NAMES = {
    "text": (
        *("text", "texts", "sentence", "content", "review", "document", "comment", "message"),
        *("tweet", "post", "body", "question", "utterance"),
    ),
    "label": ("label", "labels", "target", "class", "category", "sentiment", "intent", "y"),
    "group": ("group", "groups", "group_id"),
    "split": ("split",),
    "id": ("id", "idx", "guid"),
}
"""What each role's column is usually called; compared without regard to case."""
REQUIRED = ("text", "label")
MOST_LEFT_OUT = 0.1
"""If more rows than this share lack a text or a label, the wrong column is more likely."""
MOST_CLASSES = 1000
SHOWN = 5


@dataclass(frozen=True)
class _Columns:
    """The columns by role, cleaned: all of one length."""

    text: list[str]
    label: list[str]
    split: list[str] | None
    group: list[str | None] | None
    id: list[str]
    notes: list[str]


def load_table(source: TableSource) -> Dataset:
    """The texts of a table.

    Rows without a text or a label are left out and told in the notes. Classes are the different
    labels, sorted; as numbers where all are numbers. Without a test split, a fifth of the examples
    is set aside, the same ones for every seed.

    Args:
        source: The file, and the columns where they should not be guessed.

    Returns:
        N texts; an example's identity is its id column, or else its row number from 0.

    Raises:
        InputError: where the file cannot be read, a column is missing or could be several, too
            many rows lack something, or the labels are no classes.
    """
    path = Path(source.table).expanduser()
    return texts_of_rows(path, read_rows(path), source)


def texts_of_rows(
    path: Path, rows: Rows, source: TableSource, order: tuple[str, ...] = ()
) -> Dataset:
    """The texts of rows that were read, as `load_table` gives them.

    Args:
        path: Where they come from, for names and messages.
        rows: What was read.
        source: The columns where they should not be guessed.
        order: Class names in their publisher's order; () sorts them.

    Raises:
        InputError: as `load_table`.
    """
    names, notes = _choose_columns(path, rows, source)
    columns = _clean(path, rows, names, source)
    classes = _classes(path, names["label"], columns.label)
    if {*order} >= {*classes}:
        classes = tuple(name for name in order if name in classes)
    index = {name: i for i, name in enumerate(classes)}
    labels = np.array([index[label] for label in columns.label], dtype=np.int64)
    groups = None if columns.group is None else group_codes(columns.group)
    whole = Examples(columns.text, labels, np.array(columns.id, dtype=np.str_), groups)
    notes = [*rows.notes, *notes, *columns.notes]
    if columns.split is None:
        train, test, note = hold_out_test(whole, classes, str(path))
        return Dataset(str(path), "text", classes, train, test, None, (*notes, note))
    return _with_splits(path, whole, classes, columns.split, notes)


def read_texts(
    source: TableSource, classes: tuple[str, ...] = (), needed: tuple[str, ...] = ()
) -> Examples:
    """Every text of a table in its own order, labelled or not: what is to be predicted.

    Args:
        source: The file, and the columns where they should not be guessed. Label and id are not
            needed, even where their columns are named.
        classes: The names labels are looked up in.
        needed: Roles whose columns must be there if they are named, all the same.

    Returns:
        N texts, empty ones too; label -1 where there is none or it is not among `classes`.

    Raises:
        InputError: where the file cannot be read, or its text column cannot be told.
    """
    path = Path(source.table).expanduser()
    rows = read_rows(path)
    optional = [role for role in ("label", "id") if role not in needed]
    lacking = [role for role in optional if getattr(source, role) not in rows.columns]
    source = source.model_copy(update=dict.fromkeys(lacking))
    names, _ = _choose_columns(path, rows, source, required=("text",))
    texts = [text or "" for text in strings(path, rows, names["text"], numbers=False)]
    labels = np.full(len(texts), -1, dtype=np.int64)
    if "label" in names:
        index = {name: i for i, name in enumerate(classes)}
        found = strings(path, rows, names["label"], numbers=True)
        labels[:] = [index.get(label or "", -1) for label in found]
    ids, _ = identities(path, rows, names, list(range(len(texts))), guessed=source.id is None)
    return Examples(texts, labels, np.array(ids, dtype=np.str_))


def _with_splits(
    path: Path, whole: Examples, classes: tuple[str, ...], splits: list[str], notes: list[str]
) -> Dataset:
    names = np.array(splits)
    parts = {name: whole.take(np.flatnonzero(names == name)) for name in SPLIT_NAMES}
    if not len(parts["train"]):
        raise InputError(f"{path}: no row belongs to train (found: {', '.join(sorted({*splits}))})")
    known = set(parts["train"].labels.tolist())
    faults = []
    for name in ("validation", "test"):
        if extra := sorted(set(parts[name].labels.tolist()) - known):
            labels = ", ".join(f"'{classes[i]}'" for i in extra[:SHOWN])
            faults.append(f"{path}: labels in {name} that are not in train: {labels}")
    if faults:
        raise InputError(faults)
    validation = parts["validation"] if len(parts["validation"]) else None
    train, test = parts["train"], parts["test"]
    if not len(test):
        train, test, note = hold_out_test(train, classes, str(path))
        notes = [*notes, note]
    if whole.groups is not None and (shared := _shared_groups(parts)):
        notes = [*notes, f"{shared} groups have rows in more than one split of the file"]
    return Dataset(str(path), "text", classes, train, test, validation, tuple(notes))


def _choose_columns(
    path: Path, rows: Rows, source: TableSource, required: tuple[str, ...] = REQUIRED
) -> tuple[dict[str, str], list[str]]:
    """The column of each role, and notes on those that were guessed."""
    available = list(rows.columns)
    chosen: dict[str, str] = {}
    notes: list[str] = []
    faults: list[str] = []
    for role, usual in USUAL_NAMES.items():
        named = getattr(source, role)
        if named is not None:
            if named not in available:
                near = suggest(named, available)
                faults.append(f"{path}: {role}: there is no column '{named}'{near}")
            chosen[role] = named
            continue
        found = [name for name in available if name.strip().lower() in usual]
        if len(found) == 1:
            chosen[role] = found[0]
            notes.append(f"column '{found[0]}' taken for the {role}")
        elif found and role == "id":
            notes.append(f"{' and '.join(found)} could be the id: row numbers are")
        elif found and "label" not in required:
            notes.append(f"{' and '.join(found)} could be the {role}: none is")
        elif found:
            faults.append(f"{path}: the {role} could be any of {', '.join(found)}; name one")
        elif role in required:
            faults.append(f"{path}: no column has a usual name for the {role}; name one")
    columns = list(chosen.values())
    if doubled := sorted({name for name in columns if columns.count(name) > 1}):
        faults.append(f"{path}: column '{doubled[0]}' cannot have two roles")
    if faults:
        raise InputError([*faults, *_how_to_name(path, available, required)])
    return chosen, notes


def _how_to_name(path: Path, available: list[str], required: tuple[str, ...]) -> list[str]:
    """What columns there are, and how to say which counts."""
    shown = ", ".join(f"'{name[:40]}'" for name in available)
    so = "--text COLUMN, --id COLUMN"  # of what is predicted, which needs no labels
    if "label" in required:
        so = f"{{table: {path}, text: COLUMN, label: COLUMN}}"
    lines = [f"  columns: {shown}", f"  name them so: {so}"]
    if _no_header(available):
        lines.append("  the first line looks like data: a line with column names is needed")
    return lines


def _no_header(names: list[str]) -> bool:
    return any(len(name) > 60 or name.strip().lstrip("-").isdigit() for name in names)


def _clean(path: Path, rows: Rows, names: dict[str, str], source: TableSource) -> _Columns:
    """Texts and labels as strings; rows that lack one are left out."""
    texts = strings(path, rows, names["text"], numbers=False)
    labels = strings(path, rows, names["label"], numbers=True)
    keep: list[int] = []
    lacking: dict[str, list[int]] = {"text": [], "label": []}
    for i, (text, label) in enumerate(zip(texts, labels, strict=True)):
        missing = "text" if not (text or "").strip() else "label" if not label else None
        if missing is None:
            keep.append(i)
        else:
            lacking[missing].append(rows.lines[i])
    notes = [
        f"{len(lines)} rows without a {what} left out (lines {_first(lines)})"
        for what, lines in lacking.items()
        if lines
    ]
    if len(keep) < (1 - MOST_LEFT_OUT) * len(texts):
        raise InputError(
            [f"{path}: {note}" for note in notes]
            + [f"  over {MOST_LEFT_OUT:.0%} of the rows: are these the columns? {_roles(names)}"]
        )
    damaged = [rows.lines[i] for i in keep if "\ufffd" in (texts[i] or "")]
    if damaged:
        notes.append(
            f"{len(damaged)} texts hold the sign for a lost character (lines {_first(damaged)})"
        )
    groups = strings(path, rows, names["group"], numbers=True) if "group" in names else None
    ids, id_notes = identities(path, rows, names, keep, guessed=source.id is None)
    return _Columns(
        [texts[i] or "" for i in keep],
        [labels[i] or "" for i in keep],
        splits_of(path, rows, names["split"], keep) if "split" in names else None,
        None if groups is None else [groups[i] for i in keep],
        ids,
        notes + id_notes,
    )


def strings(path: Path, rows: Rows, column: str, *, numbers: bool) -> list[str | None]:
    """A column as text; None where a value is missing.

    Raises:
        InputError: where a value is no text, nor a number where `numbers` are allowed.
    """
    out: list[str | None] = []
    for value, line in zip(rows.columns[column], rows.lines, strict=True):
        text = _string(value)
        if text is None and value is not None and value == value:
            raise InputError(f"{path}: line {line}: column '{column}' holds {value!r:.40}, no text")
        if not numbers and text is not None and not isinstance(value, str):
            raise InputError(
                f"{path}: line {line}: column '{column}' holds the number {value!r:.40}, no text"
            )
        out.append(text.strip() if text is not None and numbers else text)
    return out


def _string(value: Any) -> str | None:
    """A label, group or id as text; None for what is missing or no single value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        # Columns of whole numbers become floats as soon as one is missing.
        return str(int(value)) if value.is_integer() else repr(value)
    return None


def _classes(path: Path, column: str, labels: list[str]) -> tuple[str, ...]:
    different = sorted(set(labels))
    if len(different) < 2:
        raise InputError(
            f"{path}: column '{column}' has only the label '{different[0]}'; two are needed"
        )
    if len(different) > min(MOST_CLASSES, max(len(labels) // 2, 2)):
        raise InputError(
            f"{path}: column '{column}' has {len(different)} different values in {len(labels)} "
            f"rows ({', '.join(different[:3])}, ...): these are no classes"
        )
    if all(label.removeprefix("-").isdecimal() for label in different):
        different.sort(key=int)
    return tuple(different)


def splits_of(path: Path, rows: Rows, column: str, keep: list[int]) -> list[str]:
    """The split that each of the rows `keep` says it belongs to, by our names.

    Raises:
        InputError: naming values that are no split.
    """
    meaning = {spelling: split for split, names in SPLIT_NAMES.items() for spelling in names}
    values = strings(path, rows, column, numbers=True)
    out: list[str] = []
    unknown: dict[str, int] = {}
    for i in keep:
        split = meaning.get((values[i] or "").lower())
        if split is None:
            unknown.setdefault(values[i] or "(empty)", rows.lines[i])
        else:
            out.append(split)
    if unknown:
        shown = ", ".join(f"'{v}' (line {n})" for v, n in list(unknown.items())[:SHOWN])
        raise InputError(
            f"{path}: column '{column}' has {shown}; allowed: train, validation (val, valid, dev), "
            "test"
        )
    return out


def identities(
    path: Path, rows: Rows, names: dict[str, str], keep: list[int], *, guessed: bool
) -> tuple[list[str], list[str]]:
    """The identities; row numbers where there are none, or a guessed column turns out wrong.

    Raises:
        InputError: where a column that was named does not tell the rows apart.
    """
    numbers = [str(i) for i in keep]
    if "id" not in names:
        return numbers, []
    values = strings(path, rows, names["id"], numbers=True)
    chosen = [values[i] or "" for i in keep]
    if len(set(chosen)) == len(chosen) and "" not in chosen:
        return chosen, []
    message = f"column '{names['id']}' does not tell the rows apart"
    if not guessed:
        raise InputError(f"{path}: {message}; it cannot be the id")
    return numbers, [f"{message}: row numbers are the ids"]


def group_codes(values: list[str | None]) -> NDArray[np.int64]:
    """(N,) int64: equal for equal values; a row without one is a group of its own."""
    codes: dict[str, int] = {}
    out = []
    for i, value in enumerate(values):
        key = f"={value}" if value else f"row {i}"
        out.append(codes.setdefault(key, len(codes)))
    return np.array(out, dtype=np.int64)


def _shared_groups(parts: dict[str, Examples]) -> int:
    seen = [np.unique(part.groups) for part in parts.values() if part.groups is not None]
    _, counts = np.unique(np.concatenate(seen), return_counts=True)
    return int(np.count_nonzero(counts > 1))


def _roles(names: dict[str, str]) -> str:
    return ", ".join(f"{role}: {name}" for role, name in names.items() if role in REQUIRED)


def _first(lines: list[int]) -> str:
    return ", ".join(map(str, lines[:SHOWN])) + (", ..." if len(lines) > SHOWN else "")
