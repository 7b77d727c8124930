"""The results of a study for people: who stands where, what may be said, at what price."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from bakeoff.cli.output import compact, on_terminal, paragraph, print_table, size
from bakeoff.core.duration import duration
from bakeoff.core.measures import heading
from bakeoff.study.costs import training_seconds
from bakeoff.study.tables import search_sentences

MARGINS = {
    "declared": "as declared",
    "default": "set from the control's validation score, before {sealed} was read",
}
HEADER = ("recipe", "{metric}", "sd", "{unit}s", "time", "params", "MACs", "peak")
Results = Mapping[str, Any]


def tell(results: Results) -> None:
    """Print question, standings, verdicts and notes on stdout."""
    metric = results["metric"]
    if on_terminal(sys.stdout):
        click.echo()
    click.echo(paragraph(results["question"]) + "\n")
    unit = unit_of(results)
    told = heading(metric, results.get("protocol", ""))
    told = re.sub(r"[/,]|(?=\[)", r"\g<0>\n", told)  # where a terminal may break the line
    header = [name.format(metric=told, unit=unit) for name in HEADER]
    print_table(header, [_row(name, results) for name in ranked(results)], right="lrrrrrrr")
    sentences = [v["sentence"] for v in results["verdicts"] if v["metric"] == metric]
    sentences += [effect["sentence"] for effect in results.get("effects", ())]
    if final := results.get("final"):
        sentences.append(final["sentence"])
    sentences += search_sentences(results)
    if sentences:
        click.echo()
        for sentence in sentences:
            click.echo(paragraph(f"- {sentence}", "  "))
    click.echo()
    for note in notes(results):
        click.echo(paragraph(note))


def unit_of(results: Results) -> str:
    """What a score is a mean over: `seed`, or `fold`."""
    return "fold" if results.get("resampling") else "seed"


def ranked(results: Results) -> list[str]:
    """The recipes' names, best mean first, those without a score last."""
    metric, sign = results["metric"], -1 if results["direction"] == "max" else 1

    def place(name: str) -> tuple[bool, float, str]:
        score = results["recipes"][name]["metrics"].get(metric)
        return (score is None, 0.0 if score is None else sign * score["mean"], name)

    return sorted(results["recipes"], key=place)


def _row(name: str, results: Results) -> list[str]:
    recipe = results["recipes"][name]
    score = recipe["metrics"].get(results["metric"])
    if score is None:
        return [name, *["-"] * (len(HEADER) - 1)]
    cost, sd = recipe["cost"], score["sd"]
    return [
        name,
        f"{score['mean']:.4f}",
        "-" if sd is None else f"{sd:.4f}",
        str(len(recipe[f"{unit_of(results)}s"])),
        duration(training_seconds(cost) or 0.0),
        compact(cost["parameters"]),
        compact(cost["macs_per_example"]),
        size(cost["peak_bytes"]),
    ]


def notes(results: Results) -> Iterator[str]:
    """What one has to know to read the table, a sentence or two each."""
    unit = unit_of(results)
    if results["margin"] is not None:
        source = str(MARGINS.get(results["margin_source"], results["margin_source"]))
        source = source.format(sealed="test" if unit == "seed" else "a fold score")
        yield f"Margin: {results['margin']:.4g}, {source}."
    price = "" if results["costs_alone"] else " (other work ran meanwhile: no price)"
    one = "one seed" if unit == "seed" else "one fold with one seed"
    yield (
        f"Costs: time to train {one}{price}, parameters, multiply-accumulates of one "
        "prediction, peak memory of training."
    )
    for name, recipe in results["recipes"].items():
        if recipe["failed"]:
            yield f"{name}: no result for seed {_listed(recipe['failed'])}."
        if diverged := recipe["statuses"].count("diverged"):
            cells = f"{len(recipe['statuses'])} {'seeds' if unit == 'seed' else 'cells'}"
            yield f"{name}: diverged with {diverged} of {cells}."
    if final := results.get("final"):
        name = f"{final['recipe']}, on test"
        if final["failed"]:
            yield f"{name}: no result for seed {_listed(final['failed'])}."
        if diverged := final["statuses"].count("diverged"):
            yield f"{name}: diverged with {diverged} of {len(final['seeds'])} seeds."


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
