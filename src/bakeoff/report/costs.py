"""What each recipe costs against what it gives, with the front no recipe is better than."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bakeoff.report import words
from bakeoff.report.axes import log_range, log_ticks, near, reference_lines, scale_control
from bakeoff.report.palette import look
from bakeoff.report.results import RecipeResult, Results, Score
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
    on_screen,
)
from bakeoff.report.values import Range

# The plot's size in pixels that labels are placed for, and what a letter takes there.
_CANVAS = (560.0, 340.0)
_LETTER, _LINE = 7.0, 16.0


@dataclass(frozen=True)
class Price:
    """One kind of cost: where it stands, what it is called, how it is written."""

    key: str
    label: str
    axis: str
    write: Callable[[float | None], str]
    base: int = 10

    def of(self, recipe: RecipeResult) -> float | None:
        """A recipe's cost of this kind."""
        value = recipe.cost.get(self.key)
        if self.key == "train_seconds" and value is not None:
            return value + (recipe.cost.get("upstream_seconds") or 0.0)
        if self.key == "evaluate_examples_per_second":
            return 1000 / value if value else None
        return value

    def cell(self, recipe: RecipeResult) -> Cell:
        """Of a table; with a note where it is no price."""
        value = self.of(recipe)
        note = "not measured alone" if value and self.key in recipe.rough else ""
        return Cell(self.write(value), value, numeric=True, note=note)


TRAINING = Price("train_seconds", "training time", "Training time", words.duration, 60)
PRICES = (
    TRAINING,
    Price(
        "evaluate_examples_per_second",
        "prediction time for 1,000 examples",
        "Time to predict 1,000 examples",
        words.duration,
    ),
    Price("macs_per_example", "MACs per example", "Multiply-accumulates per example", words.big),
    Price("parameters", "parameters", "Parameters", words.big),
    Price("trained_parameters", "trained parameters", "Trained parameters", words.big),
    Price("peak_bytes", "memory", "Peak memory", words.size, 2),
)

MOMENTS = Price("optimiser_bytes", "optimiser's memory", "Memory of the optimiser", words.size, 2)
"""Beside the others in the table, where recipes differ in it."""
CHOOSING = Price(
    "tuning_seconds", "time to choose settings", "Time to choose settings", words.duration
)
"""Beside the others in the table, where settings were searched."""


@dataclass(frozen=True)
class Point:
    """A recipe with a score and a price."""

    recipe: RecipeResult
    score: Score
    x: float  # on the axis: a price of nothing stands at its left edge
    y: float
    free: bool


def figure(results: Results) -> Figure | None:
    """Score against cost; None where no recipe has both."""
    metric = results.judged_by
    offered = [(price, points(results, price)) for price in PRICES]
    offered = [(price, found) for price, found in offered if found]
    if not offered:
        return None
    priced = {p.recipe.name for _, found in offered for p in found}
    recipes = {recipe.name: recipe for recipe in results.recipes if recipe.name in priced}
    close = _close_range(results, [s for r in recipes.values() if (s := results.score(r))], metric)
    far = {name for name, r in recipes.items() if close and _is_far(results, r, close, metric)}
    columns: dict[str, list[object]] = {}
    for price, found in offered:
        columns |= _columns(price, found, far, results, metric)
    traces = [_front_trace(), *(_trace(r, name in far) for name, r in recipes.items())]
    options = [Option(price.key, price.label) for price, _ in offered]
    controls = [Control("price", "Cost", options, value=options[0].value)]
    if close:
        controls.append(scale_control("control"))
    return Figure(
        id="cost",
        title="What it costs, what it gives",
        summary=_summary(results, offered[0][0], offered[0][1], metric),
        note=_note(results, offered),
        height={"wide": 440, "narrow": 400},
        traces=traces,
        layout=_layout(results, offered, metric, close, far),
        columns=columns,
        controls=controls,
        fixed={} if close else {"scale": "all"},
        keys=[*(Key(r.name, recipe=r.index) for r in recipes.values()), _front_key()],
        tables=(_table(results, metric),),
    )


def points(results: Results, price: Price) -> list[Point]:
    """The recipes that have a score and a price of this kind, from the cheapest."""
    priced = [
        (recipe, score, cost)
        for recipe in results.recipes
        if (score := results.score(recipe)) is not None
        and score.mean is not None
        and (cost := price.of(recipe)) is not None
        and cost >= 0
    ]
    paid = [cost for _, _, cost in priced if cost > 0]
    if not paid:
        return []
    edge = min(paid) / 4
    found = [
        Point(recipe, score, cost if cost > 0 else edge, score.mean or 0.0, cost == 0)
        for recipe, score, cost in priced
    ]
    return sorted(found, key=lambda point: (point.x, point.recipe.index))


def front(found: Sequence[Point], direction: str) -> list[Point]:
    """The points that none beats in both cost and score, from the cheapest."""
    sign = -1.0 if direction == "min" else 1.0
    best, kept = -math.inf, []
    for point in sorted(found, key=lambda p: (p.x, -sign * p.y)):
        if sign * point.y > best:
            best = sign * point.y
            kept.append(point)
    return kept


def _columns(
    price: Price, found: Sequence[Point], far: set[str], results: Results, metric: words.Metric
) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {}
    for point in found:
        key, scale = f"{price.key}/{point.recipe.index}", metric.scale
        low, high = point.score.ci95 or (point.y, point.y)
        columns |= {
            f"{key}/x": [point.x],
            f"{key}/y": [point.y * scale],
            f"{key}/up": [(high - point.y) * scale],
            f"{key}/down": [(point.y - low) * scale],
            f"{key}/hover": [_hover(point, price, metric)],
        }
    for scale_, shown in (
        ("all", found),
        ("close", [p for p in found if p.recipe.name not in far]),
    ):
        for point, place in zip(shown, placements(shown), strict=True):
            key = f"{price.key}/{point.recipe.index}/{scale_}"
            label = escaped(words.cut(point.recipe.name, 24)) if place else ""
            columns |= {f"{key}/place": [place or "top right"], f"{key}/label": [label]}
    steps = front(found, results.direction)
    columns[f"{price.key}/front/x"] = [point.x for point in steps]
    columns[f"{price.key}/front/y"] = [point.y * metric.scale for point in steps]
    return columns


def placements(found: Sequence[Point]) -> list[str | None]:
    """Where each label stands so that none covers another, a marker or a bar; None: no room."""
    xs = [math.log10(point.x) for point in found]
    bars = [point.score.ci95 or (point.y, point.y) for point in found]
    ys = [point.y for point in found]
    ends = [end for bar in bars for end in bar] + ys
    across = [_place(x, xs) * _CANVAS[0] for x in xs]
    up = [_place(y, ends) * _CANVAS[1] for y in ys]
    pixels = list(zip(across, up, strict=True))
    taken = [(x - 9, y - 9, x + 9, y + 9) for x, y in pixels]
    for x, bar in zip(across, bars, strict=True):
        low, high = (_place(end, ends) * _CANVAS[1] for end in bar)
        taken.append((x - 3, low, x + 3, high))
    chosen: list[str | None] = []
    for i, point in enumerate(found):
        width = _LETTER * len(words.cut(point.recipe.name, 24))
        x, y = pixels[i]
        others = taken[:i] + taken[i + 1 :]
        spot = next((s for s in _spots(x, y, width) if _fits(s[1], others)), None)
        chosen.append(spot[0] if spot else None)
        if spot:
            taken.append(spot[1])
    return chosen


Box = tuple[float, float, float, float]


def _spots(x: float, y: float, width: float) -> list[tuple[str, Box]]:
    return [
        ("top right", (x + 5, y + 6, x + 5 + width, y + 6 + _LINE)),
        ("bottom right", (x + 5, y - 6 - _LINE, x + 5 + width, y - 6)),
        ("top left", (x - 5 - width, y + 6, x - 5, y + 6 + _LINE)),
        ("bottom left", (x - 5 - width, y - 6 - _LINE, x - 5, y - 6)),
    ]


def _fits(box: Box, others: Sequence[Box]) -> bool:
    inside = box[0] >= 0 and box[2] <= _CANVAS[0]
    return inside and not any(
        box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in others
    )


def _place(value: float, values: Sequence[float]) -> float:
    """0.1 to 0.9 between the smallest and the largest."""
    low, high = min(values), max(values)
    return 0.5 if high == low else 0.1 + 0.8 * (value - low) / (high - low)


def _is_far(results: Results, recipe: RecipeResult, close: Range, metric: words.Metric) -> bool:
    score = results.score(recipe)
    mean = (score.mean if score else None) or 0.0
    return not close[0] <= mean * metric.scale <= close[1]


def _trace(recipe: RecipeResult, far: bool) -> Trace:
    """One recipe's point; what is far from the control is left out of the closer view."""
    key, style = f"{{price}}/{recipe.index}", look(recipe.index)
    bars = {"type": "data", "symmetric": False, "array": column(f"{key}/up")}
    seen = {"when": {"scale": ["all"]}} if far else {}
    return {
        **seen,
        "mode": on_screen("markers+text", "markers"),
        "x": column(f"{key}/x"),
        "y": column(f"{key}/y"),
        "text": column(f"{key}/{{scale}}/label"),
        "textposition": column(f"{key}/{{scale}}/place"),
        "hovertext": column(f"{key}/hover"),
        "hoverinfo": "text",
        "cliponaxis": False,
        "error_y": {
            **bars,
            "arrayminus": column(f"{key}/down"),
            "color": style.colour,
            "thickness": 1.5,
            "width": 4,
        },
        "marker": {
            "color": style.colour,
            "symbol": style.mark,
            "size": 13,
            "line": {"color": "--ground", "width": 1.5},
        },
    }


def _front_trace() -> Trace:
    return {
        "mode": "lines",
        "x": column("{price}/front/x"),
        "y": column("{price}/front/y"),
        "line": {"color": "--faint", "width": 1.5, "dash": "dot", "shape": "hv"},
        "hoverinfo": "skip",
    }


def _front_key() -> Key:
    return Key("Pareto front: nothing is both cheaper and better", stroke="dash")


def _hover(point: Point, price: Price, metric: words.Metric) -> str:
    cost = price.write(0.0 if point.free else point.x)
    return (
        f"<b>{escaped(point.recipe.name)}</b><br>{metric.words}: {metric.score(point.y)}"
        f"<br>95 % interval: {metric.range(point.score.ci95)}"
        f"<br>{price.label}: {cost}"
    )


def _close_range(results: Results, scores: Sequence[Score], metric: words.Metric) -> Range | None:
    """The scores around the control's, without outliers; None where there are no outliers."""
    control = results.recipe(results.control)
    own = results.score(control) if control else None
    return near(
        [(score.mean, score.ci95) for score in scores if score.mean is not None],
        own.mean if own else None,
        results.margin,
        metric.scale,
    )


def _layout(
    results: Results,
    offered: Sequence[tuple[Price, list[Point]]],
    metric: words.Metric,
    close: Range | None,
    far: set[str],
) -> dict[str, object]:
    lines, notes = reference_lines(results, metric, "y")
    better = "lower is better" if results.direction == "min" else "higher is better"
    vertical: dict[str, object] = {"title": {"text": f"{words.first_upper(metric.axis)}, {better}"}}
    horizontal = {price.key: _axis(price, found) for price, found in offered}
    axis: object = by("price", **horizontal)
    if close:
        left = {
            price.key: _axis(price, [p for p in found if p.recipe.name not in far] or found)
            for price, found in offered
        }
        axis = by("scale", close=by("price", **left), all=axis)
        vertical |= {
            "range": by("scale", close=list(close), all=None),
            "autorange": by("scale", close=False, all=True),
        }
        notes.append(_left_out(results, metric, far))
    return {
        "xaxis": axis,
        "yaxis": vertical,
        "shapes": lines,
        "annotations": notes,
        "margin": {"l": 64, "r": 20, "t": 16, "b": 56},
    }


def _axis(price: Price, found: Sequence[Point]) -> dict[str, object]:
    span = log_range([point.x for point in found])
    title = {"text": f"{price.axis} (logarithmic), left is cheaper"}
    ticks = log_ticks(span, price.write, price.base)
    return {"type": "log", "range": list(span), "title": title, **ticks}


def _left_out(results: Results, metric: words.Metric, far: set[str]) -> dict[str, object]:
    """Who is too far away to be drawn in the closer view."""
    listed = [
        f"{escaped(words.cut(recipe.name, 20))} {metric.score(score.mean)}"
        for recipe in results.recipes
        if recipe.name in far and (score := results.score(recipe)) is not None
    ]
    return {
        "text": f"far outside: {words.joined(listed)}",
        "visible": by("scale", close=True, all=False),
        "xref": "paper",
        "yref": "paper",
        "x": 0.99,
        "y": 0.015,
        "xanchor": "right",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"color": "--muted", "size": 12},
    }


def _note(results: Results, offered: Sequence[tuple[Price, list[Point]]]) -> str:
    parts = [
        f"Bars are 95 % intervals of the mean over {results.unit}s. A recipe away from the "
        "dotted front is beaten by one that is cheaper and at least as good."
    ]
    free = sorted({p.recipe.name for _, found in offered for p in found if p.free})
    if free:
        parts.append(
            f"The cost axis is logarithmic; {words.joined(free)} costs nothing in some unit and "
            "stands at the left edge there."
        )
    if any(recipe.cost.get("upstream_seconds") for recipe in results.recipes):
        parts.append("Training time includes that of the recipes whose results were used.")
    if not results.costs_alone:
        parts.append(
            "The cells did not have the machine to themselves, so the seconds are no fair price: "
            "read them as rough sizes."
        )
    return " ".join(parts)


def _summary(results: Results, price: Price, found: Sequence[Point], metric: words.Metric) -> str:
    listed = [
        f"{p.recipe.name} {metric.score(p.y)} for {price.write(0.0 if p.free else p.x)}"
        for p in found
    ]
    best = words.joined([p.recipe.name for p in front(found, results.direction)])
    return (
        f"Scatter plot of {metric.words} against {price.label}: {'; '.join(listed)}. "
        f"On the Pareto front: {best}."
    )


def _table(results: Results, metric: words.Metric) -> Table:
    header = ["Recipe", words.first_upper(metric.axis), "95 % interval"]
    known = {value for recipe in results.recipes if (value := MOMENTS.of(recipe)) is not None}
    prices = [*PRICES, *([MOMENTS] if len(known) > 1 else [])]
    if any(CHOOSING.of(recipe) for recipe in results.recipes):
        prices.append(CHOOSING)
    header += [words.first_upper(price.label) for price in prices]
    rows = []
    for recipe in results.recipes:
        score = results.score(recipe)
        mean = score.mean if score else None
        row = [
            Cell(recipe.name, head=True, recipe=recipe.index),
            Cell(metric.bare(mean), mean, numeric=True),
            Cell(metric.range(score.ci95 if score else None), numeric=True),
        ]
        rows.append([*row, *(price.cell(recipe) for price in prices)])
    return Table("Scores and costs", header, rows)
