"""Calling the command line: in this process, in one of its own, and on a terminal."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bakeoff.cli import main

SOURCE = Path(__file__).resolve().parents[2] / "src"
PATIENCE = 120.0
"""Seconds after which a process counts as stuck."""
TINY = """\
question: Does a hidden layer pay on few digits?
dataset: digits
margin: 0.01
seeds: {exactly: 2}
control: {name: softmax, technique: softmax, training: {epochs: 1}}
variants:
  mlp: {technique: mlp, model: {hidden: [8]}, training: {epochs: 1}}
"""


@dataclass(frozen=True)
class Called:
    """What a call came to."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Caller:
    """Calls `bakeoff` in this process."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str | Path) -> Called:
        """Exit code, stdout and stderr of one call; anything but an exit is a failure."""
        self.patch.setattr(sys, "argv", ["bakeoff", *map(str, arguments)])
        self.capture.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = self.capture.readouterr()
        code = caught.value.code
        assert isinstance(code, int)
        return Called(code, out, err)


def command(*arguments: str | Path) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-m", "bakeoff", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """This process's, with our sources, and nothing that turns terminals on or off."""
    unset = {"NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES", "PYTHONWARNINGS"}
    given = {name: value for name, value in os.environ.items() if name not in unset}
    paths = [str(SOURCE), given.get("PYTHONPATH", "")]
    return given | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | more


def call(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Called:
    """A call in a process of its own, to its end."""
    done = subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Called(done.returncode, done.stdout, done.stderr)


def attentive(arguments: list[str]) -> list[str]:
    """A command that listens to signals even where this process was told to ignore them."""
    numbers = [int(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    code = (
        "import os, signal, sys\n"
        f"for number in {numbers}: signal.signal(number, signal.SIG_DFL)\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", code, *arguments]


def assert_clear(called: Called, code: int = 2) -> str:
    """A refusal is some lines on stderr, none of them a traceback; returns them."""
    assert called.code == code, called
    assert called.out == ""
    assert "Traceback" not in called.err
    lines = called.err.splitlines()
    assert lines
    assert all(line.startswith("bakeoff: ") for line in lines) or re.search(
        r"^Error: ", called.err, re.MULTILINE
    ), called.err
    return called.err
