"""What was tried on validation before anything was compared, and what of it was chosen."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bakeoff.core.measures import scale_of
from bakeoff.report import words
from bakeoff.report.axes import log_range, log_ticks
from bakeoff.report.palette import look
from bakeoff.report.results import RecipeResult, Results
from bakeoff.report.spec import Cell, Control, Figure, Key, Option, Table, Trace, column, escaped
from bakeoff.report.values import listing, mapping, number, text

WIDE = 8.0
"""Values whose ends are further apart than this factor stand on a logarithmic axis."""


class Tried(NamedTuple):
    """What a combination of values came to."""

    values: dict[str, Any]
    mean: float | None
    """Of the study's metric on validation; None: it diverged."""
    seeds: int


def figure(results: Results) -> Figure | None:
    """The score against each field that was tried with several numbers; None where none was.

    Where several fields were crossed, each value shows the best of what it was tried with.
    """
    found = {recipe.index: _tried(recipe) for recipe in results.recipes if recipe.search}
    fields = _fields([trial for trials in found.values() for trial in trials])
    if not fields:
        return None
    metric = _metric(results)
    means = [t.mean for trials in found.values() for t in trials if t.mean is not None]
    columns: dict[str, Sequence[Any]] = {}
    traces: list[Trace] = []
    for recipe in results.recipes:
        for path in fields:
            places, best = _profile(found.get(recipe.index, []), path, results.direction)
            if len(places) < 2:
                continue
            key = f"{recipe.index}/{path}"
            columns |= {f"{key}/x": places, f"{key}/y": [metric.scale * mean for mean in best]}
            chosen = places.index(float(mapping(recipe.search.get("values"))[path]))
            columns |= {f"{key}/x/at": places[chosen : chosen + 1]}
            columns |= {f"{key}/y/at": columns[f"{key}/y"][chosen : chosen + 1]}
            traces += _line(recipe, key, path)
    drawn = [r for r in results.recipes if any(trace["group"] == str(r.index) for trace in traces)]
    if not drawn:
        return None
    return Figure(
        id="searched",
        title="What was tried",
        summary=" ".join(text(recipe.search.get("sentence")) for recipe in drawn),
        note="Means over trials; what diverged is left out. The large mark is what was chosen."
        + (" Of several fields, the best of what a value was tried with." if fields[1:] else ""),
        height={"wide": 380, "narrow": 360},
        traces=traces,
        layout={
            "xaxis": {"by": "field", "of": {path: _axis(path, found) for path in fields}},
            "yaxis": _score_axis(metric, means),
            "margin": {"l": 64, "r": 14, "t": 10, "b": 50},
        },
        columns=columns,
        controls=_controls(fields, drawn),
        fixed={} if fields[1:] else {"field": fields[0]},
        keys=[] if len(drawn) > 1 else [Key(r.name, recipe=r.index) for r in drawn],
        tables=(_table(results),),
    )


def table(results: Results) -> Table | None:
    """A row for each combination of values, the chosen one marked; None where nothing was tried."""
    found = _table(results)
    return found if found.rows else None


def _table(results: Results) -> Table:
    rows = [row for recipe in results.recipes for row in _rows(recipe, _metric(results))]
    header = ["Recipe", "Tried", words.first_upper(_metric(results).words), "Seeds", "Chosen"]
    return Table("What was tried on validation", header, rows)


def _rows(recipe: RecipeResult, metric: words.Metric) -> Iterator[list[Cell]]:
    chosen = mapping(recipe.search.get("values"))
    for values, mean, seeds in _tried(recipe):
        yield [
            Cell(recipe.name, head=True, recipe=recipe.index),
            Cell(", ".join(f"{path} {value}" for path, value in values.items())),
            Cell("diverged" if mean is None else metric.score(mean), mean, numeric=True),
            Cell(words.count(seeds), seeds, numeric=True),
            Cell("yes" if values == chosen else ""),
        ]


def _metric(results: Results) -> words.Metric:
    return words.Metric(
        f"validation/{results.metric.partition('/')[2]}", results.judged_by.protocol
    )


def _tried(recipe: RecipeResult) -> list[Tried]:
    trials = map(mapping, listing(recipe.search.get("trials")))
    return [
        Tried(mapping(t.get("values")), number(t.get("mean")), len(listing(t.get("scores"))))
        for t in trials
    ]


def _fields(trials: Sequence[Tried]) -> list[str]:
    """Those that were tried with several numbers, and with nothing else."""
    paths = dict.fromkeys(path for trial in trials for path in trial.values)
    return [path for path in paths if len(set(_numbers(path, trials))) > 1]


def _numbers(path: str, trials: Sequence[Tried]) -> list[float]:
    """The values of a field; none where one of them is no number."""
    values = [trial.values[path] for trial in trials if path in trial.values]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return []
    return [float(value) for value in values]


def _profile(trials: Sequence[Tried], path: str, direction: str) -> tuple[list[float], list[float]]:
    """The values of a field in order, and the best mean that each had."""
    best = max if direction == "max" else min
    means: dict[float, list[float]] = {}
    for trial in trials:
        if path in trial.values and trial.mean is not None:
            means.setdefault(float(trial.values[path]), []).append(trial.mean)
    places = sorted(means)
    return places, [best(means[place]) for place in places]


def _axis(path: str, found: dict[int, list[Tried]]) -> dict[str, Any]:
    return _spread(path, _numbers(path, [trial for trials in found.values() for trial in trials]))


def _score_axis(metric: words.Metric, means: Sequence[float]) -> dict[str, Any]:
    """Logarithmic where differences are factors: one rate may be far worse than all else."""
    factors = scale_of(metric.name) == "factor"
    return _spread(words.first_upper(metric.axis), means if factors else ())


def _spread(named: str, values: Sequence[float]) -> dict[str, Any]:
    """An axis for values that may be far apart; linear where there are none."""
    title = {"title": {"text": escaped(named)}}
    if not values or min(values) <= 0 or max(values) < WIDE * min(values):
        return {**title, "type": "linear"}
    span = log_range(values)
    return {**title, "type": "log", "range": list(span), **log_ticks(span, "{:g}".format)}


def _line(recipe: RecipeResult, key: str, path: str) -> list[Trace]:
    style = look(recipe.index)
    shared: Trace = {
        "group": str(recipe.index),
        "name": escaped(recipe.name),
        "when": {"field": [path]},
        "hovertemplate": f"<b>%{{fullData.name}}</b><br>{escaped(path)} %{{x}}: %{{y:.4~g}}"
        "<extra></extra>",
    }
    marker = {"color": style.colour, "symbol": style.mark}
    return [
        {
            **shared,
            "mode": "lines+markers",
            "x": column(f"{key}/x"),
            "y": column(f"{key}/y"),
            "line": {"color": style.colour, "width": 1.75},
            "marker": {**marker, "size": 6},
        },
        {
            **shared,
            "mode": "markers",
            "x": column(f"{key}/x/at"),
            "y": column(f"{key}/y/at"),
            "marker": {**marker, "size": 13},
        },
    ]


def _controls(fields: Sequence[str], drawn: Sequence[RecipeResult]) -> list[Control]:
    controls = []
    if fields[1:]:
        options = [Option(path, path) for path in fields]
        controls.append(Control("field", "Field", options, value=fields[0]))
    if drawn[1:]:
        boxes = [Option(str(recipe.index), recipe.name, recipe.index) for recipe in drawn]
        controls.append(Control("recipes", "Recipes", boxes, kind="boxes"))
    return controls
