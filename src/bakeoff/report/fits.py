"""What regressions look like: errors by epoch and by sample, surfaces, signals."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bakeoff.report import words
from bakeoff.report.folder import RunFolder, metric_rows
from bakeoff.report.palette import look
from bakeoff.report.results import RecipeResult
from bakeoff.report.spec import (
    Cell,
    Control,
    Figure,
    Key,
    Option,
    Table,
    Trace,
    column,
    escaped,
)
from bakeoff.report.values import listing, mapping, number, text

LOSS = "mean_squared_error"
HEADROOM = 1e3
"""Errors by sample are drawn up to so many times the first ones; what goes on diverging leaves."""

Content = Mapping[str, Any]


def read(run: RunFolder) -> dict[str, Any]:
    """`fits.json`; empty where there is none."""
    try:
        return mapping(json.loads((run.path / "artifacts" / "fits.json").read_bytes()))
    except (OSError, ValueError):
        return {}


def figures(run: RunFolder) -> dict[str, Figure | None]:
    """The figures of the section on fits, by name."""
    content = read(run)
    return {
        "epochs": _epochs(run),
        "samples": _samples(run, content),
        "planes": _planes(run, content),
        "signals": _signals(run, content),
    }


def notes_table(run: RunFolder) -> Table | None:
    """What each recipe's technique says of its settings on these data."""
    content = read(run)
    rows = []
    for recipe in run.results.recipes:
        entry = _entry(content, recipe)
        notes = "; ".join(text(note) for note in listing(entry.get("notes")))
        happened = _outcome(recipe, entry)
        if notes or happened:
            name = Cell(recipe.name, head=True, recipe=recipe.index)
            rows.append([name, Cell(notes or words.MISSING), Cell(happened or words.MISSING)])
    if not rows:
        return None
    return Table("Settings beside what the data allow", ["Recipe", "Bound", "What happened"], rows)


def _entry(content: Content, recipe: RecipeResult) -> dict[str, Any]:
    return mapping(mapping(content.get("recipes")).get(recipe.name))


def _outcome(recipe: RecipeResult, entry: Content) -> str:
    overflow = number(mapping(entry.get("epoch")).get("overflow_at"))
    if overflow is not None:
        return f"overflowed in its first epoch, at sample {words.count(overflow + 1)}"
    if recipe.diverged:
        return f"diverged with {words.plural(len(recipe.diverged), 'seed')}"
    return "stayed finite" if "epoch" in entry else ""


def _numbers(values: object) -> list[float]:
    found = [number(value) for value in listing(values)]
    return [math.nan if value is None else value for value in found]


def _log_axis(title: str, low: float, high: float) -> dict[str, Any]:
    ends = [math.log10(low), math.log10(high)]
    pad = 0.06 * max(ends[1] - ends[0], 0.1)
    return {
        "type": "log",
        "title": {"text": title},
        "range": [ends[0] - pad, ends[1] + pad],
        "exponentformat": "power",
        "minexponent": 4,
    }


def _boxes(recipes: Sequence[RecipeResult]) -> list[Control]:
    if len(recipes) < 2:
        return []
    options = [Option(str(recipe.index), recipe.name, recipe.index) for recipe in recipes]
    return [Control("recipes", "Recipes", options, kind="boxes")]


def _line(recipe: RecipeResult, x: str, y: str, axis: str) -> list[Trace]:
    """A recipe's line with its marker at the end."""
    style = look(recipe.index)
    shared: Trace = {"group": str(recipe.index), "name": escaped(recipe.name)}
    hover = f"<b>%{{fullData.name}}</b><br>{axis} %{{x}}: %{{y:.4~g}}<extra></extra>"
    return [
        {
            **shared,
            "mode": "lines",
            "x": column(x),
            "y": column(y),
            "line": {"color": style.colour, "width": 2},
            "hovertemplate": hover,
        },
        {
            **shared,
            "mode": "markers",
            "x": column(f"{x}/last"),
            "y": column(f"{y}/last"),
            "marker": {"color": style.colour, "symbol": style.mark, "size": 9},
            "hoverinfo": "skip",
        },
    ]


def _level(recipe: RecipeResult, end: float, value: float, words_: str) -> Trace:
    """A dashed line across: what was solved in one piece."""
    return {
        "group": str(recipe.index),
        "name": escaped(recipe.name),
        "mode": "lines",
        "x": [0, end],
        "y": [value, value],
        "line": {"color": look(recipe.index).colour, "width": 1.75, "dash": "dash"},
        "hovertemplate": f"<b>%{{fullData.name}}</b><br>{words_}: %{{y:.5~g}}<extra></extra>",
    }


def _mean_losses(run: RunFolder, recipe: RecipeResult) -> tuple[list[float], list[float]]:
    """Epochs, and the mean over seeds of the training loss in each; ends with the shortest seed."""
    rows = [metric_rows(cell) for cell in run.cells.get(recipe.name, ())]
    if not rows or not all(rows):
        return [], []
    length = min(map(len, rows))
    losses = [[number(row.get("train/loss")) for row in own[:length]] for own in rows]
    epochs = [number(row.get("epoch")) for row in rows[0][:length]]
    if any(value is None for own in [*losses, epochs] for value in own):
        return [], []
    return [float(e or 0) for e in epochs], np.mean(np.array(losses, float), axis=0).tolist()


def _epochs(run: RunFolder) -> Figure | None:
    """Training error by epoch, with what was solved in one piece as a dashed line."""
    if run.results.task != "regression":
        return None
    recipes = {recipe.index: recipe for recipe in run.results.recipes}
    found = {index: _mean_losses(run, recipe) for index, recipe in recipes.items()}
    curves = {index: lines for index, lines in found.items() if len(lines[0]) > 1}
    if not curves:
        return None
    last = max(epochs[-1] for epochs, _ in curves.values())
    columns: dict[str, Sequence[Any]] = {}
    traces: list[Trace] = []
    seen: list[float] = []
    rows = []
    for index, (epochs, losses) in curves.items():
        recipe, key = recipes[index], str(index)
        columns |= {f"{key}/x": epochs, f"{key}/y": losses}
        columns |= {f"{key}/x/last": epochs[-1:], f"{key}/y/last": losses[-1:]}
        traces += _line(recipe, f"{key}/x", f"{key}/y", "epoch")
        seen += losses
        rows.append(_epoch_row(recipe, losses[0], losses[-1]))
    drawn = [recipes[index] for index in curves]
    for recipe in run.results.recipes:
        score = recipe.metrics.get(f"train/{LOSS}")
        if recipe.index in curves or recipe.diverged or score is None or score.mean is None:
            continue
        if run.cells.get(recipe.name) and not any(map(metric_rows, run.cells[recipe.name])):
            traces.append(_level(recipe, last, score.mean, "training error"))
            drawn.append(recipe)
            seen.append(score.mean)
            rows.append(_epoch_row(recipe, None, score.mean))
    gone = [recipe.name for recipe in run.results.recipes if recipe.diverged]
    note = "Means over seeds; errors are those before a sample was learnt from. Dashed: one solve."
    if gone:
        verb = "ends" if len(gone) == 1 else "end"
        note += f" {words.joined(gone)} diverged: no line, or one that {verb} early."
    positive = [value for value in seen if value > 0]
    if not positive:
        return None
    return Figure(
        id="epochs",
        title="Squared error by epoch",
        summary="Training error by epoch: " + "; ".join(_ends(rows)) + ".",
        note=note,
        height={"wide": 400, "narrow": 380},
        traces=traces,
        layout={
            "xaxis": {"title": {"text": "Epoch"}, "range": [0, last * 1.03]},
            "yaxis": _log_axis("Mean squared error, training", min(positive), max(positive)),
            "margin": {"l": 68, "r": 14, "t": 10, "b": 50},
        },
        columns=columns,
        controls=_boxes(sorted(drawn, key=lambda recipe: recipe.index)),
        tables=[Table("Mean squared error on training samples", ["Recipe", "First", "Last"], rows)],
    )


def _epoch_row(recipe: RecipeResult, first: float | None, last: float) -> list[Cell]:
    metric = words.Metric(LOSS)
    return [
        Cell(recipe.name, head=True, recipe=recipe.index),
        Cell(metric.bare(first), first, numeric=True),
        Cell(metric.bare(last), last, numeric=True),
    ]


def _ends(rows: Sequence[Sequence[Cell]]) -> list[str]:
    return [f"{row[0].text} ends at {row[2].text}" for row in rows]


def _samples(run: RunFolder, content: Content) -> Figure | None:
    """Errors of the first epoch, sample by sample."""
    columns: dict[str, Sequence[Any]] = {}
    traces: list[Trace] = []
    drawn: list[RecipeResult] = []
    rows: list[list[Cell]] = []
    first: list[float] = []
    everything: list[float] = []
    for recipe in run.results.recipes:
        epoch = mapping(_entry(content, recipe).get("epoch"))
        samples, errors = _numbers(epoch.get("sample")), _numbers(epoch.get("squared_error"))
        if not samples or len(samples) != len(errors) or not all(map(math.isfinite, errors)):
            continue
        key = str(recipe.index)
        columns |= {f"{key}/x": samples, f"{key}/y": errors}
        columns |= {f"{key}/x/last": samples[-1:], f"{key}/y/last": errors[-1:]}
        traces += _line(recipe, f"{key}/x", f"{key}/y", "up to sample")
        drawn.append(recipe)
        first.append(errors[0])
        everything += [value for value in errors if value > 0]
        rows.append(_epoch_row(recipe, errors[0], errors[-1]))
    if not drawn or not everything:
        return None
    top = min(max(everything), HEADROOM * float(np.median(first)))
    return Figure(
        id="samples",
        title="The first epoch, sample by sample",
        summary="Squared error along the first epoch: " + "; ".join(_ends(rows)) + ".",
        note="One seed; means over blocks of samples, each before it was learnt from. "
        "A line that leaves at the top diverges.",
        height={"wide": 400, "narrow": 380},
        traces=traces,
        layout={
            "xaxis": {"title": {"text": "Sample"}},
            "yaxis": _log_axis("Squared error", min(everything), top),
            "margin": {"l": 68, "r": 14, "t": 10, "b": 50},
        },
        columns=columns,
        controls=_boxes(drawn),
        tables=[Table("Squared error in the first epoch", ["Recipe", "First", "Last"], rows)],
    )


def _planes(run: RunFolder, content: Content) -> Figure | None:
    """Test points in space, the control's surface, and that of a recipe the reader chooses."""
    points = mapping(content.get("points"))
    names = [text(name) for name in listing(content.get("columns"))]
    drawn = [r for r in run.results.recipes if listing(_entry(content, r).get("surface"))]
    if not points or len(names) != 2 or not drawn:
        return None
    columns: dict[str, Sequence[Any]] = {name: _numbers(values) for name, values in points.items()}
    for recipe in drawn:
        surface = listing(_entry(content, recipe).get("surface"))
        columns[f"surface/{recipe.index}"] = [_numbers(line) for line in surface]
    control, others = drawn[0], drawn[1:]
    start = others[0] if others else control
    target = "target"
    traces: list[Trace] = [
        {
            "type": "scatter3d",
            "mode": "markers",
            "name": "test examples",
            "x": column("first"),
            "y": column("second"),
            "z": column("target"),
            "marker": {"color": "--muted", "size": 2.6, "opacity": 0.75},
            "hovertemplate": f"{names[0]} %{{x}}<br>{names[1]} %{{y}}<br>{target} %{{z}}"
            "<extra></extra>",
        },
        _surface(control, f"surface/{control.index}", 0.45),
    ]
    for recipe in others:
        trace = _surface(recipe, f"surface/{recipe.index}", 0.6)
        traces.append({**trace, "when": {"beside": [str(recipe.index)]}})
    options = [Option(str(recipe.index), recipe.name) for recipe in others]
    return Figure(
        id="planes",
        title="What was fitted",
        summary=f"Test examples in space with the surfaces of {control.name} and of one other "
        f"recipe at a time, {start.name} first. A diverged recipe is drawn as what it counts with.",
        note=f"Turn it by dragging. The surface of {control.name} is always there. A diverged "
        "recipe counts with the mean of the training targets: a flat plane.",
        height={"wide": 520, "narrow": 400},
        traces=traces,
        layout=_space(names, target),
        columns=columns,
        controls=[Control("beside", f"Beside {control.name}", options, value=str(start.index))]
        if others
        else (),
        keys=[Key(f"{control.name}: always", recipe=control.index)],
        fixed={} if others else {"beside": ""},
    )


def _space(names: Sequence[str], target: str) -> dict[str, Any]:
    """The layout of three axes."""
    axis = {
        "gridcolor": "--rule",
        "zerolinecolor": "--faint",
        "color": "--muted",
        "showbackground": False,
    }
    return {
        "scene": {
            "xaxis": {**axis, "title": {"text": escaped(names[0])}},
            "yaxis": {**axis, "title": {"text": escaped(names[1])}},
            "zaxis": {**axis, "title": {"text": target}},
            "camera": {"eye": {"x": 1.5, "y": -1.6, "z": 0.75}},
            "dragmode": "turntable",
            "aspectmode": "cube",
        },
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
    }


def _surface(recipe: RecipeResult, name: str, opacity: float) -> Trace:
    colour = look(recipe.index).colour
    return {
        "type": "surface",
        "name": escaped(recipe.name),
        "x": column("along_first"),
        "y": column("along_second"),
        "z": column(name),
        "colorscale": [[0, colour], [1, colour]],
        "showscale": False,
        "opacity": opacity,
        "hovertemplate": "<b>%{fullData.name}</b> %{z:.3~g}<extra></extra>",
        "contours": {
            "x": {"show": True, "color": colour, "width": 1},
            "y": {"show": True, "color": colour, "width": 1},
        },
    }


def _signals(run: RunFolder, content: Content) -> Figure | None:
    """Observed, output and error along time, of the recipe the reader chooses."""
    signal = mapping(content.get("signal"))
    drawn = [r for r in run.results.recipes if listing(_entry(content, r).get("output"))]
    observed, clean = _numbers(signal.get("observed")), _numbers(signal.get("clean"))
    if not observed or not drawn:
        return None
    columns: dict[str, Sequence[Any]] = {"time": list(range(len(observed))), "observed": observed}
    for recipe in drawn:
        output = _numbers(_entry(content, recipe).get("output"))
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
    leaves = mapping(_entry(content, recipe).get("leaves"))
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
        value = number(mapping(_entry(content, recipe).get("leaves")).get(meant))
        name = Cell(recipe.name, head=True, recipe=recipe.index)
        rows.append([name, Cell(words.Metric(LOSS).bare(value), value, numeric=True)])
    header = ["Recipe", f"Mean square of {meant} minus clean signal"]
    return [Table("How near the clean signal, all test samples", header, rows)]
