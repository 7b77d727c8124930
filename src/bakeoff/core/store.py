"""The folder a study leaves: who may write it, where its cells are, what became of old ones."""

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.files import clear_scraps, disk_errors, write_atomic
from bakeoff.core.record import Record, read_record

KEY_FILE = ".key"


class Store:
    """A run folder: `cells/<recipe>/<replicate>/`, `superseded/<key>/`, `index.sqlite`.

    The folders are the truth; the index is rebuilt from them.

    Raises:
        InputError: where the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise InputError(
                f"--out {folder}: cannot be written: {error.strerror} (needed: a folder that "
                "exists or can be made, with the right to write in it)"
            ) from None

    def cell(self, cell: Cell) -> Path:
        """The folder of a cell."""
        return self.folder / "cells" / cell.folder

    def finished(self, cell: Cell) -> Record | None:
        """The record of exactly this cell, or None."""
        record = read_record(self.cell(cell))
        return record if record is not None and record.key == cell.key else None

    def outdated(self, cell: Cell) -> bool:
        """Whether what is finished in its place has another key."""
        record = read_record(self.cell(cell))
        return record is not None and record.key != cell.key

    def open(self, cell: Cell) -> Path:
        """The folder to work in: what an unfinished run of the same key left, or a new one.

        What belongs to another key moves to `superseded/`, never overwritten.
        """
        folder, key = self.cell(cell), cell.key
        with disk_errors(str(folder)):
            if folder.exists() and (old := self._key_of(folder)) != key:
                self._supersede(folder, cell.folder, old)
            folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / KEY_FILE, key.encode())
        return folder

    def _key_of(self, folder: Path) -> str:
        record = read_record(folder)
        if record is not None:
            return record.key
        try:
            return (folder / KEY_FILE).read_text(encoding="utf-8").strip()
        except OSError:
            return "unknown"

    def _supersede(self, folder: Path, name: str, key: str) -> None:
        target = self.folder / "superseded" / key / name
        number = 1
        while target.exists():
            number += 1
            target = self.folder / "superseded" / f"{key}-{number}" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder, target)

    def records(self) -> dict[str, list[Record]]:
        """Every finished cell's record, by recipe name, ordered by replicate."""
        found: dict[str, list[Record]] = {}
        for path in sorted(self.folder.glob("cells/*/*/record.json")):
            record = read_record(path.parent)
            if record is not None:
                found.setdefault(path.parent.parent.name, []).append(record)
        for records in found.values():
            records.sort(key=lambda record: record.replicate.order)
        return found

    def commit(self, folder: Path, record: Record) -> None:
        """Write the record, then clear what only an unfinished cell needs."""
        record.write(folder)
        self.clear(folder)

    def clear(self, folder: Path) -> None:
        """Remove what a finished cell no longer needs; a kill after its commit leaves that."""
        with suppress(OSError):  # the cell is finished, whatever stays
            (folder / KEY_FILE).unlink(missing_ok=True)
            (folder / "failure.txt").unlink(missing_ok=True)
        shutil.rmtree(folder / "checkpoints" / "last", ignore_errors=True)

    def reindex(self) -> None:
        """Rebuild `index.sqlite`: tables `cells` and `metrics`, for queries across cells.

        Raises:
            DiskError: where it cannot be written; the old one is intact then.
        """
        with closing(sqlite3.connect(":memory:")) as database:
            with database:
                _fill(database, self.records())
            write_atomic(self.folder / "index.sqlite", database.serialize())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, one run at a time, and clear what a killed one left half written.

        Raises:
            InputError: where another run holds it.
        """
        with lock(self.folder / ".lock", f"another run is working in {self.folder}"):
            clear_scraps(self.folder)
            yield


@contextmanager
def lock(path: Path, refusal: str) -> Iterator[None]:
    """Hold an advisory lock, freed by the system when the process ends, however it ends.

    Raises:
        InputError: where another process holds it.
        DiskError: where the file system keeps no locks, or the file cannot be made.
    """
    with disk_errors(str(path)):
        stream = path.open("w")
    with stream:
        with disk_errors(str(path)):
            try:
                _hold(stream)
            except (BlockingIOError, PermissionError):  # as POSIX and Windows call it
                raise InputError(f"{refusal}; wait for it, or choose another --out") from None
        yield


def _hold(stream: TextIO) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _fill(database: sqlite3.Connection, records: dict[str, list[Record]]) -> None:
    database.executescript(
        "CREATE TABLE cells (key TEXT, recipe TEXT, technique TEXT, seed INTEGER,"
        " repeat INTEGER, fold INTEGER, status TEXT, train_seconds REAL, parameters INTEGER,"
        " macs INTEGER, peak_bytes INTEGER, folder TEXT PRIMARY KEY);"
        "CREATE TABLE metrics (key TEXT, name TEXT, value REAL, PRIMARY KEY (key, name));"
    )
    for name, found in records.items():
        for r in found:
            row = (
                r.key, name, r.recipe["technique"], r.replicate.seed, r.replicate.repeat,
                r.replicate.fold, r.status, r.cost.train_seconds, r.cost.parameters,
                r.cost.macs_per_example, r.cost.peak_bytes, f"cells/{name}/{r.replicate.folder}",
            )  # fmt: skip
            database.execute(f"INSERT INTO cells VALUES ({','.join('?' * 12)})", row)
            values = [(r.key, metric, value) for metric, value in r.metrics.items()]
            database.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?)", values)
