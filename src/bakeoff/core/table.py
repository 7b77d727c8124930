"""Columns of equal length: what a predictor returns and a predictions file holds."""

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError

Column = NDArray[Any]


class Table(Mapping[str, Column]):
    """Named columns, each an array whose first axis has the same length N.

    Raises:
        ValueError: where the lengths differ.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = {name: np.asarray(column) for name, column in columns.items()}
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of one table differ in length: {lengths}")
        self.length = next(iter(lengths.values()), 0)

    def __getitem__(self, name: str) -> Column:
        """The column `name`."""
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        """The names, in order."""
        return iter(self._columns)

    def __len__(self) -> int:
        """The number of columns (`length` is the number of rows)."""
        return len(self._columns)

    def take(self, rows: NDArray[np.intp] | slice) -> "Table":
        """The given rows."""
        return Table({name: column[rows] for name, column in self._columns.items()})


def concatenate(tables: Sequence[Table]) -> Table:
    """Tables with the same columns, one under another."""
    return Table({name: np.concatenate([t[name] for t in tables]) for name in tables[0]})


def csv_bytes(header: Sequence[str], rows: Iterator[Sequence[object]]) -> bytes:
    """CSV as UTF-8 with line feeds; floats with the 9 digits that give a float32 back exactly."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([f"{v:.9g}" if isinstance(v, float) else v for v in row])
    return text.getvalue().encode()


def read_csv(path: Path) -> dict[str, list[str]]:
    """The columns of a CSV file (gzip where the name ends in .gz), as text.

    Raises:
        InputError: where the file is missing, empty, not UTF-8 or has rows of different lengths.
    """
    try:
        data = path.read_bytes()
        raw = gzip.decompress(data) if path.suffix == ".gz" else data
        rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from None
    if not rows:
        raise InputError(f"{path}: empty, where a CSV file with a header is needed")
    header, body = rows[0], [row for row in rows[1:] if row]
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise InputError(f"{path}: row {number} has {len(row)} fields, header {len(header)}")
    return {name: [row[i] for row in body] for i, name in enumerate(header)}
