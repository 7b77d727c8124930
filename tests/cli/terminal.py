"""A terminal for tests: runs a command on it, and shows what a person would see."""

import contextlib
import errno
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cli.calling import PATIENCE, attentive, environment

SIGNS = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x07]*\x07|(\r)|(\n)|([^\x1b\r\n]+)")


class Terminal:
    """A pseudo-terminal with one process on it, which it controls.

    Args:
        command: To run.
        cwd: Where.
        columns: Of the terminal.
        env: Beside the usual variables.
    """

    def __init__(
        self,
        command: list[str],
        cwd: Path,
        columns: int = 80,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.columns, self.raw = columns, ""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        take = (
            "import fcntl, os, sys, termios\n"
            "os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
            "os.execv(sys.argv[1], sys.argv[1:])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", take, *attentive(command)],
            cwd=cwd,
            env=environment(**{"TERM": "xterm-256color", **(env or {})}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)

    def read(self, until: Callable[[str], bool] = lambda raw: False) -> str:
        """Everything written until `until` says so of it, or the process ends."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not until(self.raw):
            try:
                data = os.read(self._master, 1 << 16)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                data = b""  # how Linux says that the other side is closed
            if not data:
                break
            self.raw += data.decode("utf-8", "replace")
        return self.raw

    def type(self, text: str) -> None:
        """Type on the keyboard."""
        os.write(self._master, text.encode())

    def hang_up(self) -> None:
        """Close the terminal, as when a connection breaks."""
        os.close(self._master)
        self._master = -1

    def wait(self) -> int:
        """The exit code; negative where a signal ended it."""
        try:
            return self.process.wait(PATIENCE)
        finally:
            if self._master >= 0:
                self.hang_up()
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()


def seen(raw: str, columns: int = 80) -> list[str]:
    """The lines that are left to see, spaces at their ends apart."""
    lines: list[list[str]] = [[]]
    x = y = 0
    for number, letter, back, down, text in SIGNS.findall(raw):
        if letter == "A":
            y = max(0, y - int(number or 1))
        elif letter == "K":
            lines[y] = [] if number == "2" else lines[y][:x]
        elif letter:
            assert letter in "mhl", f"a sign this terminal does not know: {letter}"
        elif back:
            x = 0
        elif down:
            y += 1
        for sign in text:
            if x == columns:
                x, y = 0, y + 1
            lines += [[] for _ in range(y + 1 - len(lines))]
            lines[y] += " " * (x + 1 - len(lines[y]))
            lines[y][x] = sign
            x += 1
        lines += [[] for _ in range(y + 1 - len(lines))]
    return ["".join(line).rstrip() for line in lines]


def show(
    command: list[str], cwd: Path, columns: int = 80, env: Mapping[str, str] | None = None
) -> tuple[int, str, list[str]]:
    """Run a command on a terminal: its exit code, the raw output, and the lines left to see."""
    terminal = Terminal(command, cwd, columns, env)
    raw = terminal.read()
    return terminal.wait(), raw, seen(raw, columns)
