"""Every seed's or fold's score, paired; and every metric with its interval."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from bakeoff.report import words
from bakeoff.report.axes import arrow, near, reference_lines, scale_control
from bakeoff.report.palette import look
from bakeoff.report.results import Draw, RecipeResult, Results, Score
from bakeoff.report.spec import (
    NAMES_ON_Y,
    Cell,
    Figure,
    Key,
    Table,
    Trace,
    by,
    escaped,
)
from bakeoff.report.values import Range, short

ROW = 58  # pixels
SHARED = {
    "seed": "the same validation carve, the same order of examples",
    "fold": "the same examples held out, the same ones to learn from",
}
ON = {
    "test": "On test examples",
    "fold": "On examples held out",
    "validation": "On validation examples",
    "train": "On training examples",
}


def figure(results: Results, unpaired: Collection[str] = ()) -> Figure | None:
    """One row a recipe, one dot a seed (or fold), a line through what shares it.

    Args:
        results: Of the study.
        unpaired: Recipes that ran on seeds of their own.
    """
    scored = [(r, s) for r in results.recipes if (s := results.score(r)) and _known(s)]
    if not scored:
        return None
    metric = results.judged_by
    control = results.recipe(results.control)
    own = results.score(control) if control else None
    extremes = [(s.mean, _span(s)) for _, s in scored if s.mean is not None]
    close = near(extremes, own.mean if own else None, results.margin, metric.scale)
    height = len(scored) - 1
    rows = [(recipe, score, float(height - i)) for i, (recipe, score) in enumerate(scored)]
    return Figure(
        id="seeds",
        title=f"Every {results.unit}",
        summary=_summary(results, scored, metric),
        note=f"A line joins the scores that share a {results.unit}: {SHARED[results.unit]}. "
        "Lines that run side by side mean that luck moved the recipes together, which is what "
        "pairing takes out. The bar is the mean.",
        height=ROW * len(rows) + 76,
        traces=_traces(results, rows, close, unpaired),
        layout=_layout(results, rows, metric, close),
        controls=(scale_control("control"),) if close else (),
        keys=(Key(f"the same {results.unit}", stroke="line"),),
        tables=(_table(results, scored, metric),),
    )


def _known(score: Score) -> list[float]:
    return [value for value in score.values if value is not None]


def _span(score: Score) -> Range | None:
    known = _known(score)
    return (min(known), max(known)) if known else score.ci95


def by_draw(recipe: RecipeResult, score: Score) -> dict[Draw, float]:
    """Scores by seed or fold; by place where these are not told."""
    draws: Sequence[Draw] = recipe.draws
    if len(draws) != len(score.values):
        draws = range(len(score.values))
    pairs = zip(draws, score.values, strict=True)
    return {draw: value for draw, value in pairs if value is not None}


def _every_draw(scores: Iterable[Mapping[Draw, float]]) -> list[Draw]:
    """All seeds, or folds, in order; places before folds, where both are told."""
    found = {draw for own in scores for draw in own}
    return sorted(found, key=lambda draw: (-1, draw) if isinstance(draw, int) else draw)


Scored = tuple[RecipeResult, Score]
Row = tuple[RecipeResult, Score, float]


def _traces(
    results: Results, rows: Sequence[Row], close: Range | None, unpaired: Collection[str]
) -> list[Trace]:
    """Lines, dots and means; in the closer view, arrows to what lies outside."""
    metric = results.judged_by
    drawn = [t for row in rows for t in (_dots(results, *row), _mean(*row, metric))]
    paired = [row for row in rows if row[0].name not in unpaired]
    if close is None:
        return [*_pairing(paired, metric), *drawn]
    inside = [row for row in paired if _is_inside(row[1], metric, close)]
    everything = {"when": {"scale": ["all"]}}
    arrows = [
        arrow(close, (score.mean or 0.0) * metric.scale, y, metric.score(score.mean))
        for _, score, y in rows
        if not _is_inside(score, metric, close)
    ]
    return [
        *({**trace, **everything} for trace in _pairing(paired, metric)),
        *({**trace, "when": {"scale": ["close"]}} for trace in _pairing(inside, metric)),
        *drawn,
        *arrows,
    ]


def _is_inside(score: Score, metric: words.Metric, close: Range) -> bool:
    return score.mean is None or close[0] <= score.mean * metric.scale <= close[1]


def _pairing(rows: Sequence[Row], metric: words.Metric) -> list[Trace]:
    values = [(by_draw(recipe, score), y) for recipe, score, y in rows]
    line = {"color": "--faint", "width": 1}
    traces: list[Trace] = []
    for draw in _every_draw(scores for scores, _ in values):
        shared = [(scores[draw], y) for scores, y in values if draw in scores]
        xs = [short(value * metric.scale) for value, _ in shared]
        trace = {"mode": "lines", "x": xs, "y": [y for _, y in shared], "line": line}
        traces.append(trace | {"hoverinfo": "skip", "opacity": 0.45})
    return traces


def _dots(results: Results, recipe: RecipeResult, score: Score, y: float) -> Trace:
    style, scores = look(recipe.index), by_draw(recipe, score)
    name, metric = escaped(recipe.name), results.judged_by
    return {
        "mode": "markers",
        "x": [short(value * metric.scale) for value in scores.values()],
        "y": [y] * len(scores),
        "marker": {
            "color": style.colour,
            "symbol": style.mark,
            "size": 10,
            "line": {"color": "--ground", "width": 1},
        },
        "hovertext": [
            f"<b>{name}</b>, {results.draw_name(draw)}<br>{metric.score(value)}"
            for draw, value in scores.items()
        ],
        "hoverinfo": "text",
    }


def _mean(recipe: RecipeResult, score: Score, y: float, metric: words.Metric) -> Trace:
    x = short(None if score.mean is None else score.mean * metric.scale)
    return {
        "mode": "lines",
        "x": [x, x],
        "y": [y - 0.24, y + 0.24],
        "line": {"color": look(recipe.index).colour, "width": 3},
        "hoverinfo": "skip",
    }


def _layout(
    results: Results, rows: Sequence[Row], metric: words.Metric, close: Range | None
) -> dict[str, object]:
    lines, notes = reference_lines(results, metric, "x")
    for recipe, score, y in rows:
        text = f"<b>{escaped(words.cut(recipe.name))}</b>  {metric.score(score.mean)}"
        place = {"xref": "paper", "x": 0, "xanchor": "left", "y": y + 0.26, "yanchor": "bottom"}
        notes.append({**place, "text": text, "showarrow": False})
    better = "left" if results.direction == "min" else "right"
    title = {"text": f"{words.first_upper(metric.axis)}; {better} is better"}
    axis: dict[str, object] = {"title": title}
    if close:
        axis |= {
            "range": by("scale", close=list(close), all=None),
            "autorange": by("scale", close=False, all=True),
        }
    return {
        "xaxis": axis,
        "yaxis": {**NAMES_ON_Y, "range": [-0.5, rows[0][2] + 0.85]},
        "shapes": lines,
        "annotations": notes,
        "margin": {"l": 8, "r": 8, "t": 18 if results.references else 8, "b": 48},
    }


def _summary(results: Results, scored: Sequence[Scored], metric: words.Metric) -> str:
    unit = results.unit
    parts = [f"{r.name} {metric.range(_span(s))} over {len(_known(s))} {unit}s" for r, s in scored]
    return f"Dot plot of {metric.words} of every {unit}: {'; '.join(parts)}."


def _table(results: Results, scored: Sequence[Scored], metric: words.Metric) -> Table:
    rows_by_recipe = [(recipe, by_draw(recipe, score)) for recipe, score in scored]
    draws = _every_draw(scores for _, scores in rows_by_recipe)
    rows = [
        [
            Cell(recipe.name, head=True, recipe=recipe.index),
            *(Cell(metric.bare(scores.get(d)), scores.get(d), numeric=True) for d in draws),
        ]
        for recipe, scores in rows_by_recipe
    ]
    header = ["Recipe", *(words.first_upper(results.draw_name(draw)) for draw in draws)]
    return Table(f"{words.first_upper(metric.axis)} of every {results.unit}", header, rows)


def metric_tables(results: Results) -> list[Table]:
    """All metrics of all recipes with their intervals: a table a split, then a part of test."""
    every = {recipe.name: recipe.metrics for recipe in results.recipes}
    names = _names(results, every.values())
    tables = []
    for split in sorted({words.Metric(name).split for name in names}, key=_split_rank):
        own = [name for name in names if words.Metric(name).split == split]
        where = ON.get(split, f"On {split} examples") if split else "Metrics"
        tables.append(_metric_table(results, own, every, where))
    for part in dict.fromkeys(part for recipe in results.recipes for part in recipe.parts):
        told = {r.name: r.parts[part] for r in results.recipes if part in r.parts}
        of_part = {name: found.metrics for name, found in told.items()}
        count = next(found.count for found in told.values())
        many = "" if count is None else f"{words.count(count)} "
        where = f"On the {many}test examples of {part}"
        tables.append(_metric_table(results, _names(results, of_part.values()), of_part, where))
    return tables


def _names(results: Results, scores: Iterable[Mapping[str, Score]]) -> list[str]:
    """The metrics that may stand in one column."""
    every = dict.fromkeys(name for own in scores for name in own)
    return [name for name in every if results.shares_a_column(name)]


def _split_rank(split: str) -> tuple[int, str]:
    order = ("test", "fold", "validation", "train")
    return (order.index(split) if split in order else len(order)), split


def _metric_table(
    results: Results, names: list[str], scores: Mapping[str, Mapping[str, Score]], where: str
) -> Table:
    """A row a recipe, a column a metric.

    Args:
        results: The study.
        names: Of the metrics.
        scores: By recipe and metric.
        where: They were scored.
    """
    metrics = [results.metric_of(name) for name in names]
    header = ["Recipe"]
    header += [words.first_upper(m.word) + (" (%)" if m.percent else "") for m in metrics]
    rows = []
    for recipe in results.recipes:
        row = [Cell(recipe.name, head=True, recipe=recipe.index)]
        for metric in metrics:
            score = scores.get(recipe.name, {}).get(metric.name)
            mean = score.mean if score else None
            note = metric.range(score.ci95) if score and score.ci95 else ""
            row.append(Cell(metric.bare(mean), mean, numeric=True, note=note))
        rows.append(row)
    return Table(f"{where}: mean over {results.unit}s, 95 % interval below", header, rows)


def final_table(results: Results) -> Table | None:
    """Every metric on test of the recipe that was chosen on the folds."""
    if results.final is None or not results.final.metrics:
        return None
    metrics = {results.metric_of(name): value for name, value in results.final.metrics.items()}
    header = [words.first_upper(m.word) + (" (%)" if m.percent else "") for m in metrics]
    recipe = results.recipe(results.final.recipe)
    row = [Cell(results.final.recipe, head=True, recipe=recipe.index if recipe else None)]
    row += [Cell(metric.bare(value), value, numeric=True) for metric, value in metrics.items()]
    return Table(f"{ON['test']}, chosen on the folds: mean over seeds", ["Recipe", *header], [row])


def difference_table(results: Results) -> Table | None:
    """Differences to the control in every metric that was compared, with their intervals."""
    names = list(dict.fromkeys(verdict.metric for verdict in results.verdicts))
    if len(names) < 2:
        return None
    metrics = [results.metric_of(name) for name in names]
    pairs = list(dict.fromkeys((verdict.a, verdict.b) for verdict in results.verdicts))
    found = {(v.a, v.b, v.metric): v for v in results.verdicts}
    rows = []
    for a, b in pairs:
        recipe = results.recipe(a)
        row = [Cell(a, head=True, recipe=recipe.index if recipe else None, note=f"against {b}")]
        for metric in metrics:
            verdict = found.get((a, b, metric.name))
            value = verdict.difference if verdict else None
            note = metric.range(verdict.ci95, signs=True) if verdict and verdict.ci95 else ""
            row.append(Cell(metric.difference(value), value, numeric=True, note=note))
        rows.append(row)
    header = [words.first_upper(m.words) + m.in_points for m in metrics]
    caption = "Differences, above zero where the variant is better; 95 % interval below"
    return Table(caption, ["Recipe", *header], rows)
