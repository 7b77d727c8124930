"""Classification: one of K classes for every item."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core import metrics
from bakeoff.core.errors import InputError
from bakeoff.core.table import Column, Table
from bakeoff.core.task import Task, Text, with_groups


class Classification(Task):
    """One of K classes for every item.

    A table of predictions has columns `id` (N,) str, `label` (N,) int64 (-1 where unknown),
    `prediction` (N,) int64, `probabilities` (N, K) float32, and `group` (N,) int64 where the data
    has groups. A file that was reduced to what the metrics need has `label_probability` (N,)
    float32 instead of `probabilities`. A file names classes, and has the largest probability as
    `confidence` and `prob_<class>` for each.

    Args:
        classes: The K class names, in label order.

    Raises:
        InputError: where a name is empty (that means "unknown" in a file) or occurs twice.
    """

    name = "classification"
    directions = metrics.DIRECTIONS
    loss = "log_loss"

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        if "" in self.classes or len(set(self.classes)) < len(self.classes):
            raise InputError(
                f"class names must be different and not empty, received {list(self.classes)}"
            )

    def metrics(self, predictions: Table) -> dict[str, float]:
        """Every metric of the rows whose label is known; empty where none is."""
        known = predictions["label"] >= 0
        if not known.any():
            return {}
        rows = predictions.take(np.flatnonzero(known))
        return metrics.classification(
            rows["label"], rows["prediction"], label_probabilities(rows), len(self.classes)
        )

    def table(
        self,
        ids: NDArray[np.str_],
        labels: NDArray[Any],
        outputs: NDArray[Any],
        groups: NDArray[np.int64] | None = None,
    ) -> Table:
        """Predictions of N items from their class probabilities (N, K)."""
        columns = {
            "id": ids,
            "label": labels,
            "prediction": outputs.argmax(axis=1),
            "probabilities": outputs.astype(np.float32, copy=False),
        }
        return with_groups(columns, groups)

    def answers(self, predictions: Table) -> Table:
        """`truth`, `prediction`, `label_probability` (and `group`) where the label is known."""
        columns = {
            "truth": predictions["label"],
            "prediction": predictions["prediction"],
            "label_probability": label_probabilities(predictions),
        }
        known = np.flatnonzero(predictions["label"] >= 0)
        return with_groups(columns, predictions.get("group")).take(known)

    @staticmethod
    def value(metric: str, answers: Table) -> float:
        """One metric of answers."""
        return metrics.score(
            metric, answers["truth"], answers["prediction"], answers.get("label_probability")
        )

    @staticmethod
    def example_values(metric: str, answers: Table) -> NDArray[np.float64]:
        """What each of N answers contributes to a metric, larger = better, (N,) float64."""
        return metrics.example_values(
            metric, answers["truth"], answers["prediction"], answers.get("label_probability")
        )

    def reduced(self, predictions: Table) -> Table:
        """Only the columns the metrics and tests need; every metric keeps its bits."""
        keep = {name: predictions[name] for name in ("id", "label", "prediction")}
        keep["label_probability"] = label_probabilities(predictions)
        return with_groups(keep, predictions.get("group"))

    def _names(self, predictions: Table) -> Sequence[str]:
        if "probabilities" not in predictions:
            return "label", "prediction", "label_probability"
        return "label", "prediction", "confidence", *self._probability_names()

    def _rows(self, predictions: Table) -> Iterator[Sequence[object]]:
        names = np.array([*self.classes, ""], dtype=object)  # index -1 is the empty name
        labels, guesses = names[predictions["label"]], names[predictions["prediction"]]
        full = "probabilities" in predictions
        values = (
            predictions["probabilities"] if full else predictions["label_probability"][:, None]
        ).astype(np.float64)
        for label, guess, row in zip(labels, guesses, values, strict=True):
            numbers = row.tolist()
            yield [label, guess, max(numbers), *numbers] if full else [label, guess, *numbers]

    def _needed(self, text: Text) -> Sequence[str]:
        if "label_probability" in text:
            return "label", "prediction", "label_probability"
        return "label", "prediction", *self._probability_names()

    def _parsed(self, text: Text, path: Path) -> dict[str, Column]:
        columns: dict[str, Column] = {
            name: self._indices(text[name], path, name) for name in ("label", "prediction")
        }
        if "label_probability" in text:
            columns["label_probability"] = np.array(text["label_probability"], np.float32)
        else:
            numbers = [text[name] for name in self._probability_names()]
            columns["probabilities"] = np.array(numbers, np.float32).T
        return columns

    def _probability_names(self) -> list[str]:
        return [f"prob_{name}" for name in self.classes]

    def _indices(self, names: Sequence[str], path: Path, column: str) -> NDArray[np.int64]:
        index = {name: i for i, name in enumerate(self.classes)} | {"": -1}
        try:
            return np.array([index[name] for name in names], dtype=np.int64)
        except KeyError as error:
            raise InputError(
                f"{path}: column {column}: unknown class {error} (allowed: {list(self.classes)})"
            ) from None


def label_probabilities(predictions: Table) -> NDArray[np.float32]:
    """(N,) float32: the probability given to each row's own label (0 where it is unknown)."""
    if "label_probability" in predictions:
        return predictions["label_probability"]
    labels = predictions["label"]
    chosen = np.take_along_axis(
        predictions["probabilities"], np.maximum(labels, 0)[:, None], axis=1
    )[:, 0]
    return np.where(labels >= 0, chosen, np.float32(0)).astype(np.float32)
