"""Results on stdout, everything else on stderr; tables for people, JSON for machines."""

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST = 40
"""Columns of a terminal below which nothing is wrapped."""
WORD_WIDTH = 8
"""Columns of a table's words that a narrow terminal leaves."""


def print_json(content: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def say(line: str) -> None:
    """A line on stderr. Work goes on where nobody can read it any more."""
    with suppress(OSError, ValueError):
        click.echo(line, err=True)


class Unheard:
    """A stream whose reader may go away, as a terminal does: what is written then is lost.

    Args:
        stream: Of text; all but writing is its own.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Let go of what can be written."""
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def on_terminal(stream: Any) -> bool:
    """Whether somebody looks at it, on something that can move a cursor."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def console(stream: Any) -> "Console":
    """A rich console; without any colour or weight where `NO_COLOR` is set."""
    from rich.console import Console

    plain = bool(os.environ.get("NO_COLOR"))
    return Console(file=stream, color_system=None if plain else "auto", highlight=False)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> None:
    """Columns on stdout: a table as wide as the terminal, plain aligned text elsewhere.

    Args:
        header: Of the columns; a terminal shows a line feed in it, elsewhere it is left out.
        rows: Text, one cell a column.
        right: A letter a column, `r` for those aligned to the right.
    """
    aligned = right.ljust(len(header), "l")
    if on_terminal(sys.stdout) and _rich_table(header, rows, aligned):
        return
    flat = [name.replace("\n", "") for name in header]
    widths = [max(len(row[i]) for row in [flat, *rows]) for i in range(len(flat))]
    for row in [flat, *rows]:
        cells = zip(row, widths, aligned, strict=True)
        line = "  ".join(c.rjust(w) if a == "r" else c.ljust(w) for c, w, a in cells)
        click.echo(line.rstrip())


def _rich_table(header: Sequence[str], rows: Sequence[Sequence[str]], aligned: str) -> bool:
    """Print a table, words folded to the terminal's width; False where numbers do not fit."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    lines = max(name.count("\n") for name in header)
    needed = 2 * (len(header) - 1)
    for i, (name, side) in enumerate(zip(header, aligned, strict=True)):
        # Numbers stay whole; where the terminal is narrow, words give way.
        number = side == "r"
        longest = max(len(text) for text in (*name.split("\n"), *(row[i] for row in rows)))
        least = longest if number else min(longest, WORD_WIDTH)
        needed += least
        table.add_column(
            Text("\n" * (lines - name.count("\n")) + name),
            justify="right" if number else "left",
            no_wrap=number,
            min_width=least,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*map(Text, row))
    screen = console(sys.stdout)
    if needed > screen.width:
        return False
    screen.print(table)
    return True


def paragraph(text: str, indent: str = "") -> str:
    """Text for stdout: wrapped to a terminal's width, one line elsewhere.

    Args:
        text: Without line feeds.
        indent: Of all lines but the first.
    """
    width = shutil.get_terminal_size().columns
    if not on_terminal(sys.stdout) or width < NARROWEST:
        return text
    return textwrap.fill(
        text, width - 1, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def count(number: float | None) -> str:
    """A count with thousands separated."""
    return "-" if number is None else f"{number:,.0f}"


def compact(number: float | None) -> str:
    """A count in at most seven characters: `650`, `93.9 k`, `11.2 M`."""
    if number is None:
        return "-"
    if number < 10_000:
        return f"{number:,.0f}"
    for unit in ("k", "M", "G"):
        number /= 1000
        if number < 999.95:
            return f"{number:.1f} {unit}"
    return f"{number / 1000:,.1f} T"


def size(number: float | None) -> str:
    """Bytes in a unit that fits."""
    if number is None:
        return "-"
    for unit in ("B", "KiB", "MiB"):
        if number < 1023.5:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
