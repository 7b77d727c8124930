"""Signals and what adaptive filters make of them: observed, output, error along time."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bakeoff.report import words
from bakeoff.report.folder import RunFolder
from bakeoff.report.palette import look
from bakeoff.report.results import RecipeResult
from bakeoff.report.spec import Cell, Control, Figure, Key, Option, Table, Trace, column
from bakeoff.report.values import listing, mapping, number

LOSS = "mean_squared_error"

Content = Mapping[str, Any]
"""Of `fits.json`."""


def entry(content: Content, recipe: RecipeResult) -> dict[str, Any]:
    """What the artifacts say of a recipe; empty where they say nothing."""
    return mapping(mapping(content.get("recipes")).get(recipe.name))


def numbers(values: object) -> list[float]:
    """A list of numbers, NaN for what is none."""
    found = [number(value) for value in listing(values)]
    return [math.nan if value is None else value for value in found]


def figure(run: RunFolder, content: Content) -> Figure | None:
    """Observed, output and error along time, of the recipe the reader chooses."""
    signal = mapping(content.get("signal"))
    drawn = [r for r in run.results.recipes if listing(entry(content, r).get("output"))]
    observed, clean = numbers(signal.get("observed")), numbers(signal.get("clean"))
    if not observed or not drawn:
        return None
    columns: dict[str, Sequence[Any]] = {"time": list(range(len(observed))), "observed": observed}
    for recipe in drawn:
        output = numbers(entry(content, recipe).get("output"))
        columns[f"output/{recipe.index}"] = output
        columns[f"error/{recipe.index}"] = [o - y for o, y in zip(observed, output, strict=False)]
    if clean:
        columns["clean"] = clean
    meant = _meant(content, drawn[0]) if clean else ""
    options = [Option(str(recipe.index), recipe.name) for recipe in drawn]
    return Figure(
        id="signals",
        title="The signals",
        summary="Observed signal, filter output and error along the first test samples.",
        note=_signal_note(meant),
        height={"wide": 560, "narrow": 560},
        traces=_signal_traces(drawn, meant),
        layout=_signal_layout(),
        columns=columns,
        controls=[Control("filter", "Filter", options, value=str(drawn[0].index))],
        keys=[Key("observed, output, error", stroke="thin")]
        + ([Key("what should come out", stroke="dash")] if meant else []),
        tables=_signal_tables(content, drawn, meant),
    )


def _meant(content: Content, recipe: RecipeResult) -> str:
    """Whether the clean signal should be the filter's output, or what it leaves over."""
    leaves = mapping(entry(content, recipe).get("leaves"))
    output, error = number(leaves.get("output")), number(leaves.get("error"))
    if output is None or error is None:
        return ""
    return "output" if output < error else "error"


def _signal_note(meant: str) -> str:
    note = "Test samples, with the weights that training ended with."
    if meant == "error":
        return note + " The filter imitates the noise; what it leaves over is the signal (dashed)."
    if meant == "output":
        return note + " The output should be the system's answer without its noise (dashed)."
    return note


def _signal_traces(drawn: Sequence[RecipeResult], meant: str) -> list[Trace]:
    base = {"mode": "lines", "x": column("time")}
    hover = "sample %{x}: %{y:.4~g}<extra></extra>"
    traces: list[Trace] = [
        {
            **base,
            "y": column("observed"),
            "line": {"color": "--muted", "width": 1.25},
            "hovertemplate": f"observed, {hover}",
            "xaxis": "x",
            "yaxis": "y",
        }
    ]
    for recipe in drawn:
        colour = look(recipe.index).colour
        for panel, kind in (("2", "output"), ("3", "error")):
            traces.append(
                {
                    **base,
                    "y": column(f"{kind}/{recipe.index}"),
                    "line": {"color": colour, "width": 1.4},
                    "hovertemplate": f"{kind}, {hover}",
                    "xaxis": f"x{panel}",
                    "yaxis": f"y{panel}",
                    "when": {"filter": [str(recipe.index)]},
                }
            )
    if meant:
        panel = {"output": "2", "error": "3"}[meant]
        traces.append(
            {
                **base,
                "y": column("clean"),
                "line": {"color": "--accent", "width": 1.6, "dash": "dot"},
                "hovertemplate": f"clean, {hover}",
                "xaxis": f"x{panel}",
                "yaxis": f"y{panel}",
            }
        )
    return traces


def _signal_layout() -> dict[str, Any]:
    titles = ("<b>Observed</b>", "<b>Output</b> of the filter", "<b>Error</b>: observed − output")
    domains = ([0.71, 0.96], [0.365, 0.615], [0.02, 0.27])
    layout: dict[str, Any] = {"margin": {"l": 50, "r": 12, "t": 6, "b": 46}, "annotations": []}
    quiet = {"gridcolor": "--rule", "zerolinecolor": "--faint", "tickfont": {"color": "--muted"}}
    for place, (title, domain) in enumerate(zip(titles, domains, strict=True)):
        end = "" if place == 0 else str(place + 1)
        layout[f"yaxis{end}"] = {**quiet, "domain": domain, "fixedrange": True}
        if place:
            layout[f"yaxis{end}"]["matches"] = "y"
        bottom: dict[str, Any] = {**quiet, "anchor": f"y{end}", "fixedrange": True}
        if place:
            bottom["matches"] = "x"
        if place == 2:
            bottom["title"] = {"text": "Test sample", "font": {"size": 13, "color": "--muted"}}
        layout[f"xaxis{end}"] = bottom | {"showticklabels": place == 2}
        layout["annotations"].append(
            {
                "xref": "paper",
                "yref": "paper",
                "x": 0,
                "y": domain[1] + 0.005,
                "text": title,
                "showarrow": False,
                "xanchor": "left",
                "yanchor": "bottom",
                "font": {"size": 13, "color": "--muted"},
            }
        )
    return layout


def _signal_tables(content: Content, drawn: Sequence[RecipeResult], meant: str) -> list[Table]:
    if not meant:
        return []
    rows = []
    for recipe in drawn:
        value = number(mapping(entry(content, recipe).get("leaves")).get(meant))
        name = Cell(recipe.name, head=True, recipe=recipe.index)
        rows.append([name, Cell(words.Metric(LOSS).bare(value), value, numeric=True)])
    header = ["Recipe", f"Mean square of {meant} minus clean signal"]
    return [Table("How near the clean signal, all test samples", header, rows)]
