"""`bakeoff report`, `verify` and `pack`: what can be made from a finished run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.options import FOLDER, can_be_made, json_option
from bakeoff.cli.output import print_json

if TYPE_CHECKING:
    from bakeoff.study.verify import Verification

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
@click.argument("folders", metavar="FOLDER...", type=FOLDER, nargs=-1, required=True)
@json_option
def verify(folders: tuple[Path, ...], as_json: bool) -> None:
    """Recompute every number of runs or of evidence, and check every file's hash.

    Exits with 1 where anything differs. Of several folders --json tells {"ok", "folders"}.
    """
    from bakeoff.study.verify import verify as check

    found = {}
    for folder in folders:
        found[folder] = check(folder)
        if not as_json:
            _tell(folder, found[folder])
    ok = all(one.ok for one in found.values())
    if as_json:
        told = [{"folder": str(folder)} | _document(one) for folder, one in found.items()]
        print_json(
            _document(found[folders[0]]) if len(folders) == 1 else {"ok": ok, "folders": told}
        )
    if not ok:
        raise click.exceptions.Exit(DIFFERS)


def _tell(folder: Path, found: "Verification") -> None:
    """For people: what differs, and how much was looked at."""
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


def _document(found: "Verification") -> dict[str, Any]:
    """For programs."""
    told = {"faults": found.faults, "notes": found.notes}
    return {"ok": found.ok, "files": found.files} | found.counts | told


@click.command()
@click.argument("folder", type=FOLDER)
@click.argument("target", type=click.Path(file_okay=False, path_type=Path), callback=can_be_made)
def pack(folder: Path, target: Path) -> None:
    """Reduce the run in FOLDER to evidence in TARGET: what `verify` needs, and no data."""
    from bakeoff.study.evidence import pack as reduce

    click.echo(str(reduce(folder, target)))
