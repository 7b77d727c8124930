"""Progress on stderr: bars on a terminal, lines elsewhere, nothing where nothing is wanted."""

import errno
import io
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calling import command
from tests.cli.terminal import Terminal, seen, show
from tests.contracts.small import cell_of, resolved, settings_of

from bakeoff.cli import progress
from bakeoff.cli.progress import (
    Bars,
    Count,
    Lines,
    LoopLines,
    Quiet,
    Tally,
    told,
    validated,
    watcher,
)
from bakeoff.core.cell import Cell
from bakeoff.core.record import Record
from bakeoff.core.store import Store

METRIC = "test/accuracy"


@pytest.fixture
def record(finished: Path) -> Record:
    return Store(finished).records()["mlp"][0]


@pytest.fixture
def cell() -> Cell:
    from bakeoff.core.recipe import DataSettings, Recipe
    from bakeoff.techniques import find

    recipe = Recipe(
        name="mlp",
        technique="mlp",
        data=DataSettings(set="digits"),
        numerics=resolved("numpy"),
        settings=settings_of(find("mlp")),
    )
    return cell_of(recipe)


def row(step: int = 4, accuracy: float = 0.5) -> dict[str, Any]:
    return {"step": step, "train/loss": 1.25, "validation/accuracy": accuracy}


def test_validation_is_what_may_be_looked_at() -> None:
    assert validated("test/f1_macro") == "validation/f1_macro"


def test_told(record: Record) -> None:
    value = record.metrics[METRIC]
    assert told(record, METRIC).startswith(f"test/accuracy {value:.4f} (")
    assert told(record, "test/other").startswith("no score (")
    assert told(record, "fold/accuracy").startswith(f"test/accuracy {value:.4f} (")
    wild = record.model_copy(update={"status": "diverged", "diverged_at": 7})
    assert ", diverged at step 7 (" in told(wild, METRIC)


def test_lines(cell: Cell, record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(METRIC)
    lines.note("cores are busy")
    lines.begin(cell, 1, 2)
    lines.note("cores are busy")
    lines.done(cell, record, cached=False)
    lines.begin(cell, 2, 2)
    lines.failed(cell, "out of memory")
    lines.close()
    out, err = capsys.readouterr()
    assert out == ""
    noted, first, second = err.splitlines()
    assert noted == "bakeoff: cores are busy"
    assert first.startswith("[1/2] mlp/seed-0: test/accuracy ")
    assert second == "mlp/seed-0: failed: out of memory"


def test_what_was_finished_before_takes_one_line(
    cell: Cell, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, other = Lines(METRIC), cell_of(cell.recipe, seed=1)
    lines.done(cell, record, cached=True)
    lines.done(other, record, cached=True)
    lines.begin(cell_of(cell.recipe, seed=2), 1, 1)
    lines.close()
    assert capsys.readouterr().err == "2 cells were finished before\n"


def test_a_cell_of_this_run_is_not_called_cached(
    cell: Cell, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    """The control's first cell sets the margin; the round after finds it finished."""
    lines, other = Lines(METRIC), cell_of(cell.recipe, seed=1)
    lines.begin(cell, 1, 1)
    lines.done(cell, record, cached=False)
    lines.done(cell, record, cached=True)
    lines.begin(other, 1, 3)
    lines.done(other, record, cached=False)
    lines.close()
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["[1/1]", "[2/4]"]


def test_tally(cell: Cell) -> None:
    tally = Tally()
    tally.begin(1, 2)
    tally.end(cell, cached=False)
    assert (tally.finished, tally.total) == (1, 2)
    tally.end(cell, cached=True)
    assert (tally.finished, tally.told_cached()) == (1, "")
    tally.begin(1, 3)
    assert (tally.number(1), tally.total) == (2, 4)
    for seed in (2, 3, 4):
        tally.end(cell_of(cell.recipe, seed), cached=False)
    tally.end(cell_of(cell.recipe, seed=5), cached=False)  # it lacked an input and never began
    tally.begin(2, 2)
    assert (tally.number(2), tally.total) == (6, 6)
    tally.end(cell_of(cell.recipe, seed=1), cached=True)
    assert tally.told_cached() == "1 cell was finished before"
    assert tally.told_cached() == ""


def test_loops_speak_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    loop = LoopLines("[1/2] cnn/seed-0", METRIC)
    loop.begin("train", 20, 8)
    for step in range(10, 20):
        clock[0] += 4
        loop.row(row(step))
    assert capsys.readouterr().err.splitlines() == [
        "[1/2] cnn/seed-0: train goes on after step 8 of 20",
        *(
            f"[1/2] cnn/seed-0: step {n} of 20, train/loss 1.2500, validation/accuracy 0.5000"
            for n in (12, 15, 18)
        ),
    ]


def test_predictions_are_counted_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    count = Count()
    for rows in range(1000, 6000, 1000):
        clock[0] += 4
        count(rows)
    count.close()
    assert capsys.readouterr().err == "bakeoff: 3,000 predictions so far\n"


def test_predictions_are_counted_in_one_line_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "on_terminal", lambda stream: True)
    count = Count()
    count(900)
    count(1800)
    raw = capsys.readouterr().err
    assert seen(raw) == ["1,800 predictions"]
    count.close()
    assert seen(raw + capsys.readouterr().err) == [""]
    Count().close()
    assert capsys.readouterr().err == ""


def test_which(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(watcher(METRIC), Lines)
    assert isinstance(watcher(METRIC, quiet=True), Quiet)
    monkeypatch.setattr(progress, "on_terminal", lambda stream: True)
    assert isinstance(watcher(METRIC), Bars)
    assert isinstance(watcher(METRIC, quiet=True), Quiet)


def test_quiet(cell: Cell, record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = Quiet()
    quiet.note("cores are busy")
    quiet.begin(cell, 1, 1).row(row())
    quiet.done(cell, record, cached=False)
    quiet.failed(cell, "no")
    quiet.close()
    assert capsys.readouterr() == ("", "")


SLOW = """\
question: Is it fast?
dataset: digits
margin: 0.01
seeds: {exactly: 1}
control: {name: softmax, technique: softmax, training: {epochs: 1}}
variants:
  mlp-of-a-rather-long-name: {technique: mlp, training: {epochs: 60}}
"""


@pytest.fixture
def slow(work: Path) -> Path:
    path = work / "slow.yaml"
    path.write_text(SLOW, encoding="utf-8")
    return path


def test_bars_come_and_go(slow: Path, work: Path) -> None:
    terminal = Terminal(command("run", slow), work)
    while_running = terminal.read(lambda raw: "val. accuracy" in raw)
    during = seen(while_running)
    assert max(map(len, during)) <= 80
    assert any(line.startswith("cells ") and "1/2" in line for line in during)
    assert any(line.startswith("train ") and "val. accuracy 0." in line for line in during)
    raw = terminal.read()
    assert terminal.wait() == 0
    after = seen(raw)
    assert max(map(len, after)) <= 80
    assert not [line for line in after if line.startswith(("cells ", "train "))]
    assert "━" not in "\n".join(after)
    assert after[0].startswith("softmax/seed-0: test/accuracy 0.")
    assert after[1].startswith("mlp-of-a-rather-long-name/seed-0: test/accuracy 0.")
    assert after[2:4] == ["", "Is it fast?"]
    assert raw.rstrip().endswith("report.html")
    assert raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l"), "the cursor is shown again"
    assert "\x1b[?25h" in while_running, "and is, while it runs: it may be killed"


def test_interrupted_on_a_terminal(slow: Path, work: Path) -> None:
    slow.write_text(SLOW.replace("epochs: 60", "epochs: 4000"), encoding="utf-8")
    terminal = Terminal(command("run", slow), work)
    terminal.read(lambda raw: "1/2" in raw)
    terminal.type("\x03")
    raw = terminal.read()
    assert terminal.wait() == 130
    lines = [line for line in seen(raw) if line]
    assert lines[-1] == "bakeoff: interrupted by signal 2; run the same command to continue"
    assert "━" not in "\n".join(lines)
    assert raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l")


def test_terminal_that_goes_away(slow: Path, work: Path) -> None:
    slow.write_text(SLOW.replace("epochs: 60", "epochs: 4000"), encoding="utf-8")
    terminal = Terminal(command("run", slow), work)
    terminal.read(lambda raw: "1/2" in raw)
    terminal.hang_up()
    assert terminal.wait() == 129
    assert not (work / "runs" / "slow" / "results.json").exists()
    assert (work / "runs" / "slow" / "cells" / "softmax" / "seed-0" / "record.json").exists()


def test_bars_that_nobody_sees_any_more_stop_nothing(
    monkeypatch: pytest.MonkeyPatch, cell: Cell
) -> None:
    """A terminal may go at any moment, and the signal that tells so comes later."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        def flush(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Gone())
    monkeypatch.setenv("TERM", "xterm")
    bars = Bars("test/accuracy")
    bars.bars.live.auto_refresh = False
    loop = bars.begin(cell, 1, 1)
    loop.begin("train", 10, 0)
    loop.progress(5, {"loss": 1.0, "count": 1.0})
    loop.end()
    bars.failed(cell, "why")
    bars.close()


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_plain_terminals(tiny: Path, work: Path, env: dict[str, str]) -> None:
    code, raw, lines = show(command("run", tiny), work, env=env)
    assert code == 0
    assert "\x1b[3" not in raw, "no colours"
    assert "\x1b[1m" not in raw, "nothing bold"
    if "TERM" in env:
        assert "\x1b" not in raw
        assert lines[0].startswith("[1/4] softmax/seed-0: ")
