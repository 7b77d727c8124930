"""How far apart an encoder brings the classes while it learns: distances by update."""

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
    by,
    column,
    escaped,
)
from bakeoff.report.values import number

MOST_POINTS_A_LINE = 120
SIDES = {
    "positive": ("train/positive_distance", "within a class", "solid"),
    "negative": ("train/negative_distance", "between classes", "dash"),
}


def figure(run: RunFolder) -> Figure | None:
    """Distances within and between classes by update, means over seeds."""
    columns: dict[str, Sequence[Any]] = {}
    traces: list[Trace] = []
    drawn: list[RecipeResult] = []
    told: list[str] = []
    for recipe in run.results.recipes:
        lines = {side: _line(run, recipe, SIDES[side][0]) for side in SIDES}
        if any(line is None for line in lines.values()):
            continue
        drawn.append(recipe)
        for side, line in lines.items():
            steps, values = line or ([], [])
            key = f"{recipe.index}/{side}"
            columns |= {f"{key}/x": steps, f"{key}/y": values}
            traces.append(_distance_line(recipe, key, side))
        ends = [f"{SIDES[side][1]} {columns[f'{recipe.index}/{side}/y'][-1]:.3g}" for side in SIDES]
        told.append(f"{recipe.name} at the end: {', '.join(ends)}")
    if not drawn:
        return None
    boxes = [Option(str(r.index), r.name, r.index) for r in drawn]
    scales = [Option("linear", "linear"), Option("log", "logarithmic")]
    controls = [Control("rise", "Scale", scales, value="linear")]
    if len(drawn) > 1:
        controls.append(Control("recipes", "Recipes", boxes, kind="boxes"))
    keys = [Key(SIDES["positive"][1], stroke="thin"), Key(SIDES["negative"][1], stroke="dash")]
    return Figure(
        id="space-learning",
        title="Distances while learning",
        summary="Mean distances of training examples: " + "; ".join(told),
        note="Mean Euclidean distance of all pairs of a batch, averaged over the updates since the "
        "validation before and over seeds, before each update.",
        height=340,
        traces=traces,
        layout={
            "xaxis": {"title": {"text": "Update"}, "rangemode": "tozero"},
            "yaxis": {
                "title": {"text": "Distance"},
                "type": by("rise", linear="linear", log="log"),
                "rangemode": "tozero",
            },
            "margin": {"l": 60, "r": 12, "t": 8, "b": 52},
        },
        columns=columns,
        controls=controls,
        keys=[*keys, *([] if len(drawn) > 1 else [Key(drawn[0].name, recipe=drawn[0].index)])],
        tables=[_learning_table(drawn, columns)],
    )


def _line(
    run: RunFolder, recipe: RecipeResult, name: str
) -> tuple[list[float], list[float]] | None:
    """Updates and mean values over seeds, at updates that all have; None where there are none."""
    found: list[dict[float, float]] = []
    for cell in run.cells.get(recipe.name, ()):
        rows = [(number(row.get("step")), number(row.get(name))) for row in metric_rows(cell)]
        found.append({step: v for step, v in rows if step is not None and v is not None})
    steps = sorted(set.intersection(*map(set, found))) if found else []
    if not steps:
        return None
    if len(steps) > MOST_POINTS_A_LINE:
        places = np.linspace(0, len(steps) - 1, MOST_POINTS_A_LINE).round().astype(int)
        steps = [steps[place] for place in places]
    return steps, [sum(own[step] for own in found) / len(found) for step in steps]


def _distance_line(recipe: RecipeResult, key: str, side: str) -> Trace:
    return {
        "group": str(recipe.index),
        "name": escaped(recipe.name),
        "mode": "lines",
        "x": column(f"{key}/x"),
        "y": column(f"{key}/y"),
        "line": {"color": look(recipe.index).colour, "width": 2, "dash": SIDES[side][2]},
        "hovertemplate": f"<b>%{{fullData.name}}</b>, {SIDES[side][1]}<br>update %{{x}}: "
        "%{y:.3~g}<extra></extra>",
    }


def _learning_table(drawn: Sequence[RecipeResult], columns: Mapping[str, Sequence[Any]]) -> Table:
    rows = []
    for recipe in drawn:
        for side, (_, said, _) in SIDES.items():
            values = columns[f"{recipe.index}/{side}/y"]
            rows.append(
                [
                    Cell(recipe.name, head=True, recipe=recipe.index),
                    Cell(said),
                    _cell(values[0]),
                    _cell(values[-1]),
                ]
            )
    header = ["Recipe", "Distance", "First validation", "Last validation"]
    return Table("Mean distances in batches", header, rows)


def _cell(value: float) -> Cell:
    return Cell(words.signless(f"{value:.3f}"), value, numeric=True)
