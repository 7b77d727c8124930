"""Signals to real processes: the first one stops at a checkpoint, the second one at once."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from tests.core.samples import environment

from bakeoff.core.errors import Interrupted
from bakeoff.execution.signals import STOPPING, interruptions

PROGRAM = """
import signal, sys, time
from bakeoff.core.errors import Interrupted
from bakeoff.execution.signals import interruptions
for name in sys.argv[2:]:
    signal.signal(getattr(signal, name), signal.SIG_IGN)
try:
    with interruptions() as signals:
        print("ready", flush=True)
        seen = False
        while True:
            time.sleep(0.005)
            if signals.received is not None and not seen:
                seen = True
                print("seen", signals.received, flush=True)
            if sys.argv[1] == "polite":
                signals.check()
except Interrupted as error:
    print("checkpoint written", flush=True)
    sys.exit(error.exit_code)
"""


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        assert line(started) == "ready"
        try:
            yield started
        finally:
            started.kill()


def line(of: subprocess.Popen[str]) -> str:
    assert of.stdout is not None
    return of.stdout.readline().strip()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_first_signal_stops_at_a_checkpoint(number: signal.Signals, code: int) -> None:
    with process("polite") as running:
        os.kill(running.pid, number)
        assert line(running) == f"seen {number.value}"
        assert line(running) == "checkpoint written"
        assert running.wait(10) == code


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)],
)
def test_the_second_signal_ends_the_process_at_once(
    first: signal.Signals, second: signal.Signals
) -> None:
    with process("busy") as running:
        os.kill(running.pid, first)
        assert line(running) == f"seen {first.value}"
        assert running.poll() is None
        os.kill(running.pid, second)
        assert running.wait(10) == -second
        assert line(running) == ""


def test_what_nohup_ignores_stays_ignored() -> None:
    with process("polite", "SIGHUP") as running:
        os.kill(running.pid, signal.SIGHUP)
        os.kill(running.pid, signal.SIGTERM)
        assert line(running) == f"seen {signal.SIGTERM.value}"
        assert running.wait(10) == 143


def handlers() -> Sequence[object]:
    return [signal.getsignal(number) for number in STOPPING]


def test_handlers_are_put_back_whatever_happens() -> None:
    before = handlers()
    with interruptions() as signals:
        assert handlers() != before
        signals.check()
        signal.raise_signal(signal.SIGTERM)
        assert signals.received == signal.SIGTERM
        with pytest.raises(Interrupted) as caught:
            signals.check()
    assert caught.value.signal_number == signal.SIGTERM
    assert handlers() == before

    def fail() -> None:
        with interruptions():
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    assert handlers() == before


def test_handlers_that_python_does_not_know_become_the_systems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = signal.getsignal
    monkeypatch.setattr(signal, "getsignal", lambda n: None if n == signal.SIGHUP else real(n))
    before = real(signal.SIGHUP)
    try:
        with interruptions():
            pass
        assert real(signal.SIGHUP) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_watch_without_handlers() -> None:
    before, seen = handlers(), []

    def watch() -> None:
        with interruptions() as signals:
            signals.check()
            seen.append(handlers())

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert seen == [before]
