"""`bakeoff report`, `verify` and `pack`: what can be made from a finished run."""

from pathlib import Path

import click

from bakeoff.cli.options import FOLDER, can_be_made, json_option
from bakeoff.cli.output import print_json

DIFFERS = 1
SHOWN = 3
LISTED = 30
"""Differences that are told one by one."""


@click.command()
@click.argument("folder", type=FOLDER)
def report(folder: Path) -> None:
    """Write FOLDER/report.html again, from what the run left."""
    from bakeoff.report import write
    from bakeoff.study.manifest import check_manifest

    changed = check_manifest(folder)[1]
    click.echo(str(write(folder)))
    if changed:
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        told = f"not as the run left it: {'; '.join(changed[:SHOWN])}{more}"
        click.echo(f"bakeoff: {folder}: {told}", err=True)


@click.command()
@click.argument("folder", type=FOLDER)
@json_option
def verify(folder: Path, as_json: bool) -> None:
    """Recompute every number of a run or of evidence, and check every file's hash.

    Exits with 1 where anything differs.
    """
    from bakeoff.study.verify import verify as check

    found = check(folder)
    if as_json:
        told = {"faults": found.faults, "notes": found.notes}
        print_json({"ok": found.ok, "files": found.files} | found.counts | told)
    else:
        for line in found.faults[:LISTED]:
            click.echo(line)
        if len(found.faults) > LISTED:
            click.echo(f"... and {len(found.faults) - LISTED} more, which --json lists")
        for note in found.notes:
            click.echo(f"note: {note}")
        counts = ", ".join(f"{count} {kind}" for kind, count in found.counts.items())
        number = len(found.faults)
        state = "verified" if found.ok else f"{number} difference{'s'[: number != 1]}"
        click.echo(f"{folder}: {state}; numbers: {counts}; files checked: {found.files}")
    if not found.ok:
        raise click.exceptions.Exit(DIFFERS)


@click.command()
@click.argument("folder", type=FOLDER)
@click.argument("target", type=click.Path(file_okay=False, path_type=Path), callback=can_be_made)
def pack(folder: Path, target: Path) -> None:
    """Reduce the run in FOLDER to evidence in TARGET: what `verify` needs, and no data."""
    from bakeoff.study.evidence import pack as reduce

    click.echo(str(reduce(folder, target)))
