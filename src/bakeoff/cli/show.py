"""`bakeoff list`, `show`, `plan` and `profile`: looking before anything runs."""

from collections.abc import Sequence
from typing import Any

import click

from bakeoff.cli.output import count, duration, print_json, print_table, size
from bakeoff.cli.run import complete_study, parse_settings
from bakeoff.core.errors import InputError, unknown
from bakeoff.core.frozen import flatten, plain
from bakeoff.study.study import built_in_names, load_study

KINDS = ("techniques", "models", "datasets", "studies")


@click.command(name="list")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--json", "as_json", is_flag=True, help="A JSON document on stdout.")
def list_(kind: str, as_json: bool) -> None:
    """List what there is of KIND."""
    rows = {
        "techniques": _techniques,
        "models": _models,
        "datasets": _datasets,
        "studies": _studies,
    }[kind]()
    if as_json:
        print_json([dict(row) for row in rows])
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows])


def _techniques() -> list[dict[str, str]]:
    from bakeoff.techniques import find, names

    found = [find(name) for name in names()]
    return [
        {
            "technique": t.name,
            "framework": t.framework,
            "reads": ", ".join(sorted(t.modalities)),
            "what": t.summary,
        }
        for t in found
    ]


def _models() -> list[dict[str, str]]:
    from bakeoff.models import MODELS

    return [{"model": name, "class": home.split(":")[1]} for name, home in sorted(MODELS.items())]


def _datasets() -> list[dict[str, str]]:
    from bakeoff.data.catalogue import DATASETS

    return [
        {"dataset": name, "holds": entry.modality, "what": entry.summary}
        for name, entry in sorted(DATASETS.items())
    ]


def _studies() -> list[dict[str, str]]:
    studies = [load_study(name) for name in built_in_names()]
    return [{"study": s.name, "question": s.question} for s in studies]


@click.command()
@click.argument("study", shell_complete=complete_study)
@click.option("--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="Change a field.")
@click.option("--json", "as_json", is_flag=True, help="A JSON document on stdout.")
def show(study: str, pairs: tuple[str, ...], as_json: bool) -> None:
    """Show what STUDY asks, and what each recipe changes."""
    loaded = load_study(study, parse_settings(pairs))
    if as_json:
        print_json(plain(loaded))
        return
    click.echo(f"{loaded.name}: {loaded.question}\n")
    margin = "set from the control's validation score" if loaded.margin is None else loaded.margin
    facts = {"data set": loaded.dataset, "metric": loaded.metric, "margin": margin}
    for name, value in (facts | {"seeds": loaded.seeds}).items():
        click.echo(f"{name:9} {value}")
    click.echo(f"\ncontrol   {_changes(loaded.control)}")
    for name, change in loaded.variants.items():
        click.echo(
            f"variant   {name}: {_changes(change) or 'nothing (the control on other seeds)'}"
        )
    for path, values in loaded.factors.items():
        click.echo(f"factor    {path}: {', '.join(map(str, values))}")
    for reference in loaded.references:
        click.echo(f"reference {reference.label}: {reference.value} ({reference.source})")


def _changes(change: dict[str, Any]) -> str:
    return ", ".join(f"{path}={value}" for path, value in flatten(change).items())


@click.command()
@click.argument("study", shell_complete=complete_study)
@click.option("--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="Change a field.")
@click.option("--seeds", type=click.IntRange(1), help="So many seeds in all.")
@click.option("--offline", is_flag=True, help="Fetch nothing.")
@click.option("--json", "as_json", is_flag=True, help="A JSON document on stdout.")
def plan(
    study: str, pairs: tuple[str, ...], seeds: int | None, offline: bool, as_json: bool
) -> None:
    """Predict what STUDY will cost, from counts and a short probe of each recipe."""
    from bakeoff.study.estimate import estimate
    from bakeoff.study.run import prepare

    found = estimate(prepare(load_study(study, parse_settings(pairs)), offline), seeds)
    total, disk = sum(e.total_seconds for e in found), sum(e.disk_bytes * e.cells for e in found)
    if as_json:
        rows = [vars(e) | {"total_seconds": e.total_seconds} for e in found]
        print_json({"recipes": rows, "total_seconds": total, "disk_bytes": disk})
        return
    rows = [
        [e.recipe, str(e.cells), count(e.parameters), count(e.macs_per_example),
         duration(e.seconds), duration(e.total_seconds), size(e.memory_bytes)]
        for e in found
    ]  # fmt: skip
    header = ["recipe", "cells", "parameters", "MACs", "a cell", "all cells", "memory"]
    print_table(header, rows, right="lrrrrrr")
    click.echo(f"\nIn all about {duration(total)} one after another, and {size(disk)} of disk.")


@click.command()
@click.argument("model")
@click.option("--input", "shape", default="32x32x3", help="HEIGHTxWIDTHxCHANNELS [32x32x3].")
@click.option("--classes", type=click.IntRange(2), default=10, help="[10]")
@click.option("--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="Change a field.")
@click.option("--json", "as_json", is_flag=True, help="A JSON document on stdout.")
def profile(model: str, shape: str, classes: int, pairs: tuple[str, ...], as_json: bool) -> None:
    """Profile MODEL (a model's or a technique's name) layer by layer, per example."""
    from bakeoff.models import MODELS
    from bakeoff.study.study import changed
    from bakeoff.techniques import find, names

    content: dict[str, Any] = changed({}, parse_settings(pairs))
    if model in MODELS:
        technique = find("cnn")
        content = changed(content, {"model.name": model})
    elif model in names():
        technique = find(model)
    else:
        raise unknown("model", model, sorted({*MODELS, *names()}))
    settings = technique.settings.parse(content)
    layers = technique.untrained(settings, parse_shape(shape), classes).layers()
    if as_json:
        print_json([vars(layer) | {"weights": dict(layer.weights)} for layer in layers])
        return
    rows = [
        [e.name, e.kind, _shape(e.input), _shape(e.output),
         ", ".join(f"{n} {_shape(s)}" for n, s in e.weights.items()),
         count(e.parameters), count(e.macs)]
        for e in layers
    ]  # fmt: skip
    sums = [sum(e.parameters for e in layers), sum(e.macs for e in layers)]
    rows.append(["total", "", "", "", "", *(count(number) for number in sums)])
    header = ["layer", "kind", "input", "output", "weights", "parameters", "MACs"]
    print_table(header, rows, right="lllllrr")


def parse_shape(text: str) -> tuple[int, ...]:
    """`32x32x3` as (32, 32, 3).

    Raises:
        InputError: for anything but three positive numbers.
    """
    try:
        shape = tuple(int(part) for part in text.split("x"))
    except ValueError:
        shape = ()
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(f"--input {text}: needed is HEIGHTxWIDTHxCHANNELS, as in 32x32x3")
    return shape


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "-"
