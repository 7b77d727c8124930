"""Progress on stderr: a bar with ETA, loss and metric on a terminal, plain lines elsewhere."""

import time
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bakeoff.cli.output import duration
from bakeoff.core.cell import Cell
from bakeoff.core.record import Record
from bakeoff.training.observers import Silent

PLAIN_SECONDS = 10.0
"""Between plain lines about one loop."""


class Plain:
    """Lines, for logs and pipes."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self._prefix = ""

    def begin(self, cell: Cell, number: int, total: int) -> "LoopLines":
        """A cell starts."""
        return LoopLines(f"[{number}/{total}] {cell.folder}", self.metric)

    def done(self, cell: Cell, record: Record, cached: bool) -> None:
        """A cell is finished."""
        click.echo(f"{cell.folder}: {told(record, self.metric, cached)}", err=True)

    def failed(self, cell: Cell, message: str) -> None:
        """A cell crashed."""
        click.echo(f"{cell.folder}: failed: {message}", err=True)


class LoopLines(Silent):
    """A line about a loop every few seconds."""

    def __init__(self, prefix: str, metric: str) -> None:
        self._prefix, self._metric = prefix, metric
        self._steps, self._last = 0, time.monotonic()

    def begin(self, phase: str, steps: int, done: int) -> None:
        """A phase starts, or goes on."""
        self._steps = steps
        if done:
            click.echo(f"{self._prefix}: {phase} goes on after step {done} of {steps}", err=True)

    def row(self, row: dict[str, Any]) -> None:
        """A validation is finished."""
        if time.monotonic() - self._last < PLAIN_SECONDS:
            return
        self._last = time.monotonic()
        metric = self._metric.replace("test/", "validation/")
        click.echo(
            f"{self._prefix}: step {row['step']} of {self._steps}, "
            f"train/loss {row['train/loss']:.4f}, {metric} {row.get(metric, float('nan')):.4f}",
            err=True,
        )


class Bars:
    """A bar for the study and one for the loop at hand."""

    def __init__(self, metric: str, console: Console) -> None:
        self.metric, self._console = metric, console
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._study: TaskID | None = None

    def begin(self, cell: Cell, number: int, total: int) -> "LoopBar":
        """A cell starts."""
        if self._study is None:
            self._study = self.bars.add_task("cells", total=total, note="")
            self.bars.start()
        self.bars.update(self._study, total=total, completed=number - 1, note=cell.folder)
        return LoopBar(self.bars, cell.folder, self.metric)

    def done(self, cell: Cell, record: Record, cached: bool) -> None:
        """A cell is finished."""
        self._console.print(
            f"{cell.folder}: {told(record, self.metric, cached)}", highlight=False, markup=False
        )

    def failed(self, cell: Cell, message: str) -> None:
        """A cell crashed."""
        self._console.print(f"{cell.folder}: failed: {message}", style="red", markup=False)

    def close(self) -> None:
        """Remove the bars."""
        self.bars.stop()


class LoopBar(Silent):
    """The bar of one loop."""

    def __init__(self, bars: Progress, name: str, metric: str) -> None:
        self._bars, self._name = bars, name
        self._metric = metric.replace("test/", "validation/")
        self._task: TaskID | None = None
        self._score = ""

    def begin(self, phase: str, steps: int, done: int) -> None:
        """A phase starts, or goes on."""
        self._task = self._bars.add_task(phase, total=steps, completed=done, note="")

    def progress(self, step: int, sums: dict[str, float]) -> None:
        """Some updates are done."""
        if self._task is not None:
            loss = f"loss {sums['loss'] / sums['count']:.4f}" if sums.get("count") else ""
            note = f"{loss}  {self._score}"
            self._bars.update(self._task, completed=step, note=note)

    def row(self, row: dict[str, Any]) -> None:
        """A validation is finished."""
        self._score = f"{self._metric} {row.get(self._metric, float('nan')):.4f}"
        self.progress(row["step"], {"loss": row["train/loss"], "count": 1})

    def end(self) -> None:
        """The phase is over."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


def told(record: Record, metric: str, cached: bool) -> str:
    """A finished cell in one line."""
    value = record.metrics.get(metric)
    score = "no score" if value is None else f"{metric} {value:.4f}"
    state = "" if record.status == "done" else f", {record.status} at step {record.diverged_at}"
    price = "finished before" if cached else duration(record.cost.train_seconds)
    return f"{score}{state} ({price})"


def watcher(metric: str) -> Plain | Bars:
    """Bars on a terminal that can show them, else lines."""
    console = Console(stderr=True)
    return (
        Bars(metric, console)
        if console.is_terminal and not console.is_dumb_terminal
        else Plain(metric)
    )
