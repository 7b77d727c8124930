"""What regressions look like: errors by epoch and by sample, surfaces, signals."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bakeoff.report import signals, words
from bakeoff.report.axes import log_range, log_ticks
from bakeoff.report.folder import RunFolder, metric_rows
from bakeoff.report.palette import look
from bakeoff.report.results import RecipeResult
from bakeoff.report.signals import LOSS, Content, entry, numbers
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

HEADROOM = 1e3
"""Errors by sample are drawn up to so many times the first ones; what goes on diverging leaves."""


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
        "signals": signals.figure(run, content),
    }


def notes_table(run: RunFolder) -> Table | None:
    """What each recipe's technique says of its settings on these data."""
    content = read(run)
    rows = []
    for recipe in run.results.recipes:
        found = entry(content, recipe)
        notes = "; ".join(text(note) for note in listing(found.get("notes")))
        happened = _outcome(recipe, found)
        if notes or happened:
            name = Cell(recipe.name, head=True, recipe=recipe.index)
            rows.append([name, Cell(notes or words.MISSING), Cell(happened or words.MISSING)])
    if not rows:
        return None
    return Table("Settings beside what the data allow", ["Recipe", "Bound", "What happened"], rows)


def _outcome(recipe: RecipeResult, found: Content) -> str:
    overflow = number(mapping(found.get("epoch")).get("overflow_at"))
    if overflow is not None:
        return f"overflowed in its first epoch, at sample {words.count(overflow + 1)}"
    if recipe.diverged:
        return f"diverged with {words.plural(len(recipe.diverged), 'seed')}"
    return "stayed finite" if "epoch" in found else ""


def _log_axis(title: str, low: float, high: float) -> dict[str, Any]:
    span = log_range((low, high), room=0.06)
    ticks = log_ticks(span, _written)
    return {"type": "log", "title": {"text": title}, "range": list(span), **ticks}


def _written(value: float) -> str:
    """A round value; far from 1 as a power of ten."""
    power = math.log10(value)
    if power.is_integer() and not -4 < power < 5:
        return f"10<sup>{words.signless(str(int(power)))}</sup>"
    return f"{value:g}"


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
        constant = recipe.technique == "majority"  # it would only stretch the axis
        if (
            recipe.index in curves
            or recipe.diverged
            or constant
            or score is None
            or score.mean is None
        ):
            continue
        if run.cells.get(recipe.name) and not any(map(metric_rows, run.cells[recipe.name])):
            traces.append(_level(recipe, last, score.mean, "training error"))
            drawn.append(recipe)
            seen.append(score.mean)
            rows.append(_epoch_row(recipe, None, score.mean))
    positive = [value for value in seen if value > 0]
    if not positive:
        return None
    return Figure(
        id="epochs",
        title="Squared error by epoch",
        summary="Training error by epoch: " + "; ".join(_ends(rows)) + ".",
        note=_epochs_note(run),
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


def _epochs_note(run: RunFolder) -> str:
    gone = [recipe.name for recipe in run.results.recipes if recipe.diverged]
    note = f"Means over {run.results.unit}s; errors are those before a sample was learnt from. "
    note += "Dashed: one solve."
    if gone:
        note += f" {words.joined(gone)} diverged: without a line, or with one that ends early."
    return note


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
        epoch = mapping(entry(content, recipe).get("epoch"))
        samples, errors = numbers(epoch.get("sample")), numbers(epoch.get("squared_error"))
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
    drawn = [r for r in run.results.recipes if listing(entry(content, r).get("surface"))]
    if not points or len(names) != 2 or not drawn:
        return None
    columns: dict[str, Sequence[Any]] = {name: numbers(values) for name, values in points.items()}
    for recipe in drawn:
        surface = listing(entry(content, recipe).get("surface"))
        columns[f"surface/{recipe.index}"] = [numbers(line) for line in surface]
    control, others = drawn[0], drawn[1:]
    start = _farthest(control, others, columns)
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
        _surface(control, f"surface/{control.index}", 0.35),
    ]
    for recipe in others:
        trace = _surface(recipe, f"surface/{recipe.index}", 0.45)
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


def _farthest(
    control: RecipeResult, others: Sequence[RecipeResult], columns: Mapping[str, Sequence[Any]]
) -> RecipeResult:
    """The recipe whose surface differs most from the control's, of those that learnt to the end."""
    able = [r for r in others if not r.diverged and r.technique != "majority"] or list(others)

    def distance(recipe: RecipeResult) -> float:
        a, b = (np.array(columns[f"surface/{r.index}"], float) for r in (control, recipe))
        return float(np.abs(a - b).sum()) if a.shape == b.shape else 0.0

    return max(able, key=distance, default=control)


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
            "camera": {
                "eye": {"x": 1.3, "y": -1.45, "z": 0.6},
                "center": {"x": 0, "y": 0, "z": -0.12},
            },
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
