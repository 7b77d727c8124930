"""Options that several commands share."""

import os
from pathlib import Path
from typing import Any

import click

from bakeoff.core.errors import InputError
from bakeoff.core.offline import offline

json_option = click.option("--json", "as_json", is_flag=True, help="A JSON document on stdout.")


def _stay_offline(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Say so to all that this command does, workers and looking for weights included."""
    if value:
        context.with_resource(offline())


offline_option = click.option(
    "--offline", is_flag=True, callback=_stay_offline, expose_value=False, help="Fetch nothing."
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    help="What computes [auto: a GPU where there is one].",
)
seeds_option = click.option(
    "--seeds", type=click.IntRange(1, 10_000), metavar="N", help="So many seeds in all."
)
set_option = click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Change a field: of the control (training.epochs=3), or by its path in the study file "
    "(variants.NAME.training.epochs=3, margin=0.01). May be given again.",
)

only_option = click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Of all variants this one, with what it needs as inputs. May be given again.",
)

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def can_be_made(
    context: click.Context, parameter: click.Parameter, path: Path | None
) -> Path | None:
    """Refuse a file or folder to be written where the place for it cannot be written.

    Raises:
        click.BadParameter: says which part of the path stands in the way.
    """
    if path is None:
        return None
    there = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    if there != path.absolute() and not there.is_dir():
        raise click.BadParameter(f"{path}: cannot be written: {there} is a file, not a folder")
    if not os.access(there, os.W_OK):
        raise click.BadParameter(f"{path}: cannot be written: no right to write in {there}")
    return path


def check_output(output: Path, *read: Path | str | None) -> None:
    """Refuse to write over what is read, or over a file of a run.

    Args:
        output: To be written.
        read: What the command reads, or writes besides.

    Raises:
        InputError: where it is one of these, or lies in a run's folder already.
    """
    from bakeoff.study.plan import PLAN

    place = output.resolve()
    for path in read:
        if path is not None and Path(path).resolve() == place:
            raise InputError(f"{output}: would be written over {path}")
    if place.exists():
        for folder in place.parents:
            if (folder / PLAN).exists():
                raise InputError(f"{output}: belongs to the run {folder}, and would be replaced")


def parse_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`a.b=c` pairs; values are read as YAML.

    Raises:
        InputError: with every pair that lacks its `=`, its name, or a value that is YAML.
    """
    import yaml

    from bakeoff.study.study import parse_yaml

    settings, faults = {}, []
    for pair in pairs:
        path, equals, value = pair.partition("=")
        if not equals or not all(path.split(".")):
            faults.append(f"--set {pair}: needed is FIELD=VALUE, as in training.epochs=3")
            continue
        try:
            settings[path] = parse_yaml(value)
        except yaml.YAMLError:
            faults.append(f"--set {pair}: the value is not YAML")
    if faults:
        raise InputError(faults)
    return settings
