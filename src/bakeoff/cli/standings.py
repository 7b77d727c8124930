"""The results of a study for people: who stands where, what may be said, at what price."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from bakeoff.cli.output import compact, duration, on_terminal, paragraph, print_table, size

MARGINS = {
    "declared": "as declared",
    "default": "set from the control's validation score, before test was read",
}
HEADER = ("recipe", "{metric}", "sd", "seeds", "time", "params", "MACs", "peak")
Results = Mapping[str, Any]


def tell(results: Results) -> None:
    """Print question, standings, verdicts and notes on stdout."""
    metric = results["metric"]
    if on_terminal(sys.stdout):
        click.echo()
    click.echo(paragraph(results["question"]) + "\n")
    header = [name.format(metric=metric.replace("/", "/\n")) for name in HEADER]
    print_table(header, [_row(name, results) for name in ranked(results)], right="lrrrrrrr")
    if sentences := [v["sentence"] for v in results["verdicts"] if v["metric"] == metric]:
        click.echo()
        for sentence in sentences:
            click.echo(paragraph(f"- {sentence}", "  "))
    click.echo()
    for note in notes(results):
        click.echo(paragraph(note))


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
        str(len(recipe["seeds"])),
        duration(cost["train_seconds"]),
        compact(cost["parameters"]),
        compact(cost["macs_per_example"]),
        size(cost["peak_bytes"]),
    ]


def notes(results: Results) -> Iterator[str]:
    """What one has to know to read the table, a sentence or two each."""
    if results["margin"] is not None:
        source = MARGINS.get(results["margin_source"], results["margin_source"])
        yield f"Margin: {results['margin']:.4g}, {source}."
    price = "" if results["costs_alone"] else " (other work ran meanwhile: no price)"
    yield (
        f"Costs: time to train one seed{price}, parameters, multiply-accumulates of one "
        "prediction, peak memory of training."
    )
    for name, recipe in results["recipes"].items():
        if recipe["failed"]:
            seeds = ", ".join(map(str, recipe["failed"]))
            yield f"{name}: no result for seed {seeds}."
        if diverged := recipe["statuses"].count("diverged"):
            yield f"{name}: diverged with {diverged} of {len(recipe['seeds'])} seeds."
