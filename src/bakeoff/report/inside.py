"""What networks hold and what their units do: `inside.json`, read, and the figure of the units."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.report import words
from bakeoff.report.folder import RunFolder
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
from bakeoff.report.values import listing, mapping, number, text, whole

MOMENTS = {"start": "At the start", "end": "At the end"}
MOST_RECIPES = 8
MOST_NAMES = 10
"""Layers whose names fit below an axis."""
TICKS = (0, 1, 5, 10, 25, 50, 75, 100)
"""Percent; the axis is that of their square roots, on which a few of a hundred are seen."""
MEASURES = {
    "dead": ("Dead units (ReLU)", "Units that are 0 for every image (%)"),
    "zero": ("Zero outputs (ReLU)", "Outputs that are 0 (%)"),
    "saturated": ("Saturated outputs (tanh, sigmoid)", "Saturated outputs (%)"),
}

Content = Mapping[str, Any]
"""Of `inside.json`."""


@dataclass(frozen=True)
class Seen:
    """A recipe, and what `inside.json` says of it."""

    recipe: RecipeResult
    content: Content

    def layers(self, moment: str, kind: str) -> dict[str, Any]:
        """What was counted of `weights` or `gradients`, by layer."""
        return mapping(mapping(self.content.get(moment)).get(kind))

    def shares(self, moment: str, measure: str) -> list[tuple[str, float]]:
        """Layers with a measure of their activation, in order, in percent."""
        found = []
        for row in listing(mapping(self.content.get(moment)).get("activations")):
            share = number(mapping(row).get(measure))
            if share is not None:
                found.append((text(mapping(row).get("layer"), "?"), 100 * share))
        return found


def read(run: RunFolder) -> tuple[Content, list[Seen]]:
    """What the artifacts say as a whole, and of each recipe with results; empty without."""
    try:
        content = mapping(json.loads((run.path / "artifacts/inside/inside.json").read_bytes()))
    except (OSError, ValueError):
        return {}, []
    recipes = mapping(content.get("recipes"))
    seen = [Seen(r, mapping(recipes[r.name])) for r in run.results.recipes if r.name in recipes]
    return content, seen[:MOST_RECIPES]


def lead(run: RunFolder) -> str:
    """What was looked into, and how; empty where nothing was."""
    content, seen = read(run)
    about = mapping(content.get("about"))
    total, batch, images = (whole(about.get(name)) for name in ("recipes", "batch", "images"))
    if not seen or batch is None or images is None:
        return ""
    which = "each recipe"
    if total is not None and total > len(seen):
        which = f"the first {len(seen)} of {total} recipes"
    return (
        f"The networks of {which}, of the first {run.results.unit} alone, opened when all had run. "
        f"Gradients are those of the mean loss of {words.plural(batch, 'training example')}, "
        "without penalties, dropout and augmentation; units were watched on "
        f"{words.plural(images, 'validation example')}. No test data were read."
    )


def boxes(seen: Sequence[Seen], ticked: Collection[int]) -> list[Control]:
    """Recipes to tick, and the places of those that are drawn at first."""
    if len(seen) < 2:
        return []
    recipes = [one.recipe for one in seen]
    options = [Option(str(r.index), r.name, r.index, r.index in ticked) for r in recipes]
    return [Control("recipes", "Recipes", options, kind="boxes")]


def keys(seen: Sequence[Seen]) -> list[Key]:
    """The legend where there is nothing to tick."""
    return [Key(one.recipe.name, recipe=one.recipe.index) for one in seen if len(seen) < 2]


def units(run: RunFolder) -> Figure | None:
    """Dead and saturated units along the depth of the networks."""
    content, seen = read(run)
    there = [
        name for name in MEASURES if any(s.shares(m, name) for s in seen for m in MOMENTS)
    ]  # fmt: skip
    if not there:
        return None
    drawn = [s for s in seen if any(s.shares(m, name) for name in there for m in MOMENTS)]
    columns: dict[str, Sequence[Any]] = {}
    traces: list[Trace] = []
    for one in drawn:
        for name in there:
            for moment in MOMENTS:
                if shares := one.shares(moment, name):
                    key = f"{one.recipe.index}/{name}/{moment}"
                    columns[f"{key}/x"] = list(range(1, len(shares) + 1))
                    columns[f"{key}/y"] = [math.sqrt(share) for _, share in shares]
                    columns[f"{key}/told"] = [
                        f"behind {escaped(layer)}: {share:.3g} %" for layer, share in shares
                    ]
                    traces.append(_line(one.recipe, key, name, moment))
    everyone = {one.recipe.index for one in drawn}
    start = next(name for name in there if any(drawn[0].shares(m, name) for m in MOMENTS))
    options = [Option(name, MEASURES[name][0]) for name in there]
    return Figure(
        id="units",
        title="What the units do",
        summary="Shares of dead units, zero outputs and saturated outputs by layer: "
        + "; ".join(_spoken(one, start) for one in drawn if one.shares("end", start)),
        note=_note(content, there),
        height={"wide": 400, "narrow": 380},
        traces=traces,
        layout=_layout(drawn, there),
        columns=columns,
        controls=[Control("measure", "Show", options, value=start), *boxes(drawn, everyone)],
        keys=[*keys(drawn), Key("at the end", stroke="thin"), Key("at the start", stroke="dash")],
        tables=[_table(drawn, there)],
    )


def _line(recipe: RecipeResult, key: str, measure: str, moment: str) -> Trace:
    style, end = look(recipe.index), moment == "end"
    return {
        "group": str(recipe.index),
        "when": {"measure": [measure]},
        "name": escaped(recipe.name),
        "mode": "lines+markers",
        "x": column(f"{key}/x"),
        "y": column(f"{key}/y"),
        "customdata": column(f"{key}/told"),
        "line": {
            "color": style.colour,
            "width": 2 if end else 1.5,
            "dash": "solid" if end else "dot",
        },
        "marker": {
            "color": style.colour if end else "--ground",
            "symbol": style.mark,
            "size": 9 if end else 7,
            "line": {"color": style.colour, "width": 1.5},
        },
        "cliponaxis": False,
        "hovertemplate": f"<b>%{{fullData.name}}</b>, {MOMENTS[moment].lower()}<br>"
        "%{customdata}<extra></extra>",
    }


def _layout(drawn: Sequence[Seen], there: Sequence[str]) -> dict[str, Any]:
    names = {
        tuple(layer for layer, _ in one.shares(moment, measure))
        for one in drawn
        for moment in MOMENTS
        for measure in there
    } - {()}
    longest = max(map(len, names))
    axis: dict[str, Any] = {"title": {"text": "Activation, first to last"}, "dtick": 1}
    axis["range"] = [0.7, longest + 0.3]
    if len(names) == 1 and longest <= MOST_NAMES:
        (layers,) = names
        axis |= {
            "title": {"text": "Activation behind"},
            "tickvals": list(range(1, longest + 1)),
            "ticktext": [escaped(words.cut(layer, 16)) for layer in layers],
        }
    elif longest > MOST_NAMES:
        axis["dtick"] = 5 if longest > 2 * MOST_NAMES else 2
    titles = {name: MEASURES[name][1] for name in there}
    return {
        "xaxis": axis,
        "yaxis": {
            "title": {"text": by("measure", **titles)},
            "range": [-0.3, 10.3],
            "tickvals": [math.sqrt(share) for share in TICKS],
            "ticktext": [str(share) for share in TICKS],
        },
        "margin": {"l": 62, "r": 18, "t": 12, "b": 56},
    }


def _note(content: Content, there: Sequence[str]) -> str:
    flat = number(mapping(content.get("about")).get("flat")) or 0.0
    told = []
    if "dead" in there:
        told.append(
            "A unit is dead where its ReLU gives 0 for every image (a channel of a convolution: "
            "at every place too): it passes nothing on, and no gradient comes back through it."
        )
    if "saturated" in there:
        told.append(
            "An output of tanh or sigmoid is saturated where the slope there is less than "
            f"{100 * flat:g} % of the steepest: |tanh| above {(1 - flat) ** 0.5:.3f}."
        )
    told.append("At the start, batch norm looks at these very images.")
    return " ".join([*told, "The axis is one of square roots, so that small shares are seen."])


def _spoken(one: Seen, measure: str) -> str:
    shares = ", ".join(f"{layer} {share:.0f} %" for layer, share in one.shares("end", measure))
    return f"{one.recipe.name} at the end: {shares}"


def _table(drawn: Sequence[Seen], there: Sequence[str]) -> Table:
    rows = []
    for one in drawn:
        for name in there:
            start, end = (dict(one.shares(moment, name)) for moment in MOMENTS)
            for layer in start | end:
                rows.append(
                    [
                        Cell(one.recipe.name, head=True, recipe=one.recipe.index),
                        Cell(layer),
                        Cell(MEASURES[name][0]),
                        *(share_cell(found.get(layer)) for found in (start, end)),
                    ]
                )
    header = ["Recipe", "Activation behind", "Share of", "Start, %", "End, %"]
    return Table("Units by layer", header, rows)


def share_cell(percent: float | None) -> Cell:
    """A share in percent, as a cell."""
    shown = words.MISSING if percent is None else f"{percent:.3g}"
    return Cell(shown, percent, numeric=True)
