"""Submissions: predictions in the shape of a competition's `sample_submission.csv`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bakeoff.core.errors import InputError
from bakeoff.core.table import csv_bytes, read_csv
from bakeoff.study.identities import match, repeated, some

PROBABILITY = "prob_"
Labels = Literal["auto", "names", "indices"]


@dataclass(frozen=True)
class Submission:
    """Predictions in a sample's shape.

    Args:
        content: The file's, as CSV.
        rows: How many ids it has.
        notes: What was guessed or left out, a sentence each.
    """

    content: bytes
    rows: int
    notes: tuple[str, ...]


def submission(predictions: Path, sample: Path, labels: Labels = "auto") -> Submission:
    """Predictions with the sample's columns, ids and order.

    Ids are matched as they are, or else by file names without folder or suffix (`test/7.png` is
    7), one way for all of them. Where neither file has ids, the sample numbering the items from 1
    and the predictions from 0, they are matched in order.

    Beside its ids the sample has one column, for the predicted class, or a column of probabilities
    for each class.

    Args:
        predictions: As `predict` writes them.
        sample: The competition's.
        labels: Write classes by their names or by their indices from 0, in the order of the
            predictions' columns; `auto`: indices where the sample has such numbers and classes
            have names.

    Raises:
        InputError: where the sample has other columns, ids that occur twice or were not predicted,
            or values that are neither names nor indices of classes.
    """
    wanted, made = read_csv(sample), read_csv(predictions)
    if missing := [name for name in ("id", "prediction") if name not in made]:
        raise InputError(f"{predictions}: no column {', '.join(missing)} (found: {list(made)})")
    classes = [n.removeprefix(PROBABILITY) for n in made if n.startswith(PROBABILITY)]
    identity, *targets = wanted
    columns = _probabilities(targets, classes)
    if columns is None and len(targets) != 1:
        raise InputError(
            f"{sample}: has columns {', '.join(wanted)}; needed are two, an id and a prediction, "
            "or an id and every class"
        )
    ids = wanted[identity]
    if not ids:
        raise InputError(f"{sample}: holds no rows: the ids to predict are needed")
    rows = _rows(made["id"], ids, sample, predictions)
    notes = []
    if left := len(made["id"]) - len(ids):
        notes.append(f"{left} predicted items are not in {sample} and left out")
    if columns is not None:
        values = [made[name] for name in columns]
    else:
        written, said = _written(wanted[targets[0]], classes, labels, sample)
        notes += said
        values = [[written.get(name, name) for name in made["prediction"]]]
    lines = (
        [name, *(column[row] for column in values)] for name, row in zip(ids, rows, strict=True)
    )
    return Submission(csv_bytes([identity, *targets], lines), len(ids), tuple(notes))


def _probabilities(targets: Sequence[str], classes: Sequence[str]) -> list[str] | None:
    """The columns to copy, where the sample has a column for each class; else None."""
    named = [name.removeprefix(PROBABILITY) for name in targets]
    if len(classes) < 2 or sorted(named) != sorted(classes):
        return None
    return [PROBABILITY + name for name in named]


def _rows(made: Sequence[str], ids: Sequence[str], sample: Path, predictions: Path) -> list[int]:
    """The row of each id among the predictions.

    Raises:
        InputError: where ids occur twice, are missing or could mean several items.
    """
    faults = [
        f"{path}: {len(twice)} ids occur more than once: {some(twice)}"
        for path, names in ((sample, ids), (predictions, made))
        if (twice := repeated(names))
    ]
    if faults:
        raise InputError(faults)
    numbers = [str(number) for number in range(len(made))]
    if list(made) == numbers and set(ids) == {str(number + 1) for number in range(len(made))}:
        return [int(name) - 1 for name in ids]
    found = match(made, ids)
    if absent := [name for name in ids if name not in found.rows and name not in found.doubled]:
        faults.append(
            f"{sample}: {len(absent)} of {len(ids)} ids were not predicted: {some(absent)} "
            f"(predicted ids look like {some(made[:2])})"
        )
    if found.doubled:
        name, pair = next(iter(found.doubled.items()))
        faults.append(
            f"{sample}: {len(found.doubled)} ids stand for several predicted items: '{name}' for "
            f"{' and '.join(pair)}"
        )
    if faults:
        raise InputError(faults)
    return [found.rows[name] for name in ids]


def _written(
    values: Sequence[str], classes: Sequence[str], labels: Labels, sample: Path
) -> tuple[Mapping[str, str], list[str]]:
    """What each class is written as, and what was guessed.

    Raises:
        InputError: where the sample has something else, or the classes are not known.
    """
    indices = {name: str(i) for i, name in enumerate(classes)}
    if labels == "indices" and not classes:
        raise InputError("--labels indices: the predictions have no columns of classes to count")
    here = set(values) - {""}
    numbers = bool(here) and here <= set(indices.values())
    # Classes may be called by numbers themselves: what all values are decides, not one of them.
    names = not here or here <= set(classes) or (not numbers and bool(here & set(classes)))
    if labels == "names" or not classes or (labels == "auto" and names):
        return {}, []
    if labels == "indices" or numbers:
        said = ", ".join(f"{i} = {name}" for name, i in list(indices.items())[:3])
        return indices, [f"classes are written as indices ({said}{', ...' * (len(classes) > 3)})"]
    if all(_is_number(value) for value in here):
        raise InputError(
            f"{sample}: holds {some(sorted(here))}, which is neither a class ({some(classes)}) nor "
            "an index of one from 0; --labels names or --labels indices decides"
        )
    return {}, []


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
