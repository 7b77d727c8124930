"""Several cells at once, each in a worker process of its own interpreter.

Parent and worker talk in lines of JSON over the worker's standard streams: nothing is pickled, and
the parent's main script is not run again. Thread counts are the recipe's, whatever the number of
workers. A worker whose parent died stops at its next step.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.errors import DiskError, Interrupted
from bakeoff.core.frozen import plain
from bakeoff.core.record import Record, read_record
from bakeoff.core.store import Store
from bakeoff.execution.cell import Context, run_cell
from bakeoff.execution.local import Cells, Outcome, lacking, note_failure, tell
from bakeoff.execution.signals import Interruptions, interruptions
from bakeoff.techniques.recipes import parse_recipe

POLL_SECONDS = 0.2


def run_in_workers(cells: Cells, outcome: Outcome, signals: Interruptions) -> None:
    """Run cells that are missing; inputs first.

    Raises:
        Interrupted: once all workers have stopped at a checkpoint.
        DiskError: where a worker could not write.
    """
    waiting = list(cells.cells)
    busy: dict[int, tuple[subprocess.Popen[str], Cell]] = {}
    idle: list[subprocess.Popen[str]] = []
    with _workers(min(cells.jobs, len(waiting))) as workers:
        idle += workers
        with selectors.DefaultSelector() as selector:
            for worker in workers:
                assert worker.stdout is not None
                selector.register(worker.stdout, selectors.EVENT_READ, worker)
            while waiting or busy:
                signals.check()
                _hand_out(cells, outcome, waiting, idle, busy)
                for key, _ in selector.select(POLL_SECONDS):
                    _, cell = busy.pop(key.data.pid)
                    _take(cells, outcome, cell, key.data.stdout.readline())
                    idle.append(key.data)


def _hand_out(
    cells: Cells,
    outcome: Outcome,
    waiting: list[Cell],
    idle: list[subprocess.Popen[str]],
    busy: dict[int, tuple[subprocess.Popen[str], Cell]],
) -> None:
    """Give every idle worker a cell whose inputs are there."""
    for cell in list(waiting):
        if (reason := lacking(cell, outcome)) is not None:
            waiting.remove(cell)
            cells.fail(cell, reason, outcome)
        elif idle and all(key in outcome.records for key in cell.inputs.values()):
            waiting.remove(cell)
            worker = idle.pop()
            total = len(cells.cells)
            cells.watcher.begin(cell, total - len(waiting), total)
            assert worker.stdin is not None
            worker.stdin.write(json.dumps(_message(cells, outcome, cell)) + "\n")
            worker.stdin.flush()
            busy[worker.pid] = (worker, cell)


def _message(cells: Cells, outcome: Outcome, cell: Cell) -> dict[str, Any]:
    records = {name: outcome.records[key] for name, key in cell.inputs.items()}
    return {
        "out": str(cells.store.folder),
        "offline": cells.offline,
        "name": cell.recipe.name,
        "recipe": cell.recipe.resolved(),
        "replicate": plain(cell.replicate),
        "data_hash": cell.data_hash,
        "split_hash": cell.split_hash,
        "version": cell.version,
        "inputs": dict(cell.inputs),
        "purpose": cell.purpose,
        "folders": {n: f"cells/{r.name}/{r.replicate.folder}" for n, r in records.items()},
    }


def _take(cells: Cells, outcome: Outcome, cell: Cell, line: str) -> None:
    """What a worker answered about its cell."""
    answer = json.loads(line) if line else {"failed": "the worker process died"}
    if "interrupted" in answer:
        raise Interrupted(answer["interrupted"])
    if "disk" in answer:
        raise DiskError(answer["disk"])
    record = cells.store.finished(cell)
    if record is not None:
        cells.finish(cell, record, outcome)
    else:
        cells.fail(cell, answer.get("failed", "no record was left"), outcome)


@contextmanager
def _workers(count: int) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "bakeoff.execution.workers"]
    # Own sessions: the terminal's signals reach the parent alone, which passes on exactly one.
    workers = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for _ in range(count)
    ]
    try:
        yield workers
    except BaseException:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        raise
    finally:
        for worker in workers:
            worker.communicate()


def serve() -> None:
    """The worker's side: a cell a line, an answer a line, until the parent closes the stream."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    parent = os.getppid()
    with interruptions() as signals:

        def check() -> None:
            signals.check()
            if os.getppid() != parent:
                raise Interrupted(signal.SIGHUP)

        for line in sys.stdin:
            try:
                answer: dict[str, Any] = _serve_cell(json.loads(line), check)
            except Interrupted as stop:
                answer = {"interrupted": stop.signal_number}
            except DiskError as error:
                answer = {"disk": str(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
            if answer.keys() & {"interrupted", "disk"}:
                return


def _serve_cell(message: dict[str, Any], check: Any) -> dict[str, Any]:
    store = Store(Path(message["out"]))
    cell = Cell(
        recipe=parse_recipe(message["recipe"], message["name"]),
        replicate=Replicate(**message["replicate"]),
        data_hash=message["data_hash"],
        split_hash=message["split_hash"],
        version=message["version"],
        inputs=message["inputs"],
        purpose=message["purpose"],
    )
    inputs: dict[str, Record] = {}
    for name, folder in message["folders"].items():
        record = read_record(store.folder / folder)
        if record is not None:
            inputs[name] = record
    try:
        context = Context(store, message["offline"], sharing=True, check=check)
        return {"done": run_cell(cell, context, inputs).key}
    except (Interrupted, DiskError):
        raise
    except Exception as error:
        note_failure(store, cell, error)
        return {"failed": tell(error)}


if __name__ == "__main__":
    serve()
