"""Progress on stderr: bars with ETA, loss and metric on a terminal, plain lines elsewhere."""

import sys
import time
from typing import Any, Protocol

from bakeoff.cli.output import Unheard, console, on_terminal, say
from bakeoff.core.cell import Cell
from bakeoff.core.duration import duration
from bakeoff.core.record import Record
from bakeoff.execution.cells import Unwatched, Watcher
from bakeoff.training.observers import Observer, Silent

PLAIN_SECONDS = 10.0
"""Between plain lines about one loop."""
BAR_WIDTH = 20
NOTE_WIDTH = 40
JUDGING = "judging"


class Progress(Watcher, Protocol):
    """A watcher that may have something to clear away."""

    def close(self) -> None:
        """The study is over, or was stopped."""
        ...


class Quiet(Unwatched):
    """Says nothing."""

    def close(self) -> None:
        """Nothing."""


class Tally:
    """What has become of the cells so far; a study may run them in several rounds.

    Attributes:
        total: Cells that had to be run, as far as is known.
        finished: Of these, done or failed.
        cached: Cells that an earlier run had finished.
    """

    def __init__(self) -> None:
        self.total = self.finished = self.cached = 0
        self._before = 0
        self._seen: set[str] = set()
        self._noted: set[str] = set()

    def begin(self, number: int, total: int) -> None:
        """Cell `number` of a round of `total` starts."""
        if number == 1 or self.finished >= self.total:
            self._before = self.finished - (number - 1)
        self.total = self._before + total

    def end(self, cell: Cell, cached: bool) -> None:
        """A cell is finished; one that a round of this run finished is not counted again."""
        if cell.key not in self._seen:
            self._seen.add(cell.key)
            self.cached += cached
            self.finished += not cached

    def is_new(self, line: str) -> bool:
        """Whether a line has not been asked about before."""
        known = line in self._noted
        self._noted.add(line)
        return not known

    def number(self, cell_number: int) -> int:
        """A cell's number among all of this run, from its number in its round."""
        return self._before + cell_number

    def told_cached(self) -> str:
        """A line about the cells that need not be run, once; then the empty string."""
        cells = "1 cell was" if self.cached == 1 else f"{self.cached} cells were"
        line = f"{cells} finished before" if self.cached else ""
        self.cached = 0
        return line


class Lines:
    """Lines, for logs and pipes."""

    def __init__(self, metric: str) -> None:
        self._metric, self._tally = metric, Tally()

    def note(self, line: str) -> None:
        """Say it, once."""
        if self._tally.is_new(line):
            say(f"bakeoff: {line}")

    def begin(self, cell: Cell, number: int, total: int) -> Observer:
        """A cell starts."""
        self._tell_cached()
        self._tally.begin(number, total)
        return LoopLines(
            f"[{self._tally.number(number)}/{self._tally.total}] {cell.folder}", self._metric
        )

    def done(self, cell: Cell, record: Record, cached: bool) -> None:
        """A cell is finished."""
        self._tally.end(cell, cached)
        if not cached:
            at = f"[{self._tally.finished}/{self._tally.total}]"
            say(f"{at} {cell.folder}: {told(record, self._metric)}")

    def failed(self, cell: Cell, message: str) -> None:
        """A cell crashed."""
        self._tally.end(cell, cached=False)
        say(f"{cell.folder}: failed: {message}")

    def close(self) -> None:
        """The study is over."""
        self._tell_cached()

    def _tell_cached(self) -> None:
        if line := self._tally.told_cached():
            say(line)


class LoopLines(Silent):
    """A line about a loop every few seconds."""

    def __init__(self, prefix: str, metric: str) -> None:
        self._prefix, self._metric = prefix, validated(metric)
        self._steps, self._last = 0, time.monotonic()

    def begin(self, phase: str, steps: int, done: int) -> None:
        """A phase starts, or goes on."""
        self._steps = steps
        if done:
            say(f"{self._prefix}: {phase} goes on after step {done} of {steps}")

    def row(self, row: dict[str, Any]) -> None:
        """A validation is finished."""
        if time.monotonic() - self._last < PLAIN_SECONDS:
            return
        self._last = time.monotonic()
        score = row.get(self._metric)
        shown = "" if score is None else f", {self._metric} {score:.4f}"
        step = f"step {row['step']} of {self._steps}"
        say(f"{self._prefix}: {step}, train/loss {row['train/loss']:.4f}{shown}")


class Bars:
    """A bar for the study and one for the loop at hand; lines for finished cells above them."""

    def __init__(self, metric: str) -> None:
        from rich import progress
        from rich.table import Column

        self._metric, self._tally = metric, Tally()
        self.console = console(Unheard(sys.stderr))
        self.bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(BAR_WIDTH),
            progress.TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            progress.TimeRemainingColumn(),
            progress.TextColumn(
                "{task.fields[note]}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", max_width=NOTE_WIDTH),
            ),
            console=self.console,
            transient=True,
            redirect_stdout=False,
        )
        self._study: Any = None

    def note(self, line: str) -> None:
        """Say it, once."""
        if self._tally.is_new(line):
            self._print(f"bakeoff: {line}")

    def begin(self, cell: Cell, number: int, total: int) -> Observer:
        """A cell starts."""
        self._tell_cached()
        self._tally.begin(number, total)
        self._show(cell.folder)
        return LoopBar(self.bars, self._metric)

    def done(self, cell: Cell, record: Record, cached: bool) -> None:
        """A cell is finished."""
        self._tally.end(cell, cached)
        if not cached:
            self._print(f"{cell.folder}: {told(record, self._metric)}")
            self._show(JUDGING if self._tally.finished == self._tally.total else None)

    def failed(self, cell: Cell, message: str) -> None:
        """A cell crashed."""
        self._tally.end(cell, cached=False)
        self._print(f"{cell.folder}: failed: {message}", style="red")
        self._show()

    def close(self) -> None:
        """Remove the bars."""
        self._tell_cached()
        self.bars.stop()

    def _show(self, note: str | None = None) -> None:
        tally = self._tally
        if self._study is None:
            self._study = self.bars.add_task("cells", total=tally.total, note="")
            self.bars.start()
            self.console.show_cursor(True)  # a run that is killed must not leave it hidden
        fields: dict[str, Any] = {} if note is None else {"note": note}
        self.bars.update(self._study, total=tally.total, completed=tally.finished, **fields)

    def _tell_cached(self) -> None:
        if line := self._tally.told_cached():
            self._print(line)

    def _print(self, line: str, style: str | None = None) -> None:
        self.console.print(line, style=style, markup=False, soft_wrap=True)


class LoopBar(Silent):
    """The bar of one loop."""

    def __init__(self, bars: Any, metric: str) -> None:
        self._bars, self._metric = bars, validated(metric)
        self._task: Any = None
        self._score = ""

    def begin(self, phase: str, steps: int, done: int) -> None:
        """A phase starts, or goes on."""
        self._task = self._bars.add_task(phase, total=steps, completed=done, note="")

    def progress(self, step: int, sums: dict[str, float]) -> None:
        """Some updates are done."""
        if self._task is not None:
            loss = f"loss {sums['loss'] / sums['count']:.4f}" if sums.get("count") else ""
            note = f"{loss}  {self._score}".strip()
            self._bars.update(self._task, completed=step, note=note)

    def row(self, row: dict[str, Any]) -> None:
        """A validation is finished."""
        score = row.get(self._metric)
        name = self._metric.partition("/")[2].replace("_", " ")
        self._score = "" if score is None else f"val. {name} {score:.4f}"
        self.progress(row["step"], {"loss": row["train/loss"], "count": 1})

    def end(self) -> None:
        """The phase is over."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


class Count:
    """How many predictions are written: one line on a terminal, lines now and then elsewhere."""

    def __init__(self) -> None:
        self._live, self._last, self._shown = on_terminal(sys.stderr), time.monotonic(), False

    def __call__(self, rows: int) -> None:
        """So many are written by now."""
        if self._live:
            self._shown = True
            self._write(f"\r{rows:,} predictions")
        elif time.monotonic() - self._last >= PLAIN_SECONDS:
            self._last = time.monotonic()
            say(f"bakeoff: {rows:,} predictions so far")

    def close(self) -> None:
        """Remove the line."""
        if self._shown:
            self._write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        stream = Unheard(sys.stderr)
        stream.write(text)
        stream.flush()


def validated(metric: str) -> str:
    """A test metric's name on the validation split."""
    return f"validation/{metric.partition('/')[2]}"


def told(record: Record, metric: str) -> str:
    """A finished cell in one line."""
    if record.purpose == "trial":
        metric = validated(metric)
    elif metric not in record.metrics:  # of a fold, but this cell was scored on test
        metric = f"test/{metric.partition('/')[2]}"
    value = record.metrics.get(metric)
    score = "no score" if value is None else f"{metric} {value:.4f}"
    state = "" if record.status == "done" else f", {record.status} at step {record.diverged_at}"
    return f"{score}{state} ({duration(record.cost.train_seconds)})"


def watcher(metric: str, quiet: bool = False) -> Progress:
    """Bars on a terminal, lines elsewhere, nothing where `quiet` is asked for."""
    if quiet:
        return Quiet()
    return Bars(metric) if on_terminal(sys.stderr) else Lines(metric)
