"""Rows and columns out of CSV, TSV, JSONL and Parquet files, with every fault in plain words."""

import csv
import gzip
import io
import json
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.core.errors import InputError

KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
SHOWN = 5

_field_limit_lock = threading.Lock()


@dataclass(frozen=True)
class Rows:
    """A table as read: columns of Python values, None where a value is missing.

    Args:
        columns: By name, all of one length.
        lines: (N,) where each row begins in the file, for messages.
        notes: What was guessed.
    """

    columns: dict[str, list[Any]]
    lines: list[int]
    notes: tuple[str, ...] = ()


def kind_of(path: Path) -> tuple[str, bool]:
    """The suffix that tells a table's format (lower case), and whether it is packed."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    return (suffixes[-2] if packed and len(suffixes) > 1 else path.suffix.lower()), packed


def read_rows(path: Path) -> Rows:
    """The rows of a table; the format is told by the name, `.gz` after it is unpacked.

    Raises:
        InputError: where the file is missing, empty, of another format or encoding, or has rows
            that do not fit its header.
    """
    kind, packed = kind_of(path)
    if kind not in KINDS:
        raise InputError(
            f"{path}: format '{kind}' is not known (allowed: {', '.join(KINDS)}, .gz after all but "
            "the last)"
        )
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {what}")
    if kind == ".parquet":
        rows = _parquet(path)
    else:
        text, notes = _text(path, packed)
        parse = _json_lines if kind in (".jsonl", ".ndjson") else _separated
        rows = parse(path, text, kind)
        rows = Rows(rows.columns, rows.lines, (*notes, *rows.notes))
    if not rows.lines:
        raise InputError(f"{path}: no rows")
    return rows


def _text(path: Path, packed: bool) -> tuple[str, tuple[str, ...]]:
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if packed else data
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16"), ("read as UTF-16, as its first bytes say",)
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: begins as UTF-16 but is not: {error.reason}") from None
    try:
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        raise InputError(_not_utf8(path, data)) from None


def _not_utf8(path: Path, data: bytes) -> list[str]:
    """Where the bytes that are not UTF-8 are, and what to do about them."""
    lines = data.split(b"\n")
    bad = [i for i, line in enumerate(lines, start=1) if not _is_utf8(line)]
    first = lines[bad[0] - 1].decode("cp1252", "replace").strip()
    which = f"line {bad[0]} is" if len(bad) == 1 else f"{len(bad)} lines are"
    at = "" if len(bad) == 1 else f", the first is line {bad[0]}"
    return [
        f"{path}: {which} not UTF-8{at}: {first[:60]}",
        f"  perhaps it is Windows-1252: iconv -f cp1252 -t utf-8 {path.name} > utf8-{path.name}",
    ]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _separated(path: Path, text: str, kind: str) -> Rows:
    """CSV, or TSV, in which by its definition quotes mean nothing."""
    expected = "\t" if kind == ".tsv" else ","
    separator = _separator(text.split("\n", 1)[0], expected)
    notes = [] if separator == expected else [f"columns are separated by {separator!r}"]
    quoting = [csv.QUOTE_MINIMAL] if separator != "\t" else [csv.QUOTE_NONE, csv.QUOTE_MINIMAL]
    faults: list[str] = []
    for style in quoting:
        rows, lines, faults = _parse(path, text, separator, style)
        if not faults:
            columns = {name: [row[i] or None for row in rows[1:]] for i, name in enumerate(rows[0])}
            return Rows(columns, lines[1:], tuple(notes))
    raise InputError(faults)


def _separator(header: str, expected: str) -> str:
    """Spreadsheets of half of Europe separate by semicolons and call it CSV."""
    if expected in header:
        return expected
    return max((expected, ",", ";", "\t"), key=header.count)


def _parse(
    path: Path, text: str, separator: str, quoting: Any
) -> tuple[list[list[str]], list[int], list[str]]:
    """Rows, the line each begins at, and what is wrong with them."""
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    with long_fields():
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=separator, quoting=quoting, strict=True
        )
        try:
            for row in reader:
                if row:
                    rows.append(row)
                    lines.append(line)
                line = reader.line_num + 1
        except csv.Error as error:
            return rows, lines, [f"{path}: line {line}: {error}"]
    if not rows:
        return rows, lines, [f"{path}: empty, where a header and rows are needed"]
    header = [name.strip() for name in rows[0]]
    rows[0] = header
    if doubled := sorted({name for name in header if header.count(name) > 1}):
        return rows, lines, [f"{path}: more than one column is called {', '.join(doubled)}"]
    wrong = [i for i, row in enumerate(rows) if len(row) != len(header)]
    faults = [
        f"{path}: line {lines[i]} has {len(rows[i])} fields, the header {len(header)}"
        for i in wrong[:SHOWN]
    ]
    if len(wrong) > SHOWN:
        faults.append(f"  and {len(wrong) - SHOWN} more")
    return rows, lines, faults


@contextmanager
def long_fields() -> Iterator[None]:
    """The csv module refuses fields of more than 128 KiB, and its limit is one for all threads."""
    with _field_limit_lock:
        before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _json_lines(path: Path, text: str, _kind: str) -> Rows:
    names: dict[str, None] = {}
    records: list[dict[str, Any]] = []
    lines: list[int] = []
    faults: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            faults.append(f"{path}: line {number} is not JSON: {error}")
            continue
        if not isinstance(record, dict):
            faults.append(f"{path}: line {number} is no object {{...}} but {line.strip()[:40]}")
            continue
        names |= dict.fromkeys(record)
        records.append(record)
        lines.append(number)
    if faults:
        more = [f"  and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise InputError(faults[:SHOWN] + more)
    return Rows({name: [record.get(name) for record in records] for name in names}, lines)


def _parquet(path: Path) -> Rows:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(
            f"{path}: reading Parquet needs pyarrow: pip install 'bakeoff[parquet]'"
        ) from None
    try:
        table = parquet.read_table(path)
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read as Parquet: {reason}") from None
    return Rows(columns, list(range(1, table.num_rows + 1)))
