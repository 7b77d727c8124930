"""Results on stdout, everything else on stderr; tables for people, JSON for machines."""

import json
from collections.abc import Sequence
from typing import Any

import click


def print_json(content: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> None:
    """Columns on stdout: a ruled table on a terminal, plain aligned text elsewhere.

    Args:
        header: Of the columns.
        rows: Text, one cell a column.
        right: A letter a column, `r` for those aligned to the right.
    """
    aligned = right.ljust(len(header), "l")
    if click.get_text_stream("stdout").isatty():
        _rich_table(header, rows, aligned)
        return
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = zip(row, widths, aligned, strict=True)
        line = "  ".join(c.rjust(w) if a == "r" else c.ljust(w) for c, w, a in cells)
        click.echo(line.rstrip())


def _rich_table(header: Sequence[str], rows: Sequence[Sequence[str]], aligned: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, side in zip(header, aligned, strict=True):
        table.add_column(name, justify="right" if side == "r" else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def count(number: float | None) -> str:
    """A count with thousands separated."""
    return "-" if number is None else f"{number:,.0f}"


def size(number: float | None) -> str:
    """Bytes in a unit that fits."""
    if number is None:
        return "-"
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def duration(seconds: float | None) -> str:
    """Seconds in units that fit: `0.8 s`, `12 s`, `3 min 20 s`, `2 h 10 min`."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes_left = divmod(minutes, 60)
    return f"{minutes} min {rest} s" if hours == 0 else f"{hours} h {minutes_left} min"
