"""All cells of a study on this machine: one after another, or in several worker processes."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from bakeoff.core.cell import Cell, Key
from bakeoff.core.errors import BakeoffError, DiskError, InputError, Interrupted
from bakeoff.core.record import Record
from bakeoff.core.store import Store
from bakeoff.execution.cell import BeforeTest, Context, run_cell
from bakeoff.execution.signals import Interruptions
from bakeoff.training.observers import Observer, Silent


class Watcher(Protocol):
    """Told what becomes of the cells; cannot alter anything."""

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
        offline: Whether nothing may be fetched.
        jobs: Worker processes; 1 runs in this process.
        watcher: Told what happens.
        before_test: Called with a cell and its validation metrics before its test split is opened
            (with `jobs` 1 only).
    """

    cells: Sequence[Cell]
    store: Store
    offline: bool = False
    jobs: int = 1
    watcher: Watcher = field(default_factory=Unwatched)
    before_test: BeforeTest = lambda cell, validation: None

    def run(self, signals: Interruptions) -> Outcome:
        """Run what is missing; a crashed cell does not stop the others.

        Raises:
            Interrupted: after a checkpoint, where a signal came.
            DiskError: where something cannot be written.
        """
        outcome = Outcome()
        missing = []
        for cell in self.cells:
            record = self.store.finished(cell)
            if record is None:
                missing.append(cell)
            else:
                outcome.records[cell.key] = record
                self.before_test(cell, validation_metrics(record))
                self.watcher.done(cell, record, cached=True)
        if self.jobs > 1 and len(missing) > 1:
            from bakeoff.execution.workers import run_in_workers

            run_in_workers(replace(self, cells=missing), outcome, signals)
        else:
            self._run_here(missing, outcome, signals.check)
        return outcome

    def _run_here(
        self, missing: Sequence[Cell], outcome: Outcome, check: Callable[[], None]
    ) -> None:
        for number, cell in enumerate(missing, start=1):
            check()
            context = Context(self.store, self.offline, check=check, before_test=self.before_test)
            if (reason := lacking(cell, outcome)) is not None:
                self.fail(cell, reason, outcome)
                continue
            observer = self.watcher.begin(cell, number, len(missing))
            inputs = {name: outcome.records[key] for name, key in cell.inputs.items()}
            try:
                record = run_cell(cell, replace(context, observer=observer), inputs)
            except (Interrupted, DiskError):
                raise
            except Exception as error:
                self.fail(cell, tell(error), outcome)
                note_failure(self.store, cell, error)
            else:
                self.finish(cell, record, outcome)

    def finish(self, cell: Cell, record: Record, outcome: Outcome) -> None:
        """Note a finished cell."""
        outcome.records[cell.key] = record
        self.watcher.done(cell, record, cached=False)

    def fail(self, cell: Cell, message: str, outcome: Outcome) -> None:
        """Note a crashed cell."""
        outcome.failures[cell.key] = message
        self.watcher.failed(cell, message)


def validation_metrics(record: Record) -> dict[str, float]:
    """A cell's validation metrics, without their split."""
    found = record.metrics.items()
    return {n.partition("/")[2]: v for n, v in found if n.startswith("validation/")}


def lacking(cell: Cell, outcome: Outcome) -> str | None:
    """Why a cell cannot run: an input of it failed."""
    failed = [name for name, key in cell.inputs.items() if key in outcome.failures]
    return f"its input {', '.join(failed)} failed" if failed else None


def tell(error: Exception) -> str:
    """One line about what went wrong."""
    if isinstance(error, BakeoffError | InputError):
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
