"""`bakeoff data`: which sets there are, where they are, and what is wrong with them."""

from pathlib import Path
from typing import Any

import click
import yaml

from bakeoff.cli.output import print_json, print_table
from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DatasetReference, FolderSource, TableSource


@click.group()
def data() -> None:
    """List, fetch, check and locate data sets."""


@data.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="A JSON document on stdout.")
def list_(as_json: bool) -> None:
    """List the catalogue, and what of it is on this machine."""
    from bakeoff.data.catalogue import DATASETS

    rows = [
        {
            "dataset": name,
            "holds": entry.modality,
            "train": entry.sizes[0],
            "test": entry.sizes[1],
            "here": place(name),
            "what": entry.summary,
        }
        for name, entry in sorted(DATASETS.items())
    ]
    if as_json:
        print_json(rows)
    else:
        cells = [[str(value) for value in row.values()] for row in rows]
        print_table(list(rows[0]), cells, right="llrrll")


@data.command()
@click.argument("name")
def path(name: str) -> None:
    """Print the folder that holds the set NAME."""
    from bakeoff.data import sources
    from bakeoff.data.catalogue import find

    entry = find(name)
    if entry.folder is None:
        click.echo(f"{name} comes with a package")
        return
    found = sources.locate(entry)
    if found is None:
        looked = ", ".join(str(folder) for folder in sources.candidates(entry))
        raise InputError(f"{name}: not on this machine (looked in {looked})")
    click.echo(str(found))


@data.command()
@click.argument("name")
@click.option("--offline", is_flag=True, help="Fetch nothing: only say whether it is there.")
def fetch(name: str, offline: bool) -> None:
    """Make sure that the set NAME is on this machine."""
    from bakeoff.data.catalogue import load

    dataset = load(name, offline=offline)
    sizes = ", ".join(f"{len(examples)} {split}" for split, examples in dataset.splits.items())
    click.echo(f"{name}: {place(name)}: {sizes}")


@data.command()
@click.argument("reference")
@click.option("--offline", is_flag=True, help="Fetch nothing.")
@click.option("--json", "as_json", is_flag=True, help="A JSON document on stdout.")
def check(reference: str, offline: bool, as_json: bool) -> None:
    """Look for duplicates, leaks, sorted files, empty items and missing classes.

    REFERENCE is a catalogue name, a folder of images, a table of texts, or a mapping as in a study
    file: "{table: my.csv, text: review}".
    """
    from bakeoff.data.catalogue import load
    from bakeoff.data.checks import check as look

    found = look(load(parse_reference(reference), offline=offline))
    if as_json:
        print_json(found.to_json())
    else:
        for line in found.lines():
            click.echo(line)


def parse_reference(text: str) -> DatasetReference:
    """A data set as written on the command line.

    Raises:
        InputError: for a mapping that is neither a folder nor a table.
    """
    if text.lstrip().startswith("{"):
        try:
            content: Any = yaml.safe_load(text)
        except yaml.YAMLError:
            raise InputError(f"{text}: not a mapping in YAML") from None
        kind = TableSource if isinstance(content, dict) and "table" in content else FolderSource
        return kind.parse(content, "dataset")
    if Path(text).is_dir():
        return FolderSource(folder=text)
    if Path(text).is_file():
        return TableSource(table=text)
    return text


def place(name: str) -> str:
    """Where a set of the catalogue is, in a word or a path."""
    from bakeoff.data import sources
    from bakeoff.data.catalogue import find

    entry = find(name)
    if entry.folder is None:
        return "with a package"
    found = sources.locate(entry)
    return "not here" if found is None else str(found)
