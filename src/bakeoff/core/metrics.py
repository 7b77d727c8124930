"""Classification metrics in NumPy, spelt as in scikit-learn, and their values per example.

They are recomputed wherever a result is checked, so they need neither scikit-learn nor SciPy; the
tests hold them against `sklearn.metrics`. Everything but log loss follows from a confusion table's
margins, which also makes the jackknife cheap: leaving out an example changes the margins of at
most two classes, and a table has at most K*K different examples.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError, unknown
from bakeoff.core.measures import directions

Floats = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]
Probabilities = NDArray[np.floating[Any]]

# Cells of a confusion table taken out at once, times K: bounds memory to some 100 MB.
_JACKKNIFE_BLOCK = 2**21


class Margins(NamedTuple):
    """What the scores need of confusion tables, each (..., K) float64 holding whole numbers."""

    hits: Floats  # the diagonal
    labelled: Floats  # row sums: examples of each class
    predicted: Floats  # column sums: predictions of each class


def confusion_table(labels: Labels, predictions: Labels, class_count: int) -> NDArray[np.int64]:
    """Counts of (label, prediction) pairs.

    Args:
        labels: (N,) integers in [0, K).
        predictions: (N,) integers in [0, K).
        class_count: K.

    Returns:
        (K, K) int64: row = label, column = prediction, as `sklearn.metrics.confusion_matrix`.

    Raises:
        InputError: where the arrays are empty, differ in shape or hold other values.
    """
    codes = _codes(labels, predictions, class_count)
    counts = np.bincount(codes, minlength=class_count**2)
    return counts.reshape(class_count, class_count).astype(np.int64)


def log_loss(label_probabilities: Probabilities) -> float:
    """The mean of minus the logarithm (nats) of the probability given to the true label.

    As `sklearn.metrics.log_loss`: probabilities are first clipped to [eps, 1 - eps], eps that of
    their type. Unlike there, examples of one class only are allowed, and the logarithm and the
    mean are taken in float64 whatever the type.

    Args:
        label_probabilities: (N,) floats in [0, 1].
    """
    return float(-_log_probabilities(label_probabilities).mean())


def classification(
    labels: Labels, predictions: Labels, label_probabilities: Probabilities, class_count: int
) -> dict[str, float]:
    """Every metric at once, by name.

    Args:
        labels: (N,) integers in [0, K).
        predictions: (N,) integers in [0, K).
        label_probabilities: (N,) floats in [0, 1]: given to the true label.
        class_count: K.
    """
    margins = _margins(confusion_table(labels, predictions, class_count))
    scores = {name: float(function(margins)) for name, function in _OF_MARGINS.items()}
    return scores | {"log_loss": log_loss(label_probabilities)}


def score(
    metric: str,
    labels: Labels,
    predictions: Labels,
    label_probabilities: Probabilities | None = None,
) -> float:
    """One metric by its name; `label_probabilities` are needed for log loss alone.

    Raises:
        InputError: for an unknown name and for arrays that do not fit.
    """
    if _checked(metric) == "log_loss":
        return log_loss(_needed(label_probabilities))
    count = _class_count(labels, predictions)
    margins = _margins(confusion_table(labels, predictions, count))
    return float(_OF_MARGINS[metric](margins))


def example_values(
    metric: str,
    labels: Labels,
    predictions: Labels,
    label_probabilities: Probabilities | None = None,
) -> Floats:
    """What each example contributes to a metric, larger = better.

    Accuracy: 1 where right, else 0. Log loss: the log probability (minus the loss). Scores of the
    whole confusion table: the jackknife's pseudo-values, see `jackknife_values`.

    Returns:
        (N,) float64. Their mean is the metric (log loss: its negative), for the jackknife up to
        a bias of order 1/N.
    """
    if _checked(metric) == "log_loss":
        return _log_probabilities(_needed(label_probabilities))
    if metric == "accuracy":
        _codes(labels, predictions, _class_count(labels, predictions))
        return np.asarray(labels == predictions, dtype=np.float64)
    return jackknife_values(metric, labels, predictions)


def jackknife_values(metric: str, labels: Labels, predictions: Labels) -> Floats:
    """Pseudo-values m*theta - (m-1)*theta(without example i) of a confusion-table score.

    Source: Tukey 1958; their variance over m estimates the score's sampling variance (Efron and
    Stein 1981). For accuracy they are exactly 1 where right and 0 where wrong.

    Returns:
        (N,) float64.
    """
    if metric not in _OF_MARGINS:
        raise unknown("score of a confusion table", metric, tuple(_OF_MARGINS))
    scored = _OF_MARGINS[metric]
    count = _class_count(labels, predictions)
    codes = _codes(labels, predictions, count)
    m = len(codes)
    if m < 2:
        raise InputError("the jackknife needs at least 2 examples, received 1")
    whole = _margins(confusion_table(labels, predictions, count))
    cells, place = np.unique(codes, return_inverse=True)
    block = max(1, _JACKKNIFE_BLOCK // count)
    without = [
        scored(_without(whole, *np.divmod(cells[start : start + block], count)))
        for start in range(0, len(cells), block)
    ]
    values = m * scored(whole) - (m - 1) * np.concatenate(without)
    return np.asarray(values[place.ravel()], dtype=np.float64)


def _margins(table: NDArray[np.int64]) -> Margins:
    counts = table.astype(np.float64)
    return Margins(np.diagonal(counts).copy(), counts.sum(axis=1), counts.sum(axis=0))


def _without(whole: Margins, label: NDArray[np.intp], guess: NDArray[np.intp]) -> Margins:
    """The margins (C, K) after taking one example out of each of C cells (label, guess)."""
    hits, labelled, predicted = (np.tile(values, (len(label), 1)) for values in whole)
    row = np.arange(len(label))
    hits[row, label] -= label == guess
    labelled[row, label] -= 1
    predicted[row, guess] -= 1
    return Margins(hits, labelled, predicted)


def _accuracy(margins: Margins) -> Floats:
    """The share of examples predicted right."""
    return np.asarray(margins.hits.sum(-1) / margins.labelled.sum(-1))


def _balanced_accuracy(margins: Margins) -> Floats:
    """The mean recall of the classes that have examples.

    As `sklearn.metrics.balanced_accuracy_score`, without its warning where a class is predicted
    that has no example: such predictions only lower the recall of the others.
    """
    present = margins.labelled > 0
    recall = margins.hits / np.where(present, margins.labelled, 1)
    return np.asarray(recall.sum(-1) / present.sum(-1))


def _f1_macro(margins: Margins) -> Floats:
    """The mean F1 of the classes that have examples or predictions.

    As `sklearn.metrics.f1_score(average="macro", zero_division=0)`: a class never predicted, or
    predicted without having examples, counts with 0; a class with neither does not count.
    """
    size = margins.labelled + margins.predicted
    f1 = 2 * margins.hits / np.where(size > 0, size, 1)
    return np.asarray(f1.sum(-1) / (size > 0).sum(-1))


def _matthews_corrcoef(margins: Margins) -> Floats:
    """Matthews' correlation for K classes (Gorodkin 2004, R_K), in [-1, 1].

    As `sklearn.metrics.matthews_corrcoef`: 0 where labels or predictions are all of one class.
    """
    hits, labelled, predicted = margins
    m = labelled.sum(-1)
    agreement = hits.sum(-1) * m - (labelled * predicted).sum(-1)
    spread = (m**2 - (labelled**2).sum(-1)) * (m**2 - (predicted**2).sum(-1))
    return np.asarray(np.where(spread > 0, agreement / np.sqrt(np.where(spread > 0, spread, 1)), 0))


_OF_MARGINS: Mapping[str, Callable[[Margins], Floats]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1_macro": _f1_macro,
    "matthews_corrcoef": _matthews_corrcoef,
}
DIRECTIONS = directions(*_OF_MARGINS, "log_loss")
JACKKNIFED = tuple(name for name in _OF_MARGINS if name != "accuracy")
"""Scores of a whole confusion table, whose values per example are the jackknife's."""


def _checked(metric: str) -> str:
    if metric not in DIRECTIONS:
        raise unknown("metric", metric, tuple(DIRECTIONS))
    return metric


def _needed(label_probabilities: Probabilities | None) -> Probabilities:
    if label_probabilities is None:
        raise InputError("log_loss needs the probabilities given to the true labels")
    return label_probabilities


def _class_count(labels: Labels, predictions: Labels) -> int:
    """The smallest K that holds all values; classes beyond it change no score."""
    return 1 + max(
        (int(values.max()) for values in (labels, predictions) if values.size), default=0
    )


def _codes(labels: Labels, predictions: Labels, class_count: int) -> NDArray[np.int64]:
    """Label * K + prediction, (N,), after checking both."""
    if labels.ndim != 1 or labels.shape != predictions.shape or not labels.size:
        raise InputError(
            "labels and predictions must be 1-D, not empty and of one length, received shapes "
            f"{labels.shape} and {predictions.shape}"
        )
    for name, values in (("labels", labels), ("predictions", predictions)):
        if not np.issubdtype(values.dtype, np.integer):
            raise InputError(f"{name} must be integers, received {values.dtype}")
        if values.min() < 0 or values.max() >= class_count:
            raise InputError(
                f"{name} must lie in 0..{class_count - 1}, received {values.min()}..{values.max()}"
            )
    return labels.astype(np.int64) * class_count + predictions


def _log_probabilities(label_probabilities: Probabilities) -> Floats:
    values = np.asarray(label_probabilities)
    if values.ndim != 1 or not values.size:
        raise InputError(f"label probabilities must be 1-D and not empty, shape {values.shape}")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1 + 1e-6):
        raise InputError(
            "label probabilities must lie in 0..1 and be finite, received "
            f"{values.min()}..{values.max()}"
        )
    eps = float(np.finfo(values.dtype).eps)
    return np.asarray(np.log(np.clip(values.astype(np.float64), eps, 1 - eps)))
