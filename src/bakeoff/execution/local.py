"""All cells of a study on this machine: one after another, or in several worker processes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bakeoff.core.cell import Cell
from bakeoff.core.errors import DiskError, Interrupted
from bakeoff.execution.cell import Context, of_split, run_cell
from bakeoff.execution.cells import Cells, Outcome, Unwatched, Watcher, lacking, note_failure, tell
from bakeoff.execution.cores import crowding
from bakeoff.execution.signals import Interruptions
from bakeoff.execution.workers import run_in_workers

__all__ = ["Cells", "Outcome", "Unwatched", "Watcher", "run_cells"]


def run_cells(cells: Cells, signals: Interruptions) -> Outcome:
    """Run what is missing; a crashed cell does not stop the others.

    Raises:
        Interrupted: after a checkpoint, where a signal came.
        DiskError: where something cannot be written.
    """
    outcome = Outcome()
    missing = []
    for cell in cells.cells:
        record = cells.store.finished(cell)
        if record is None:
            missing.append(cell)
        else:
            outcome.records[cell.key] = record
            cells.store.clear(cells.store.cell(cell))
            cells.before_test(cell, of_split(record.metrics, "validation"))
            if cell.folder not in cells.told:
                cells.watcher.done(cell, record, cached=True)
    _tell_outdated(cells, missing)
    _tell_crowding(cells, missing)
    if cells.jobs > 1 and len(missing) > 1:
        run_in_workers(replace(cells, cells=missing), outcome, signals)
    else:
        _run_here(cells, missing, outcome, signals.check)
    return outcome


def _tell_outdated(cells: Cells, missing: Sequence[Cell]) -> None:
    """Say how many cells that were finished are run anew."""
    if count := sum(cells.store.outdated(cell) for cell in missing):
        which = "1 finished cell is" if count == 1 else f"{count} finished cells are"
        cells.watcher.note(
            f"{which} run anew: settings, data, weights, code or numerics are no longer those of "
            "then (what was there moves to superseded/)"
        )


def _tell_crowding(cells: Cells, missing: Sequence[Cell]) -> None:
    """Say where what is about to run would wait for cores."""
    threads = max((int(cell.recipe.numerics.threads) for cell in missing), default=1)
    line = crowding(threads, min(cells.jobs, len(missing)), cells.others)
    if line is not None:
        cells.watcher.note(line)


def _run_here(
    cells: Cells, missing: Sequence[Cell], outcome: Outcome, check: Callable[[], None]
) -> None:
    context = Context(cells.store, check=check, before_test=cells.before_test)
    for number, cell in enumerate(missing, start=1):
        check()
        if (reason := lacking(cell, outcome)) is not None:
            cells.fail(cell, reason, outcome)
            continue
        observer = cells.watcher.begin(cell, number, len(missing))
        try:
            record = run_cell(cell, replace(context, observer=observer), outcome.records)
        except (Interrupted, DiskError):
            raise
        except Exception as error:
            note_failure(cells.store, cell, error)
            cells.fail(cell, tell(error), outcome)
        else:
            cells.finish(cell, record, outcome)
