"""`bakeoff list`, `show` and `plan`: looking before anything runs."""

from collections.abc import Mapping
from typing import Any

import click

from bakeoff.cli.completion import study_names
from bakeoff.cli.options import (
    json_option,
    offline_option,
    only_option,
    parse_settings,
    seeds_option,
    set_option,
)
from bakeoff.cli.output import compact, paragraph, print_json, print_table, size
from bakeoff.core.duration import duration

Row = dict[str, Any]


@click.command(name="list")
@click.argument("kind", type=click.Choice(["techniques", "models", "datasets", "studies"]))
@json_option
def list_(kind: str, as_json: bool) -> None:
    """List what there is of KIND."""
    rows = {
        "techniques": _techniques,
        "models": _models,
        "datasets": _datasets,
        "studies": _studies,
    }[kind]()
    if as_json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [[str(value) for value in row.values()] for row in rows])


def _techniques() -> list[Row]:
    from bakeoff.techniques import find, frameworks_of, names

    return [
        {
            "technique": technique.name,
            "framework": ", ".join(frameworks_of(technique)),
            "reads": ", ".join(sorted(technique.modalities)),
            "what": technique.summary,
        }
        for technique in map(find, names())
    ]


def _models() -> list[Row]:
    from bakeoff.models import MODELS

    return [{"model": name, "class": home.split(":")[1]} for name, home in sorted(MODELS.items())]


def _datasets() -> list[Row]:
    from bakeoff.data.catalogue import DATASETS

    return [
        {"dataset": name, "holds": entry.modality, "what": entry.summary}
        for name, entry in sorted(DATASETS.items())
    ]


def _studies() -> list[Row]:
    from bakeoff.study.study import built_in_names, load_study

    return [{"study": name, "question": load_study(name).question} for name in built_in_names()]


@click.command()
@click.argument("study", shell_complete=study_names)
@set_option
@only_option
@json_option
def show(study: str, pairs: tuple[str, ...], only: tuple[str, ...], as_json: bool) -> None:
    """Show what STUDY asks, and what each recipe changes."""
    from bakeoff.core.frozen import plain
    from bakeoff.data.catalogue import DATASETS
    from bakeoff.study.notes import notes
    from bakeoff.study.prepare import prepare
    from bakeoff.study.resolve import declare
    from bakeoff.study.study import load_study

    loaded = load_study(study, parse_settings(pairs)).only(only)
    declare(loaded)  # its faults are told here, not only when it is to run
    if as_json:
        print_json(plain(loaded))
        return
    margin = "set from the control's validation score" if loaded.margin is None else loaded.margin
    lines = [
        ("data set", changes(plain(loaded)["dataset"])),
        ("metric", loaded.metric),
        ("margin", margin),
        ("seeds", changes(loaded.seeds)),
        ("control", changes(loaded.control)),
    ]
    if loaded.resampling is not None:
        lines.insert(1, ("resampling", changes(plain(loaded)["resampling"])))
    for name, change in loaded.variants.items():
        lines.append(
            ("variant", f"{name}: {changes(change) or 'nothing (the control on other seeds)'}")
        )
    lines += [("factor", f"{path}: {changes(values)}") for path, values in loaded.factors.items()]
    if loaded.search is not None:
        lines.append(("search", changes(plain(loaded)["search"])))
    lines += [("reference", f"{r.label}: {r.value} ({r.source})") for r in loaded.references]
    click.echo(paragraph(f"{loaded.name}: {loaded.question}") + "\n")
    for name, value in lines:
        click.echo(paragraph(f"{name:10} {value}", " " * 11))
    entry = DATASETS.get(str(loaded.dataset))
    if entry is not None and entry.generated:  # at hand at once, so bounds can be told
        click.echo()
        _echo_notes(notes(prepare(loaded)))


def changes(value: Any) -> str:
    """A setting for people: fields by dotted path, lists with commas."""
    from bakeoff.core.frozen import flatten

    if isinstance(value, Mapping):
        given = {path: inner for path, inner in flatten(value).items() if inner is not None}
        return ", ".join(f"{path}={changes(inner)}" for path, inner in given.items())
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(changes, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


@click.command()
@click.argument("study", shell_complete=study_names)
@set_option
@only_option
@seeds_option
@offline_option
@json_option
def plan(
    study: str,
    pairs: tuple[str, ...],
    only: tuple[str, ...],
    seeds: int | None,
    as_json: bool,
) -> None:
    """Predict what STUDY will cost, from counts and a short probe of each recipe."""
    from bakeoff.execution.cores import core_count
    from bakeoff.execution.measure import ALONE_CORES, Company
    from bakeoff.study.estimate import FINAL, estimate, estimate_final
    from bakeoff.study.notes import notes
    from bakeoff.study.prepare import prepare
    from bakeoff.study.study import load_study

    ready = prepare(load_study(study, parse_settings(pairs)).only(only))
    company = Company()
    found, said = estimate(ready, seeds), notes(ready)
    others = company.cores()
    final = estimate_final(ready, found, seeds)
    every = [*found, *([] if final is None else [final])]
    total, disk = sum(e.total_seconds for e in every), sum(e.disk_bytes * e.cells for e in every)
    if as_json:
        rows = [
            vars(e) | {"total_seconds": e.total_seconds, "notes": list(said.get(e.recipe, ()))}
            for e in found
        ]
        last = None if final is None else vars(final) | {"total_seconds": final.total_seconds}
        whole = {"recipes": rows, "final": last, "total_seconds": total, "disk_bytes": disk}
        print_json(whole | {"cores_of_others": round(others, 2)})
        return
    cells = "cells + trials" if any(e.trials for e in every) else "cells"
    header = ["recipe", cells, "params", "MACs", "a cell", "all cells", "memory"]
    table = [
        [
            e.recipe,
            f"{e.cells} + {e.trials}" if e.trials else str(e.cells),
            compact(e.parameters),
            compact(e.macs_per_example),
            duration(e.seconds),
            duration(e.total_seconds),
            size(e.memory_bytes),
        ]
        for e in every
    ]
    print_table(header, table, right="lrrrrrr")
    if final is not None:
        said = {FINAL: ("at most: the dearest recipe, fitted on all folds together",)} | dict(said)
    click.echo(f"\nIn all about {duration(total)} one after another, and {size(disk)} of disk.")
    if others > ALONE_CORES:
        busy = f"other programs kept {others:.1f} of {core_count()} cores busy meanwhile"
        click.echo(paragraph(f"{busy}: seconds are too high, perhaps many times", "  "))
    _echo_notes(said)


def _echo_notes(said: Mapping[str, tuple[str, ...]]) -> None:
    for name, sentences in said.items():
        for sentence in sentences:
            click.echo(paragraph(f"{name}: {sentence}", "  "))
