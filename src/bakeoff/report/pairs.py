"""Pairs of classes that a factor goes through: how well each recipe tells each pair apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.report import words
from bakeoff.report.results import Results, short_name
from bakeoff.report.spec import (
    Cell,
    Control,
    Figure,
    Option,
    Table,
    Trace,
    column,
    escaped,
    on_screen,
)
from bakeoff.report.values import short

FEWEST_PAIRS = 3
MOST_LABELLED = 14
"""Classes: values are written into the fields up to here."""
MOST_CLASSES = 60
Pair = tuple[str, str]


@dataclass(frozen=True)
class PairScores:
    """Means over seeds of one recipe, by pair, in the order of the factor."""

    name: str
    scores: Mapping[Pair, float]

    @property
    def mean(self) -> float:
        """Over the pairs."""
        return sum(self.scores.values()) / len(self.scores)


def read(results: Results) -> list[PairScores]:
    """The scores of every recipe that was run on pairs of classes; none without such a factor."""
    found: dict[str, PairScores] = {}
    for recipe in results.recipes:
        pair, score = _pair(recipe.level), results.score(recipe)
        if pair is None or score is None or score.mean is None:
            continue
        name = short_name(recipe.name, recipe.level)
        known = found.get(name)
        scores = {**known.scores, pair: score.mean} if known else {pair: score.mean}
        found[name] = PairScores(name, scores)
    return [scores for scores in found.values() if len(scores.scores) >= FEWEST_PAIRS]


def _pair(level: Mapping[str, Any]) -> Pair | None:
    """The two classes of a level whose one factor is which classes there are."""
    values = list(level.values())
    if list(level) != ["data.classes"] or not isinstance(values[0], list | tuple):
        return None
    names = [str(name) for name in values[0]]
    return (names[0], names[1]) if len(names) == 2 else None


def figure(results: Results) -> Figure | None:
    """The heat map of the recipe the reader chooses; None where there are no pairs to draw."""
    found = read(results)
    classes = _classes(found)
    if not found or len(classes) > MOST_CLASSES:
        return None
    metric = results.judged_by
    every = [value for recipe in found for value in recipe.scores.values()]
    columns: dict[str, Sequence[Any]] = {}
    for number, recipe in enumerate(found):
        columns |= _columns(str(number), recipe, classes, metric)
    options = [
        Option(str(number), f"{recipe.name} (mean {metric.score(recipe.mean)})")
        for number, recipe in enumerate(found)
    ]
    start = max(range(len(found)), key=lambda i: _goodness(found[i].mean, results))
    k = len(classes)
    return Figure(
        id="pairs",
        title="Which pairs are told apart",
        summary=_summary(found, metric, results),
        note=f"{words.first_upper(metric.words)} of each pair of classes, the mean over "
        f"{results.unit}s. The colours span the worst to the best pair of all recipes, so they can "
        "be compared as you change the recipe.",
        height={"wide": max(380, min(720, 42 * k + 110)), "narrow": max(340, 26 * k + 110)},
        traces=[_heat_map(classes, (min(every), max(every)), metric, results)],
        layout=_layout(classes),
        columns=columns,
        controls=[Control("recipe", "Recipe", options, value=str(start))],
        tables=[_table(found, metric, results.unit)],
    )


def _goodness(score: float, results: Results) -> float:
    return -score if results.direction == "min" else score


def _classes(found: Sequence[PairScores]) -> list[str]:
    """Every class, in the order of the factor."""
    return list(dict.fromkeys(name for r in found for pair in r.scores for name in pair))


def _columns(
    key: str, recipe: PairScores, classes: Sequence[str], metric: words.Metric
) -> dict[str, Sequence[Any]]:
    """Values, texts and hovers of one recipe's matrix, below its diagonal."""
    labelled = len(classes) <= MOST_LABELLED
    values, texts, hovers = [], [], []
    for i, down in enumerate(classes):
        row = [
            recipe.scores.get((across, down), recipe.scores.get((down, across))) if j < i else None
            for j, across in enumerate(classes)
        ]
        values.append([None if v is None else short(v * metric.scale) for v in row])
        texts.append(["" if v is None or not labelled else metric.bare(v) for v in row])
        hovers.append(
            [
                ""
                if v is None
                else f"<b>{escaped(across)}</b> or <b>{escaped(down)}</b><br>{metric.score(v)}"
                for v, across in zip(row, classes, strict=True)
            ]
        )
    return {f"{key}/value": values, f"{key}/text": texts, f"{key}/hover": hovers}


def _heat_map(
    classes: Sequence[str], span: tuple[float, float], metric: words.Metric, results: Results
) -> Trace:
    names = [escaped(name) for name in classes]
    low, high = (short(end * metric.scale) for end in span)
    shades = ["--heat-0", "--heat-1", "--heat-2"]
    if results.direction == "min":
        shades.reverse()
    return {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": column("{recipe}/value"),
        "text": column("{recipe}/text"),
        "texttemplate": "%{text}",
        "hovertext": column("{recipe}/hover"),
        "hoverinfo": "text",
        "hoverongaps": False,
        "zmin": low,
        "zmax": high,
        "xgap": 1,
        "ygap": 1,
        "colorscale": [[0, shades[0]], [0.5, shades[1]], [1, shades[2]]],
        "showscale": False,
    }


def _layout(classes: Sequence[str]) -> dict[str, Any]:
    k = len(classes)
    wide = [escaped(words.cut(name, 16)) for name in classes]
    narrow = [escaped(words.cut(name, 9)) for name in classes]
    ticks = {
        "type": "category",
        "tickvals": list(range(k)),
        "ticktext": on_screen(wide, narrow),
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "showline": False,
    }
    room = min(130, 24 + 7 * max(map(len, wide)))
    # The first class has no row of its own below the diagonal, the last one no column.
    return {
        "xaxis": {**ticks, "tickangle": -45, "side": "bottom", "range": [-0.5, k - 1.5]},
        "yaxis": {**ticks, "range": [k - 0.5, 0.5]},
        "margin": {"l": on_screen(room, 72), "r": 4, "t": 8, "b": on_screen(room, 72)},
    }


def _summary(found: Sequence[PairScores], metric: words.Metric, results: Results) -> str:
    parts = []
    for recipe in found:
        ordered = sorted(recipe.scores, key=lambda p: _goodness(recipe.scores[p], results))
        hard, easy = ordered[0], ordered[-1]
        parts.append(
            f"{recipe.name}: mean over {len(ordered)} pairs {metric.score(recipe.mean)}, hardest "
            f"{' or '.join(hard)} ({metric.score(recipe.scores[hard])}), easiest "
            f"{' or '.join(easy)} ({metric.score(recipe.scores[easy])})"
        )
    return f"Heat map of pairs of classes, one recipe at a time. {'; '.join(parts)}."


def _table(found: Sequence[PairScores], metric: words.Metric, unit: str) -> Table:
    pairs = list(dict.fromkeys(pair for recipe in found for pair in recipe.scores))
    rows = [
        [Cell(" or ".join(pair), head=True)]
        + [
            Cell(metric.bare(recipe.scores.get(pair)), recipe.scores.get(pair), numeric=True)
            for recipe in found
        ]
        for pair in pairs
    ]
    means = [Cell(metric.bare(recipe.mean), recipe.mean, numeric=True) for recipe in found]
    rows.append([Cell("mean over the pairs", head=True), *means])
    header = ["Pair", *(recipe.name for recipe in found)]
    return Table(f"{words.first_upper(metric.axis)} of every pair, mean over {unit}s", header, rows)
