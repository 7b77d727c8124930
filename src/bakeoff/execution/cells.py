"""The cells of a study, how to run them, who is told, and what became of them."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bakeoff.core.cell import Cell, Key
from bakeoff.core.errors import BakeoffError
from bakeoff.core.record import Record
from bakeoff.core.store import Store
from bakeoff.execution.cell import BeforeTest, untold
from bakeoff.training.observers import Observer, Silent


class Watcher(Protocol):
    """Told what becomes of the cells; cannot alter anything."""

    def note(self, line: str) -> None:
        """Something to know about how the cells run; it may come more than once."""
        ...

    def begin(self, cell: Cell, number: int, total: int) -> Observer:
        """A cell starts; what is returned watches its loops."""
        ...

    def done(self, cell: Cell, record: Record, cached: bool) -> None:
        """A cell is finished, now or (`cached`) in an earlier run."""
        ...

    def failed(self, cell: Cell, message: str) -> None:
        """A cell crashed."""
        ...


class Unwatched:
    """Says nothing."""

    def note(self, line: str) -> None:
        """Nothing."""

    def begin(self, cell: Cell, number: int, total: int) -> Observer:
        """Nothing."""
        return Silent()

    def done(self, cell: Cell, record: Record, cached: bool) -> None:
        """Nothing."""

    def failed(self, cell: Cell, message: str) -> None:
        """Nothing."""


@dataclass
class Outcome:
    """What became of the cells of one call."""

    records: dict[Key, Record] = field(default_factory=dict)
    failures: dict[Key, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cells:
    """The cells of a study, inputs before what needs them, and how to run them.

    Args:
        cells: In the order to run them.
        store: Their run folder.
        jobs: Worker processes; 1 runs in this process.
        others: Cores that other programs keep busy.
        watcher: Told what happens.
        told: Folders of finished cells that the watcher knows of.
        before_test: Called with a cell and its validation metrics before what it held out is scored
            (with `jobs` 1 only).
    """

    cells: Sequence[Cell]
    store: Store
    jobs: int = 1
    others: float = 0.0
    watcher: Watcher = field(default_factory=Unwatched)
    told: frozenset[str] = frozenset()
    before_test: BeforeTest = untold

    def finish(self, cell: Cell, record: Record, outcome: Outcome) -> None:
        """Note a finished cell."""
        outcome.records[cell.key] = record
        self.watcher.done(cell, record, cached=False)

    def fail(self, cell: Cell, message: str, outcome: Outcome) -> None:
        """Note a crashed cell."""
        outcome.failures[cell.key] = message
        self.watcher.failed(cell, message)


def lacking(cell: Cell, outcome: Outcome) -> str | None:
    """Why a cell cannot run: an input of it failed."""
    failed = [name for name, key in cell.inputs.items() if key in outcome.failures]
    return f"its input {', '.join(failed)} failed" if failed else None


def tell(error: Exception) -> str:
    """One line about what went wrong."""
    if isinstance(error, BakeoffError):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory"
    return f"{type(error).__name__}: {error}"


def note_failure(store: Store, cell: Cell, error: Exception) -> None:
    """Leave the traceback in the cell's folder."""
    text = "".join(traceback.format_exception(error))
    try:
        (store.cell(cell) / "failure.txt").write_text(text, encoding="utf-8")
    except OSError:
        return
