"""Tasks: what is asked of the data, and what all of them share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.measures import Direction
from bakeoff.core.table import Column, Table, csv_bytes, read_csv

Text = Mapping[str, Sequence[str]]


def with_groups(columns: Mapping[str, Column], groups: Column | None) -> Table:
    """Columns and, where the data has groups, their column `group`."""
    return Table(columns if groups is None else {**columns, "group": groups})


class Task(ABC):
    """What is asked of the data: it owns the columns of a prediction, their file and the metrics.

    Outputs are what a predictor says of N items: class probabilities (N, K) float32, numbers (N,)
    float64, or nats, tokens, bytes and their share (N, 4) float64 of texts. Labels are (N,) class
    indices, -1 where unknown, or target values or the words of texts, NaN where unknown. A table
    and its file have a column `id`, the task's own, and `group` where the data has groups.
    """

    name: ClassVar[str]
    directions: ClassVar[Mapping[str, Direction]]
    """The metrics this task knows, and which way is better."""
    loss: ClassVar[str]
    """The metric that the loop calls its validation loss."""
    classes: tuple[str, ...] = ()
    """The K class names; empty where nothing is classified."""

    @abstractmethod
    def metrics(self, predictions: Table) -> dict[str, float]:
        """Every metric of the rows whose label is known, with NumPy alone; empty where none is."""

    @abstractmethod
    def table(
        self,
        ids: NDArray[np.str_],
        labels: NDArray[Any],
        outputs: NDArray[Any],
        groups: NDArray[np.int64] | None = None,
    ) -> Table:
        """Predictions of N items from a predictor's outputs."""

    @abstractmethod
    def answers(self, predictions: Table) -> Table:
        """What is judged: `truth` and `prediction` of the rows whose label is known, and more."""

    @abstractmethod
    def reduced(self, predictions: Table) -> Table:
        """Only the columns the metrics and tests need; every metric keeps its bits."""

    @staticmethod
    @abstractmethod
    def value(metric: str, answers: Table) -> float:
        """One metric of answers."""

    @staticmethod
    @abstractmethod
    def example_values(metric: str, answers: Table) -> NDArray[np.float64]:
        """What each of N answers contributes to what is judged (`Measure.judged`), (N,) float64.

        Larger is better.
        """

    def score(self, labels: NDArray[Any], outputs: NDArray[Any]) -> dict[str, float]:
        """Every metric of outputs against labels."""
        return self.metrics(self.table(np.zeros(len(labels), np.str_), labels, outputs))

    def write(self, predictions: Table, *, header: bool = True) -> bytes:
        """A predictions file: CSV, input order; its rows alone without the header."""
        groups = predictions.get("group")
        names = ["id", *self._names(predictions), *([] if groups is None else ["group"])]

        def rows() -> Iterator[list[object]]:
            identities = predictions["id"].tolist()
            for i, own in enumerate(self._rows(predictions)):
                yield [identities[i], *own, *([] if groups is None else [int(groups[i])])]

        return csv_bytes(names if header else None, rows())

    def read(self, path: Path) -> Table:
        """A predictions file back, with the columns the metrics need.

        Raises:
            InputError: where columns are missing, a class is unknown or a number is not one.
        """
        text = read_csv(path)
        if missing := [name for name in ("id", *self._needed(text)) if name not in text]:
            raise InputError(f"{path}: missing columns {', '.join(missing)} (found: {list(text)})")
        try:
            columns = {"id": np.array(text["id"], dtype=np.str_), **self._parsed(text, path)}
            groups = np.array(text["group"], np.int64) if "group" in text else None
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"{path}: not a number: {error}") from None
        return with_groups(columns, groups)

    @abstractmethod
    def _names(self, predictions: Table) -> Sequence[str]:
        """The task's own columns in the file of a table."""

    @abstractmethod
    def _rows(self, predictions: Table) -> Iterator[Sequence[object]]:
        """Their cells, row by row."""

    @abstractmethod
    def _needed(self, text: Text) -> Sequence[str]:
        """The own columns that a file must have."""

    @abstractmethod
    def _parsed(self, text: Text, path: Path) -> dict[str, Column]:
        """A table's own columns from those of a file; ValueError where one is no number."""


ROLES = ("truth", "prediction", "weight", "bytes", "covered")
"""What answers call the columns of numbers, in order."""


class NumberTask(Task):
    """Predictions of numbers, float64: `target`, NaN where unknown, and what was said of it.

    A file has all their digits, and so every bit.
    """

    columns: ClassVar[tuple[str, ...]]
    """`target`, then a predictor's outputs, in order."""
    late: ClassVar[frozenset[str]] = frozenset()
    """Columns that tables of earlier versions lack."""

    def table(
        self,
        ids: NDArray[np.str_],
        labels: NDArray[Any],
        outputs: NDArray[Any],
        groups: NDArray[np.int64] | None = None,
    ) -> Table:
        """Predictions of N items: a predictor's outputs (N,) or (N, columns) as they are."""
        numbers = [labels, *outputs.reshape(len(labels), len(self.columns) - 1).T]
        columns = [column.astype(np.float64, copy=False) for column in numbers]
        return with_groups({"id": ids, **dict(zip(self.columns, columns, strict=True))}, groups)

    def answers(self, predictions: Table) -> Table:
        """`truth`, `prediction` (`weight`, `bytes`, `covered`, `group`) of rows with a target."""
        roles = zip(ROLES, self.columns, strict=False)
        columns = {role: predictions[name] for role, name in roles if name in predictions}
        known = np.flatnonzero(~np.isnan(predictions["target"]))
        return with_groups(columns, predictions.get("group")).take(known)

    def reduced(self, predictions: Table) -> Table:
        """All of it: every column is needed."""
        return predictions

    def _names(self, predictions: Table) -> Sequence[str]:
        return [name for name in self.columns if name in predictions]

    def _rows(self, predictions: Table) -> Iterator[Sequence[object]]:
        numbers = [predictions[name].tolist() for name in self._names(predictions)]
        for target, *said in zip(*numbers, strict=True):
            yield ["" if target != target else repr(target), *map(repr, said)]

    def _needed(self, text: Text) -> Sequence[str]:
        return [name for name in self.columns if name not in self.late]

    def _parsed(self, text: Text, path: Path) -> dict[str, Column]:
        unknown = {"target": "nan"}
        return {
            name: np.array([float(value or unknown.get(name, "")) for value in text[name]])
            for name in self.columns
            if name in text
        }
