"""Several cells at once, each in a worker process of its own interpreter.

Parent and worker talk in lines of JSON over the worker's standard streams: nothing is pickled, and
the parent's main script is not run again. Thread counts are the recipe's, whatever the number of
workers. A worker whose parent died stops: at once on Linux, at its next step elsewhere.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bakeoff.core.cell import Cell, Folds, Replicate
from bakeoff.core.errors import DiskError, InputError, Interrupted
from bakeoff.core.frozen import plain
from bakeoff.core.record import Record, read_record
from bakeoff.core.store import Store
from bakeoff.execution.cell import Context, needed, run_cell
from bakeoff.execution.cells import Cells, Outcome, lacking, note_failure, tell
from bakeoff.execution.signals import Interruptions, interruptions
from bakeoff.techniques.recipes import parse_recipe

POLL_SECONDS = 0.2
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from bakeoff.execution.workers import serve; serve(int(sys.argv[2]))"
)
"""A worker's program: modules are found where the parent found them."""
PARENT_DEATH_SIGNAL = 1
"""The number that `prctl` knows it by."""

Message = Mapping[str, Any]


def run_in_workers(cells: Cells, outcome: Outcome, signals: Interruptions) -> None:
    """Run cells that are missing; inputs first.

    Raises:
        Interrupted: once all workers have stopped at a checkpoint.
        DiskError: where a worker could not write.
    """
    waiting = list(cells.cells)
    with Crew(min(cells.jobs, len(waiting))) as crew:
        while waiting or crew.busy:
            signals.check()
            _hand_out(cells, outcome, waiting, crew)
            for cell, answer in crew.answers(POLL_SECONDS):
                _take(cells, outcome, cell, answer)


def _hand_out(cells: Cells, outcome: Outcome, waiting: list[Cell], crew: "Crew") -> None:
    """Give every free worker a cell whose inputs are there."""
    total = len(cells.cells)
    for cell in list(waiting):
        if (reason := lacking(cell, outcome)) is not None:
            waiting.remove(cell)
            cells.fail(cell, reason, outcome)
        elif crew.free and all(key in outcome.records for key in cell.inputs.values()):
            waiting.remove(cell)
            cells.watcher.begin(cell, total - len(waiting), total)
            crew.hand(cell, message(cells, outcome, cell))


def message(cells: Cells, outcome: Outcome, cell: Cell) -> dict[str, Any]:
    """A cell as a worker gets it, JSON-ready."""
    records = needed(cell, outcome.records)
    return {
        "out": str(cells.store.folder),
        "name": cell.recipe.name,
        "recipe": cell.recipe.resolved() | {"numerics": plain(cell.recipe.numerics)},
        "replicate": plain(cell.replicate),
        "folds": None if cell.folds is None else plain(cell.folds),
        "data_hash": cell.data_hash,
        "split_hash": cell.split_hash,
        "version": cell.version,
        "inputs": dict(cell.inputs),
        "purpose": cell.purpose,
        "weights": dict(cell.weights),
        "folders": [f"cells/{r.name}/{r.replicate.folder}" for r in records],
    }


def _take(cells: Cells, outcome: Outcome, cell: Cell, answer: Message) -> None:
    """What a worker answered about its cell."""
    if "interrupted" in answer:
        raise Interrupted(int(answer["interrupted"]))
    if "disk" in answer:
        raise DiskError(answer["disk"])
    record = cells.store.finished(cell)
    if record is not None:
        cells.finish(cell, record, outcome)
    else:
        cells.fail(cell, answer.get("failed", "no record was left"), outcome)


class Crew:
    """Worker processes, each with a thread that waits for its answers.

    A worker that died is replaced when there is more to do.

    Args:
        size: How many at most.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.busy: dict[Future[Message], tuple[Cell, _Worker]] = {}
        self._idle: list[_Worker] = []
        self._threads = ThreadPoolExecutor(size)

    @property
    def free(self) -> bool:
        """Whether another cell can be handed out."""
        return len(self.busy) < self.size

    def hand(self, cell: Cell, message: Message) -> None:
        """Give a cell to a free worker."""
        worker = self._worker()
        self.busy[self._threads.submit(worker.ask, message)] = (cell, worker)

    def _worker(self) -> "_Worker":
        """An idle one, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            worker.close()
        return _Worker()

    def answers(self, seconds: float) -> list[tuple[Cell, Message]]:
        """What came meanwhile: at once when something is there."""
        done, _ = wait(self.busy, seconds, FIRST_COMPLETED)
        found = []
        for future in done:
            cell, worker = self.busy.pop(future)
            if worker.alive:
                self._idle.append(worker)
            else:
                worker.close()
            found.append((cell, future.result()))
        return found

    def __enter__(self) -> Self:
        """Workers start when they get something to do."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the workers to end; after an error, ask them to stop at a checkpoint."""
        workers = [*self._idle, *(worker for _, worker in self.busy.values())]
        if error is not None:
            for worker in workers:
                worker.stop()
        self._threads.shutdown()
        for worker in workers:
            worker.close()


class _Worker:
    """A worker process, seen from the parent."""

    def __init__(self) -> None:
        # A session of its own: the terminal's signals reach the parent alone, which passes one on.
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, json.dumps(sys.path), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether it can be given more."""
        return self._process.poll() is None

    def ask(self, message: Message) -> Message:
        """Send a cell and wait for what becomes of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            answer: Message = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            code = self._process.wait()
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            return {"failed": f"its worker process {how}"}
        return answer

    def stop(self) -> None:
        """Ask it to stop."""
        self._process.terminate()

    def close(self) -> None:
        """Tell it that there is no more, and wait for its end."""
        self._process.communicate()


def serve(parent: int) -> None:
    """The worker's side: a cell a line, an answer a line, until the parent closes the stream.

    Args:
        parent: Its process id.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    _die_with_parent()
    with interruptions() as signals:

        def check() -> None:
            signals.check()
            if os.getppid() != parent:
                raise Interrupted(signal.SIGTERM)

        for line in sys.stdin:
            try:
                check()
                answer = _serve_cell(json.loads(line), check)
            except Interrupted as stop:
                answer = {"interrupted": stop.signal_number}
            except DiskError as error:
                answer = {"disk": str(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _die_with_parent() -> None:
    """Have the kernel end this process with its parent, where it can.

    The run folder is free as soon as the parent is gone: nobody else may then be writing in it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _serve_cell(message: Message, check: Callable[[], None]) -> dict[str, Any]:
    store = Store(Path(message["out"]))
    cell = Cell(
        recipe=parse_recipe(message["recipe"], message["name"]),
        replicate=Replicate(**message["replicate"]),
        data_hash=message["data_hash"],
        split_hash=message["split_hash"],
        version=message["version"],
        inputs=message["inputs"],
        purpose=message["purpose"],
        folds=message["folds"] and Folds(**message["folds"]),
        weights=message["weights"],
    )
    try:
        records = [_record(store.folder / folder) for folder in message["folders"]]
        context = Context(store, sharing=True, check=check)
        return {"done": run_cell(cell, context, {r.key: r for r in records}).key}
    except (Interrupted, DiskError):
        raise
    except Exception as error:
        note_failure(store, cell, error)
        return {"failed": tell(error)}


def _record(folder: Path) -> Record:
    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder}: not a finished cell")
    return record
