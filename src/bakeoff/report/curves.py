"""Learning curves: means over seeds with their bands, training beside validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.measures import bare
from bakeoff.core.tasks import TASKS
from bakeoff.report import words
from bakeoff.report.folder import FinishedCell, RunFolder, metric_rows
from bakeoff.report.palette import look
from bakeoff.report.results import RecipeResult, Results
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
from bakeoff.report.values import number, text

Floats = NDArray[np.float64]
MOST_POINTS = 160
FEWEST_POINTS = 20
ROOM = 36_000  # numbers that all curves of a page may take
MOST_TABLE_ROWS = 30
AXES = {"step": "Step", "epoch": "Epoch", "seconds": "Seconds of training"}
PANELS = {"train": "training", "validation": "validation"}
_SAME = {task.loss: "loss" for task in TASKS.values()}
"""What a task's loss is as a metric."""


@dataclass(frozen=True)
class Line:
    """One quantity of one cell in one phase."""

    steps: Floats  # (N,), rising
    values: Floats  # (N,), NaN where a row has none


@dataclass(frozen=True)
class Phase:
    """All curves of one recipe in one phase.

    Args:
        axes: Per cell, `step`, `epoch` and `seconds` (N,) of its rows.
        lines: Per split and quantity, one line a cell.
    """

    axes: tuple[Mapping[str, Floats], ...]
    lines: Mapping[tuple[str, str], tuple[Line, ...]]

    def shared(self, most: int) -> Floats:
        """The steps every seed has a row for, thinned."""
        steps = self.axes[0]["step"]
        for other in self.axes[1:]:
            steps = np.intersect1d(steps, other["step"])
        return thinned(steps, most)


@dataclass(frozen=True)
class Curves:
    """The curves of a recipe by phase."""

    recipe: RecipeResult
    phases: Mapping[str, Phase]


def read(run: RunFolder) -> list[Curves]:
    """The curves of every recipe that has any."""
    found = []
    for recipe in run.results.recipes:
        phases = _phases(run.cells.get(recipe.name, ()))
        if phases:
            found.append(Curves(recipe, phases))
    return found


def _phases(cells: Sequence[FinishedCell]) -> dict[str, Phase]:
    rows_by_phase: dict[str, list[list[dict[str, Any]]]] = {}
    for cell in cells:
        own: dict[str, list[dict[str, Any]]] = {}
        for row in metric_rows(cell):
            if number(row.get("step")) is not None:
                own.setdefault(text(row.get("phase"), "train"), []).append(row)
        for name, rows in own.items():
            rows.sort(key=lambda row: number(row["step"]) or 0.0)
            rows_by_phase.setdefault(name, []).append(rows)
    return {name: _phase(rows) for name, rows in rows_by_phase.items()}


def _phase(cells: list[list[dict[str, Any]]]) -> Phase:
    axes = [{axis: _values(rows, axis) for axis in AXES} for rows in cells]
    names = list(dict.fromkeys(name for rows in cells for row in rows for name in row))
    lines = {}
    for name in names:
        split, _, bare = name.rpartition("/")
        place = (split, _SAME.get(bare, bare)) if split else ("train", name)
        if name in {"phase", *AXES} or place[0] not in PANELS or place in lines:
            continue
        drawn = tuple(
            Line(axis["step"], _values(rows, name)) for axis, rows in zip(axes, cells, strict=True)
        )
        if any(np.isfinite(line.values).any() for line in drawn):
            lines[place] = drawn
    return Phase(tuple(axes), lines)


def _values(rows: list[dict[str, Any]], name: str) -> Floats:
    found = [number(row.get(name)) for row in rows]
    return np.array([np.nan if value is None else value for value in found])


def thinned(steps: Floats, most: int) -> Floats:
    """At most so many of the steps, evenly, the first and the last among them."""
    if len(steps) <= most:
        return steps
    places = np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))
    return np.asarray(steps[places])


def at_steps(steps: Floats, line_steps: Floats, values: Floats) -> Floats:
    """The values of a line at some of its steps (of equal steps the last row's)."""
    place = np.searchsorted(line_steps, steps, side="right") - 1
    return np.asarray(values[place])


def bands(values: Floats) -> dict[str, Floats]:
    """Mean, smallest, largest, and the mean's 95 % t-interval over seeds, each (N,).

    Args:
        values: (seeds, N), NaN where a seed has none: such points are left out.
    """
    n = len(values)
    mean = values.mean(axis=0)
    spread = values.std(axis=0, ddof=1) if n > 1 else np.zeros_like(mean)
    half = words.t_quantile(n - 1) * spread / np.sqrt(n) if n > 1 else spread
    return {
        "mean": mean,
        "range/low": values.min(axis=0),
        "range/high": values.max(axis=0),
        "interval/low": mean - half,
        "interval/high": mean + half,
    }


def figure(run: RunFolder) -> Figure | None:
    """The learning curves; None where no recipe has any."""
    found = read(run)
    if not found:
        return None
    shown = [name for name in _quantities(found) if run.results.shares_a_column(name)]
    quantities, unit = [run.results.metric_of(name) for name in shown], _unit(run)
    phases = list(dict.fromkeys(name for curves in found for name in curves.phases))
    phase = max(phases, key=lambda name: sum(name in curves.phases for curves in found))
    columns: dict[str, Sequence[Any]] = {}
    most = _points(found)
    for curves in found:
        for name, content in curves.phases.items():
            columns |= _columns(f"{phases.index(name)}/{curves.recipe.index}", content, most)
    judged = bare(run.results.metric)
    start = _SAME.get(judged, judged)
    start = start if start in shown else shown[0]
    fixed = {} if len(phases) > 1 else {"phase": "0"}
    controls = _controls(found, quantities, start, phases, phase)
    controls.insert(2, _bands(run.results, unit))
    return Figure(
        id="curves",
        title="How they learn",
        summary=_summary(found, phase, start, unit),
        note=_note(run, found),
        height={"wide": 430, "narrow": 640},
        traces=[trace for curves in found for trace in _traces(curves)],
        layout=_layout(quantities),
        columns=columns,
        controls=controls,
        fixed=fixed,
        keys=() if len(found) > 1 else [Key(found[0].recipe.name, recipe=found[0].recipe.index)],
        tables=[table for curves in found for table in _tables(curves, unit)],
    )


def _unit(run: RunFolder) -> str:
    """What a line is of: `seed`, `fold`, or `cell` where folds have several seeds."""
    several = any(len(recipe.seeds) > 1 for recipe in run.results.recipes)
    return "cell" if run.results.folds and several else run.results.unit


def _bands(results: Results, unit: str) -> Control:
    """What may be drawn around a mean; folds are not independent, so they have no interval here."""
    interval = [] if results.folds else [Option("interval", "95 % interval of the mean")]
    options = [
        Option("range", f"smallest to largest {unit}"),
        *interval,
        Option("seeds", f"each {unit}"),
        Option("none", "none"),
    ]
    return Control("band", "Band", options, value="range")


def _points(found: list[Curves]) -> int:
    """Points a line may have so that all of them stay within the page's room."""
    drawn = [phase for curves in found for phase in curves.phases.values()]
    lines = sum(len(phase.lines) * (5 + len(phase.axes)) for phase in drawn)
    return max(FEWEST_POINTS, min(MOST_POINTS, ROOM // max(lines, 1)))


def _quantities(found: list[Curves]) -> list[str]:
    """What can be drawn: losses first, the rest as found, the learning rate last."""
    pairs = [p for curves in found for phase in curves.phases.values() for p in phase.lines]
    names = list(dict.fromkeys(name for _, name in pairs))
    return sorted(names, key=lambda name: (name == "learning_rate", name != "loss"))


def _scale(quantity: str) -> float:
    return words.Metric(quantity).scale


def _columns(key: str, phase: Phase, most: int) -> dict[str, Sequence[Any]]:
    steps = phase.shared(most)
    columns: dict[str, Sequence[Any]] = {}
    for axis in AXES:
        at = np.array([at_steps(steps, own["step"], own[axis]) for own in phase.axes])
        columns[f"{key}/{axis}"] = at.mean(axis=0).tolist()
    for (split, quantity), lines in phase.lines.items():
        at = np.array([at_steps(steps, line.steps, line.values) for line in lines])
        name = f"{key}/{split}/{quantity}"
        for kind, values in bands(at * _scale(quantity)).items():
            columns[f"{name}/{kind}"] = values.tolist()
        columns[f"{name}/last"] = columns[f"{name}/mean"][-1:]
        for seed, (own, line) in enumerate(zip(phase.axes, lines, strict=True)):
            kept = thinned(own["step"], most)
            values = at_steps(kept, line.steps, line.values) * _scale(quantity)
            columns[f"{name}/seed{seed}"] = values.tolist()
            for axis in AXES:
                along = at_steps(kept, own["step"], own[axis])
                columns[f"{key}/seed{seed}/{axis}"] = along.tolist()
    for axis in AXES:
        columns[f"{key}/{axis}/last"] = columns[f"{key}/{axis}"][-1:]
    return columns


def _traces(curves: Curves) -> list[Trace]:
    """Bands, seeds, mean and end mark of one recipe in both panels."""
    recipe, style = curves.recipe, look(curves.recipe.index)
    base = f"{{phase}}/{recipe.index}"
    seed_count = max(len(phase.axes) for phase in curves.phases.values())
    traces: list[Trace] = []
    for panel, split in enumerate(PANELS):
        number_ = "" if panel == 0 else "2"
        shared = {"group": str(recipe.index), "xaxis": f"x{number_}", "yaxis": f"y{number_}"}
        shared |= {"name": escaped(recipe.name), "mode": "lines", "hoverinfo": "skip"}
        quantity = f"{base}/{split}/{{quantity}}"
        x = column(f"{base}/{{x}}")
        edge = {**shared, "x": x, "line": {"width": 0}, "when": {"band": ["range", "interval"]}}
        traces += [
            {**edge, "y": column(f"{quantity}/{{band}}/high")},
            {
                **edge,
                "y": column(f"{quantity}/{{band}}/low"),
                "fill": "tonexty",
                "fillcolor": style.band,
            },
        ]
        thin = {"color": style.colour, "width": 1}
        traces += [
            {
                **shared,
                "x": column(f"{base}/seed{seed}/{{x}}"),
                "y": column(f"{quantity}/seed{seed}"),
                "line": thin,
                "opacity": 0.5,
                "when": {"band": ["seeds"]},
            }
            for seed in range(seed_count)
        ]
        hover = "<b>%{fullData.name}</b><br>%{xaxis.title.text} %{x}: %{y:.5~g}<extra></extra>"
        traces += [
            {
                **shared,
                "x": x,
                "y": column(f"{quantity}/mean"),
                "line": {"color": style.colour, "width": 2.25},
                "hovertemplate": hover,
                "hoverinfo": "all",
            },
            {
                **shared,
                "mode": "markers",
                "x": column(f"{base}/{{x}}/last"),
                "y": column(f"{quantity}/last"),
                "marker": {"color": style.colour, "symbol": style.mark, "size": 9},
                "cliponaxis": False,
            },
        ]
    return traces


def _layout(quantities: Sequence[words.Metric]) -> dict[str, Any]:
    names = {metric.name: words.first_upper(metric.axis) for metric in quantities}
    title = {"text": by("quantity", **names)}
    bottom = {"text": by("x", **AXES)}
    panel = {"yref": "paper", "xref": "paper", "showarrow": False, "xanchor": "left"}
    panel |= {"yanchor": "bottom", "font": {"size": 13, "color": "--muted"}}
    kind = by("rise", linear="linear", log="log")
    return {
        "xaxis": {"domain": on_screen([0, 0.485], [0, 1]), "anchor": "y", "title": bottom},
        "xaxis2": {
            "domain": on_screen([0.515, 1], [0, 1]),
            "anchor": "y2",
            "title": bottom,
            "matches": "x",
        },
        "yaxis": {"domain": on_screen([0, 0.95], [0.57, 0.97]), "title": title, "type": kind},
        "yaxis2": {
            "domain": on_screen([0, 0.95], [0, 0.41]),
            "anchor": "x2",
            "matches": "y",
            "type": kind,
            "showticklabels": on_screen(False, True),
        },
        "annotations": [
            {**panel, "x": 0, "y": on_screen(0.96, 0.98), "text": "<b>Training</b> examples"},
            {
                **panel,
                "x": on_screen(0.515, 0),
                "y": on_screen(0.96, 0.42),
                "text": "<b>Validation</b> examples",
            },
        ],
        "margin": {"l": 60, "r": 12, "t": 8, "b": 52},
    }


def _controls(
    found: list[Curves],
    quantities: Sequence[words.Metric],
    start: str,
    phases: Sequence[str],
    phase: str,
) -> list[Control]:
    shown = [Option(metric.name, metric.word) for metric in quantities]
    rises = (Option("linear", "linear"), Option("log", "logarithmic"))
    controls = [
        Control("quantity", "Quantity", shown, value=start),
        Control("x", "Along", [Option(key, key) for key in AXES], value="epoch"),
        Control("rise", "Scale", rises, value="linear"),
    ]
    if len(phases) > 1:
        options = [Option(str(i), name) for i, name in enumerate(phases)]
        controls.append(Control("phase", "Phase", options, value=str(phases.index(phase))))
    if len(found) > 1:
        boxes = [Option(str(c.recipe.index), c.recipe.name, c.recipe.index) for c in found]
        controls.append(Control("recipes", "Recipes", boxes, kind="boxes"))
    return controls


def _note(run: RunFolder, found: list[Curves]) -> str:
    unit = _unit(run)
    parts = [f"Lines are means over {unit}s. Both panels share their scales."]
    if any(_uneven(phase) for curves in found for phase in curves.phases.values()):
        parts.append(
            f"Means and bands end where the first {unit} stopped early; choose “each {unit}” "
            "to see the others go on."
        )
    drawn = {curves.recipe.name for curves in found}
    without = [recipe.name for recipe in run.results.recipes if recipe.name not in drawn]
    if without:
        verb = "has" if len(without) == 1 else "have"
        parts.append(
            f"{words.joined(without)} {verb} no curve here: not trained step by step, or the "
            "curve was not kept."
        )
    return " ".join(parts)


def _uneven(phase: Phase) -> bool:
    return len({axes["step"][-1] for axes in phase.axes if len(axes["step"])}) > 1


def _summary(found: list[Curves], phase: str, quantity: str, unit: str) -> str:
    metric = words.Metric(quantity)
    parts = []
    for curves in found:
        lines = curves.phases[phase].lines if phase in curves.phases else {}
        ends = [
            f"{PANELS[split]} {metric.score(_last_mean(lines[split, quantity]))}"
            for split in PANELS
            if (split, quantity) in lines
        ]
        if ends:
            parts.append(f"{curves.recipe.name} ends at {' and '.join(ends)}")
    return f"Learning curves of {metric.word}, means over {unit}s: {'; '.join(parts)}."


def _last_mean(lines: Sequence[Line]) -> float | None:
    return number(float(np.mean([line.values[-1] for line in lines])))


def _tables(curves: Curves, unit: str) -> list[Table]:
    return [
        _table(curves.recipe.name, name if len(curves.phases) > 1 else "", phase, unit)
        for name, phase in curves.phases.items()
    ]


def _table(recipe: str, name: str, phase: Phase, unit: str) -> Table:
    steps = phase.shared(MOST_TABLE_ROWS)
    header = ["Step", "Epoch", "Seconds"]
    columns = [
        np.mean([at_steps(steps, own["step"], own[axis]) for own in phase.axes], axis=0)
        for axis in AXES
    ]
    written = [
        [words.count(value) for value in columns[0]],
        [f"{value:g}" for value in columns[1]],
        [words.decimals(value) for value in columns[2]],
    ]
    for (split, quantity), lines in phase.lines.items():
        metric = words.Metric(quantity)
        values = np.array([at_steps(steps, line.steps, line.values) for line in lines])
        where = "" if quantity == "learning_rate" else f", {PANELS[split]}"
        header.append(f"{words.first_upper(metric.axis)}{where}")
        written.append([metric.bare(number(float(value))) for value in values.mean(axis=0)])
    rows = [
        [Cell(entry, numeric=True, head=i == 0) for i, entry in enumerate(row)]
        for row in zip(*written, strict=True)
    ]
    title = " · ".join(filter(None, [recipe, name]))
    return Table(f"{title}: means over {words.plural(len(phase.axes), unit)}", header, rows)
