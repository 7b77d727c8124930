"""Metrics of any predictions file against any labels or targets, joined by id."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.metrics import classification
from bakeoff.core.regression import Regression
from bakeoff.core.table import read_csv

ID_NAMES = ("id", "ImageId", "index", "file_name")
PREDICTION_NAMES = ("prediction", "predicted", "label", "Label", "target", "class")
LABEL_NAMES = ("label", "Label", "target", "class", "category")


def score(
    predictions: Path, labels: Path, prediction: str | None = None, label: str | None = None
) -> dict[str, float]:
    """Every metric of the task; log loss where the file has `prob_<class>` columns.

    A file whose header names a `target`, as `predict` writes it for regression, holds numbers.

    Args:
        predictions: CSV with a column of ids and one of predicted classes.
        labels: CSV with the same ids and their labels, in any order.
        prediction: The column of predicted classes; None: by its usual names.
        label: The column of labels; None: by its usual names.

    Raises:
        InputError: where columns or ids are missing, doubled or not labelled.
    """
    guessed, truth = read_csv(predictions), read_csv(labels)
    guess_ids = _ids(guessed, predictions)
    label_ids = _ids(truth, labels)
    by_id = dict(zip(label_ids, truth[_column(truth, label, LABEL_NAMES, labels)], strict=True))
    if missing := [i for i in guess_ids if by_id.get(i, "") == ""]:
        raise InputError(
            f"{labels}: no label for {len(missing)} of {len(guess_ids)} predicted ids "
            f"(the first: {missing[0]!r})"
        )
    if left := set(by_id) - set(guess_ids):
        raise InputError(
            f"{predictions}: no prediction for {len(left)} of {len(by_id)} labelled ids "
            f"(the first: {min(left)!r})"
        )
    known = [by_id[i] for i in guess_ids]
    made = guessed[_column(guessed, prediction, PREDICTION_NAMES, predictions)]
    if "target" in guessed and "prediction" in guessed:
        targets, numbers = _finite(known, labels), _finite(made, predictions)
        return Regression().score(targets, numbers)
    return _metrics(guessed, known, made, predictions)


def _metrics(
    columns: dict[str, list[str]], labels: Sequence[str], guesses: Sequence[str], path: Path
) -> dict[str, float]:
    classes = sorted({*labels, *guesses})
    index = {name: i for i, name in enumerate(classes)}
    truth = np.array([index[name] for name in labels])
    made = np.array([index[name] for name in guesses])
    names = [f"prob_{name}" for name in labels]
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


def _ids(columns: dict[str, list[str]], path: Path) -> list[str]:
    ids = columns[_column(columns, None, ID_NAMES, path)]
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise InputError(f"{path}: the id {twice!r} occurs more than once")
    if not ids:
        raise InputError(f"{path}: holds no rows")
    return ids


def _column(
    columns: dict[str, list[str]], named: str | None, usual: Sequence[str], path: Path
) -> str:
    for name in (named,) if named else usual:
        if name in columns:
            return name
    wanted = f"'{named}'" if named else "one of " + ", ".join(usual)
    raise InputError(f"{path}: no column {wanted} (found: {', '.join(columns)})")
