"""Columns of equal length: what a predictor returns and a predictions file holds."""

import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.files import canonical_json, digest

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


def scored_hash(predictions: Table) -> str:
    """SHA-256 of the ids and labels of a table of predictions: which examples were scored."""
    truth = predictions["label" if "label" in predictions else "target"]
    labels = [_text(label) for label in truth.tolist()]
    return digest(canonical_json([predictions["id"].tolist(), labels]))


def csv_bytes(header: Sequence[str] | None, rows: Iterator[Sequence[object]]) -> bytes:
    """CSV as UTF-8 with line feeds; floats with the 9 digits that give a float32 back exactly.

    Args:
        header: None: rows alone, to be put behind others.
        rows: Of as many cells as the header.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    # Before Python 3.13 a carriage return alone is not quoted, and read back as the end of a row.
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in itertools.chain([header] if header is not None else [], rows):
        returns = any(isinstance(v, str) and "\r" in v for v in row)
        cells = [_text(v) for v in row]
        (quoting if returns else writer).writerow(cells)
    return text.getvalue().encode()


def _text(value: object) -> object:
    """A value as a file has it."""
    return f"{value:.9g}" if isinstance(value, float) else value


def read_csv(path: Path) -> dict[str, list[str]]:
    """The columns of a CSV file (gzip where the name ends in .gz), as text.

    Raises:
        InputError: where the file is missing, empty, damaged or not UTF-8, has rows of different
            lengths, or two columns of one name.
    """
    try:
        data = path.read_bytes()
        raw = gzip.decompress(data) if path.suffix == ".gz" else data
        reader = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
        rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from None
    if not rows:
        raise InputError(f"{path}: empty, where a CSV file with a header is needed")
    (_, header), *body = rows
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"{path}: more than one column is named {', '.join(map(repr, twice))}")
    for line, row in body:
        if len(row) != len(header):
            raise InputError(f"{path}: line {line} has {len(row)} fields, header {len(header)}")
    return {name: [row[i] for _, row in body] for i, name in enumerate(header)}
