"""Metrics of any predictions file against any labels or targets, joined by id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.metrics import classification
from bakeoff.core.regression import Regression
from bakeoff.core.table import read_csv
from bakeoff.study.identities import match, repeated, some
from bakeoff.study.statistics import mcnemar

ID_NAMES = ("id", "imageid", "image_id", "index", "file_name", "filename", "file", "image", "name")
PREDICTION_NAMES = ("prediction", "predicted", "label", "target", "class", "category")
LABEL_NAMES = ("label", "target", "class", "category")
"""Usual names of columns, compared without regard to case; the first that is there counts."""
PROBABILITY = "prob_"


@dataclass(frozen=True)
class Columns:
    """Which columns count, where their names are not the usual ones.

    Args:
        prediction: Of predicted classes or numbers.
        label: Of labels or targets.
        id: Of ids; in both files, unless `label_id` tells the other's.
        label_id: Of ids, in the file of labels.
        classes: The class names in the order of their indices, where one of the files has indices
            and the predictions have no columns `prob_<class>` to tell it.
        numbers: Whether values are numbers, not classes, though nothing in the files says so.
    """

    prediction: str | None = None
    label: str | None = None
    id: str | None = None
    label_id: str | None = None
    classes: tuple[str, ...] = ()
    numbers: bool = False


@dataclass(frozen=True)
class FileScores:
    """What came out.

    Args:
        metrics: By name.
        rows: How many predictions were scored.
        notes: What was guessed, a sentence each.
        right: (N,) bool, whether each label was predicted, in the order of the labels; None for
            numbers.
    """

    metrics: dict[str, float]
    rows: int
    notes: tuple[str, ...]
    right: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Disagreement:
    """Where two files of predictions of the same items are not both right or both wrong.

    Args:
        first: How many items only the first file has right.
        second: How many only the second has right.
        p_value: McNemar's, exact. It speaks of these two files, not of what made them: another
            seed may tell another tale.
    """

    first: int
    second: int
    p_value: float


def disagreement(first: FileScores, second: FileScores) -> Disagreement | None:
    """Compare two files that were scored against the same labels; None where they hold numbers."""
    if first.right is None or second.right is None:
        return None
    only = (first.right & ~second.right).sum(), (second.right & ~first.right).sum()
    return Disagreement(int(only[0]), int(only[1]), mcnemar(first.right, second.right))


def score(predictions: Path, labels: Path, named: Columns | None = None) -> FileScores:
    """Every metric of the task; log loss where the file has probabilities of classes.

    Those are columns `prob_<class>`, or, as in many a submission, a column named after each class
    and none of predictions: then the likeliest class is the prediction. A file whose header names a
    `target`, as `predict` writes it for regression, holds numbers, and so do files all of whose
    values are numbers, some of them not whole. A file without a header may have
    an id and a value in every line. Ids are matched as they are, or else by file names without
    folder or suffix, in any order. Labels without ids belong to predictions whose ids are the
    numbers of their rows, as `predict` has them of such a table.

    Args:
        predictions: CSV with a column of ids and one of predicted classes, or one for each class.
        labels: CSV with the same ids and their labels, in any order, or without ids.
        named: The columns, where they have unusual names.

    Raises:
        InputError: where columns or ids are missing, doubled or not labelled, or no predicted class
            is among the labels.
    """
    named = named or Columns()
    notes: list[str] = []
    guessed, truth = _read(predictions, notes), _read(labels, notes)
    guess_ids = _ids(guessed, named.id, predictions)
    label_ids = _label_ids(truth, named, labels, guess_ids, notes)
    label_column = truth[_column(truth, named.label, LABEL_NAMES, labels)]
    if named.prediction is None:
        guessed = _likeliest(guessed, named.id, predictions, notes)
    made = guessed[_column(guessed, named.prediction, PREDICTION_NAMES, predictions)]
    rows = _joined(guess_ids, label_ids, (predictions, labels))
    known = [label_column[row] for row in rows]
    if lacking := [name for name, label in zip(guess_ids, known, strict=True) if label == ""]:
        raise InputError(_no_label(labels, lacking, len(guess_ids)))
    order = named.classes or tuple(
        name.removeprefix(PROBABILITY) for name in guessed if name.startswith(PROBABILITY)
    )
    told = named.numbers or ("target" in guessed and "prediction" in guessed)
    if told or (not order and _fractions(made, known)):
        targets, numbers = _finite(known, labels), _finite(made, predictions)
        return FileScores(Regression().score(targets, numbers), len(made), tuple(notes))
    both = _same_names(known, made, order, notes)
    right = np.zeros(len(made), np.bool_)
    right[rows] = [label == guess for label, guess in zip(*both, strict=True)]
    return FileScores(_metrics(guessed, *both, predictions), len(made), tuple(notes), right)


def _read(path: Path, notes: list[str]) -> dict[str, list[str]]:
    """The columns of a file; two without a header are called `id` and `label`.

    A file has none if its first line names no column as usual, and ends in a value that occurs
    again below.
    """
    columns = read_csv(path)
    usual = {*ID_NAMES, *PREDICTION_NAMES}
    if len(columns) != 2 or any(name.strip().lower() in usual for name in columns):
        return columns
    (first, ids), (value, values) = columns.items()
    if value not in values:
        return columns
    notes.append(f"{path}: no header: the columns are taken for id and label")
    return {"id": [first, *ids], "label": [value, *values]}


def _likeliest(
    columns: dict[str, list[str]], identity: str | None, path: Path, notes: list[str]
) -> dict[str, list[str]]:
    """Columns with a prediction, where the file has nothing but ids and a number for each class."""
    ids = _column(columns, identity, ID_NAMES, path)
    given = {name: column for name, column in columns.items() if name != ids}
    if len(given) < 2 or any(name.strip().lower() in PREDICTION_NAMES for name in given):
        return columns
    try:
        numbers = np.array([[float(value) for value in column] for column in given.values()])
    except ValueError:
        return columns
    classes = [name.removeprefix(PROBABILITY) for name in given]
    notes.append(
        f"{path}: no column of predictions: the likeliest of {len(classes)} classes counts "
        f"({some(classes)})"
    )
    probabilities = zip((PROBABILITY + name for name in classes), given.values(), strict=True)
    return {
        ids: columns[ids],
        "prediction": [classes[place] for place in numbers.argmax(axis=0)],
        **dict(probabilities),
    }


def _joined(made: Sequence[str], labelled: Sequence[str], paths: tuple[Path, Path]) -> list[int]:
    """The row of the label of each prediction.

    Raises:
        InputError: where not every id of each file has exactly one in the other.
    """
    predictions, labels = paths
    found = match(labelled, made)
    if found.doubled:
        name, pair = next(iter(found.doubled.items()))
        raise InputError(
            f"{labels}: '{name}' of {predictions} could be {' or '.join(pair)}; give both files "
            "the same ids"
        )
    if absent := [name for name in made if name not in found.rows]:
        raise InputError(_no_label(labels, absent, len(made)))
    rows = [found.rows[name] for name in made]
    if left := sorted(set(range(len(labelled))) - set(rows)):
        raise InputError(
            f"{predictions}: no prediction for {len(left)} of {len(labelled)} labelled ids: "
            f"{some([labelled[row] for row in left])}"
        )
    return rows


def _no_label(labels: Path, ids: Sequence[str], count: int) -> str:
    return f"{labels}: no label for {len(ids)} of {count} predicted ids: {some(ids)}"


def _same_names(
    labels: Sequence[str], guesses: Sequence[str], order: Sequence[str], notes: list[str]
) -> tuple[Sequence[str], Sequence[str]]:
    """Labels and guesses by name, where one of them has indices from 0.

    Raises:
        InputError: where they have nothing in common.
    """
    by_index = {str(i): name for i, name in enumerate(order)}
    names, wanted, made = set(order), set(labels), set(guesses)
    # Names first: classes may be called by numbers themselves.
    if not wanted <= names and wanted <= by_index.keys() and made <= names:
        notes.append(f"labels are indices of classes: {_counted(by_index)}")
        return [by_index[label] for label in labels], guesses
    if not made <= names and made <= by_index.keys() and wanted <= names:
        notes.append(f"predictions are indices of classes: {_counted(by_index)}")
        return labels, [by_index[guess] for guess in guesses]
    if wanted & made:
        if names and (strange := sorted(wanted - names)):
            notes.append(
                f"labels that the predictions have no class for count as missed: {some(strange)}"
            )
        return labels, guesses
    raise InputError(
        f"no predicted class ({some(sorted(set(guesses)))}) is among the labels "
        f"({some(sorted(set(labels)))}); where one of them counts classes from 0, --classes says "
        "in which order"
    )


def _counted(by_index: Mapping[str, str]) -> str:
    shown = ", ".join(f"{i} = {name}" for i, name in list(by_index.items())[:3])
    return shown + (", ..." if len(by_index) > 3 else "")


def _metrics(
    columns: dict[str, list[str]], labels: Sequence[str], guesses: Sequence[str], path: Path
) -> dict[str, float]:
    classes = sorted({*labels, *guesses})
    index = {name: i for i, name in enumerate(classes)}
    truth = np.array([index[name] for name in labels])
    made = np.array([index[name] for name in guesses])
    names = [PROBABILITY + name for name in labels]
    if any(name not in columns for name in set(names)):
        found = classification(truth, made, np.ones(len(truth)), len(classes))
        return {name: value for name, value in found.items() if name != "log_loss"}
    try:
        given = np.array([float(columns[n][i]) for i, n in enumerate(names)], np.float32)
    except ValueError as error:
        raise InputError(f"{path}: a probability is not a number: {error}") from None
    try:
        return classification(truth, made, given, len(classes))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _fractions(made: Sequence[str], known: Sequence[str]) -> bool:
    """Whether all values are numbers, and some are not whole: then they are no classes."""
    try:
        numbers = [float(value) for value in (*made, *known)]
    except ValueError:
        return False
    return not all(number.is_integer() for number in numbers)


def _finite(values: Sequence[str], path: Path) -> NDArray[np.float64]:
    """(N,) float64.

    Raises:
        InputError: where one is no finite number.
    """
    try:
        found = np.array([float(value) for value in values])
    except ValueError as error:
        raise InputError(f"{path}: not a number: {error}") from None
    if not np.isfinite(found).all():
        raise InputError(f"{path}: numbers must be finite")
    return found


def _label_ids(
    columns: dict[str, list[str]], named: Columns, path: Path, made: list[str], notes: list[str]
) -> list[str]:
    """The ids of labels; of a table without any, row numbers where the predictions have these.

    Raises:
        InputError: as `_ids` does.
    """
    asked = named.label_id or named.id
    usual = any(name.strip().lower() in ID_NAMES for name in columns)
    rows = [str(number) for number in range(len(next(iter(columns.values()))))]
    if asked is None and not usual and sorted(made) == sorted(rows):
        notes.append(f"{path}: no column of ids: rows are counted from 0, as the predictions' are")
        return rows
    return _ids(columns, asked, path)


def _ids(columns: dict[str, list[str]], named: str | None, path: Path) -> list[str]:
    ids = columns[_column(columns, named, ID_NAMES, path)]
    if twice := repeated(ids):
        more = f", and {len(twice) - 1} other ids too" if len(twice) > 1 else ""
        raise InputError(f"{path}: the id {twice[0]!r} occurs more than once{more}")
    if not ids:
        raise InputError(f"{path}: holds no rows")
    return ids


def _column(
    columns: dict[str, list[str]], named: str | None, usual: Sequence[str], path: Path
) -> str:
    if named in columns:
        return named
    here = {name.strip().lower(): name for name in columns}
    for name in usual if named is None else ():
        if name in here:
            return here[name]
    wanted = f"'{named}'" if named else "one of " + ", ".join(usual)
    raise InputError(f"{path}: no column {wanted} (found: {', '.join(columns)})")
