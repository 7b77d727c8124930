"""`bakeoff data`: which sets there are, where they are, and what is wrong with them."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.completion import dataset_names
from bakeoff.cli.options import json_option, offline_option
from bakeoff.cli.output import count, print_json, print_table
from bakeoff.core.errors import InputError

if TYPE_CHECKING:
    from bakeoff.core.recipe import DatasetReference

PACKAGED = "with a package"
GENERATED = "generated"
ABSENT = "not here"


@click.group()
def data() -> None:
    """List, fetch, check and locate data sets."""


@data.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List the catalogue, and what of it is on this machine."""
    from bakeoff.data.catalogue import DATASETS

    rows: list[dict[str, Any]] = [
        {
            "dataset": name,
            "holds": entry.modality,
            "classes": len(entry.classes),
            "train": entry.sizes[0],
            "test": entry.sizes[1],
            "here": place(name),
            "licence": entry.licence,
            "homepage": entry.homepage,
            "citation": entry.citation,
        }
        for name, entry in sorted(DATASETS.items())
    ]
    if as_json:
        print_json(rows)
        return
    shown = ["dataset", "holds", "classes", "train", "test", "here"]
    cells = [
        [count(row[n]) if isinstance(row[n], int) else str(row[n]) for n in shown] for row in rows
    ]
    print_table(shown, cells, right="llrrrl")


@data.command()
@click.argument("name", shell_complete=dataset_names)
def path(name: str) -> None:
    """Print the folder that holds the set NAME."""
    from bakeoff.data import sources
    from bakeoff.data.catalogue import find

    entry = find(name)
    found = place(name)
    if found == ABSENT:
        looked = ", ".join(str(folder) for folder in sources.candidates(entry))
        raise InputError(f"{name}: not on this machine (looked in {looked})")
    if found == PACKAGED:
        raise InputError(f"{name}: comes with a package and has no folder")
    if found == GENERATED:
        raise InputError(f"{name}: is generated and has no folder")
    click.echo(found)


@data.command()
@click.argument("name", shell_complete=dataset_names)
@offline_option
def fetch(name: str) -> None:
    """Make sure that the set NAME is on this machine."""
    from bakeoff.data.catalogue import find, load

    entry = find(name)
    dataset = load(name)
    sizes = ", ".join(f"{len(examples):,} {split}" for split, examples in dataset.splits.items())
    click.echo(f"{name}: {place(name)}: {sizes}")
    click.echo(f"{name}: {entry.citation} ({entry.licence})")
    for note in dataset.notes:
        click.echo(f"{name}: {note}")


@data.command()
@click.argument("reference", shell_complete=dataset_names)
@offline_option
@json_option
def check(reference: str, as_json: bool) -> None:
    """Look for duplicates, leaks, sorted files, empty items and missing classes.

    REFERENCE is a catalogue name, a folder of images, a table of texts, or a mapping as in a study
    file: "{table: my.csv, text: review}".
    """
    from bakeoff.data.catalogue import load
    from bakeoff.data.checks import check as look

    found = look(load(parse_reference(reference)))
    if as_json:
        print_json(found.to_json())
    else:
        for line in found.lines():
            click.echo(line)


def parse_reference(text: str) -> "DatasetReference":
    """A data set as written on the command line.

    Raises:
        InputError: for a mapping that is none of these.
    """
    from bakeoff.core.recipe import CorpusSource, FolderSource, HubSource, TableSource

    if text.lstrip().startswith("{"):
        content = _mapping(text)
        if "corpus" in content:
            return CorpusSource.parse(content, "dataset")
        if "hub" in content:
            return HubSource.parse(content, "dataset")
        if "table" not in content and "folder" not in content:
            keys = "folder, table, corpus or hub"
            raise InputError(f"{text}: a mapping with one of {keys} is needed")
        kind = TableSource if "table" in content else FolderSource
        return kind.parse(content, "dataset")
    if Path(text).is_dir():
        return FolderSource(folder=text)
    if Path(text).is_file():
        return TableSource(table=text)
    if Path(text).suffix or len(Path(text).parts) > 1:
        raise InputError(f"{text}: there is no such file or folder")
    return text


def _mapping(text: str) -> dict[str, Any]:
    import yaml

    from bakeoff.study.study import parse_yaml

    try:
        content = parse_yaml(text)
    except yaml.YAMLError:
        content = None
    if not isinstance(content, dict):
        raise InputError(f"{text}: not a mapping in YAML")
    return content


def place(name: str) -> str:
    """Where a set of the catalogue is, in a word or a path."""
    from bakeoff.data import sources
    from bakeoff.data.catalogue import find

    entry = find(name)
    if entry.folder is None:
        if entry.package is not None and find_spec(entry.package) is None:
            return ABSENT
        return GENERATED if entry.generated else PACKAGED
    found = sources.locate(entry)
    return ABSENT if found is None else str(found)
