"""The archive of evidence: what the cells of a run left, in one file that any tool can open.

`cells.tar.xz` holds

    cells/<recipe>/<replicate>/record.json, metrics.jsonl     as the run left them
    examples/<set>/id.npy, label.npy or target.npy, group.npy  (N,) of a set of scored examples
    examples/<set>/cells.json                                  (C,) which cells, and which split
    examples/<set>/prediction.npy, label_probability.npy       (C, N): a row a cell, in that order

Labels and predictions of classes are positions in the `classes` of the records, -1 where unknown.
What says which examples were scored is the same for all cells scored on them and is there once; a
set is named by the SHA-256 of it. Numbers keep all their bits.
"""

import io
import json
import lzma
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.table import Table

ARCHIVE = "cells.tar.xz"
CELLS = "cells"
EXAMPLES = "examples"
OF_EXAMPLES = ("id", "label", "target", "group")
"""Columns of predictions that say which examples were scored; the others say what came out."""
SCORED = "cells.json"
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 1, "lp": 2, "pb": 2}]
"""For numbers of four bytes, which are most of it: 8 % smaller than by default."""

Place = tuple[str, str]
"""A cell, `recipe/replicate`, and a split."""


@dataclass(frozen=True)
class Archive:
    """The content of an archive.

    Attributes:
        files: By path below `cells/`.
        tables: Predictions, by cell and split.
    """

    files: Mapping[str, bytes]
    tables: Mapping[Place, Table]


def archive_bytes(files: Mapping[str, bytes], tables: Mapping[Place, Table]) -> bytes:
    """An archive; the same bytes for the same content.

    Args:
        files: By path below `cells/`.
        tables: Predictions reduced to what metrics need, by cell and split; all with the same
            columns.
    """
    members = {f"{CELLS}/{name}": content for name, content in files.items()}
    scored: dict[str, dict[Place, Table]] = {}
    for place, table in tables.items():
        scored.setdefault(_set_of(table), {})[place] = table
    for name, own in scored.items():
        members |= {f"{EXAMPLES}/{name}/{file}": content for file, content in _arrays(own).items()}
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w", format=tarfile.PAX_FORMAT) as tar:
        # Like beside like compresses best.
        for name in sorted(members, key=lambda name: (name.rpartition("/")[2], name)):
            entry = tarfile.TarInfo(name)
            entry.size = len(members[name])
            tar.addfile(entry, io.BytesIO(members[name]))
    return lzma.compress(text.getvalue(), format=lzma.FORMAT_XZ, filters=FILTERS)


def _set_of(table: Table) -> str:
    """The name of the examples that a table is about."""
    columns = {name: digest(npy_bytes(table[name])) for name in OF_EXAMPLES if name in table}
    return digest(canonical_json(columns))[:16]


def _arrays(tables: Mapping[Place, Table]) -> dict[str, bytes]:
    """The files of one set of examples."""
    first = next(iter(tables.values()))
    files = {SCORED: canonical_json(list(tables))}
    for name in first:
        shared = name in OF_EXAMPLES
        column = first[name] if shared else np.stack([table[name] for table in tables.values()])
        files[f"{name}.npy"] = npy_bytes(column)
    return files


def npy_bytes(column: NDArray[Any]) -> bytes:
    """An array as a file; whole numbers in the fewest bytes that hold them all."""
    if column.dtype.kind == "i" and column.size:
        least = np.min_scalar_type(min(int(column.min()), -1 - int(column.max())))
        column = column.astype(least)
    file = io.BytesIO()
    np.save(file, column, allow_pickle=False)
    return file.getvalue()


def open_archive(path: Path) -> Archive:
    """Read an archive.

    Raises:
        InputError: where it is none.
    """
    try:
        members = dict(_members(path.read_bytes()))
        files = {
            name.removeprefix(f"{CELLS}/"): content
            for name, content in members.items()
            if name.startswith(f"{CELLS}/")
        }
        tables: dict[Place, Table] = {}
        for name in members:
            folder, _, file = name.rpartition("/")
            if file == SCORED and folder.startswith(f"{EXAMPLES}/"):
                tables |= _tables(members, folder)
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    except (lzma.LZMAError, tarfile.TarError) as error:
        raise InputError(f"{path}: not a tar archive compressed by xz: {error}") from None
    return Archive(files, tables)


def _members(data: bytes) -> Iterable[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(data))) as tar:
        for entry in tar:
            file = tar.extractfile(entry)
            if file is not None:
                yield entry.name, file.read()


def _tables(members: Mapping[str, bytes], folder: str) -> dict[Place, Table]:
    """The predictions of all cells scored on one set of examples."""
    places = [(str(cell), str(split)) for cell, split in json.loads(members[f"{folder}/{SCORED}"])]
    columns = {
        name.removeprefix(f"{folder}/").removesuffix(".npy"): _loaded(content)
        for name, content in members.items()
        if name.startswith(f"{folder}/") and name.endswith(".npy")
    }
    return {
        place: Table({n: c if n in OF_EXAMPLES else c[row] for n, c in columns.items()})
        for row, place in enumerate(places)
    }


def _loaded(content: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    return array.astype(np.int64) if array.dtype.kind == "i" else array
