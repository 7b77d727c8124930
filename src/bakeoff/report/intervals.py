"""The verdicts as a picture: each difference with its intervals, against zero and the margin."""

from collections.abc import Sequence

from bakeoff.report import words
from bakeoff.report.answer import outcome_cell
from bakeoff.report.axes import arrow, scale_control
from bakeoff.report.palette import OUTCOME_MARKS, OUTCOME_SIGNS, outcome_colour
from bakeoff.report.results import Results, Verdict, level_name
from bakeoff.report.spec import (
    NAMES_ON_Y,
    Cell,
    Figure,
    Key,
    Table,
    Trace,
    by,
    escaped,
    on_screen,
)
from bakeoff.report.values import Range, short

ROW = 62  # pixels
NOT_OF_FOLDS = ("These examples", "Look", "α spent", "Seeds to decide")
ROOM = 12.0  # a difference this many margins away gets an arrow in the closer view


def figure(results: Results) -> Figure | None:
    """Differences to the control; None where there is none to draw."""
    verdicts = [v for _, group in results.levels() for v in group]
    drawn = [v for v in verdicts if v.difference is not None]
    if not drawn:
        return None
    metric = results.judged_by
    full = _full_range(drawn, results.margin, metric)
    close = _close_range(drawn, results.margin, metric)
    rows = _rows(verdicts)
    traces = [t for v, y in rows if v.difference is not None for t in _traces(v, y, metric, close)]
    return Figure(
        id="verdicts",
        title="How much better, how sure",
        summary=_summary(drawn, metric),
        note=_note(results, metric),
        height=ROW * round(max(y for _, y in rows) + 1) + 84,
        traces=traces,
        layout=_layout(results, rows, metric, full, close),
        controls=(scale_control("margin"),) if close else (),
        keys=_keys(results),
        tables=(table(results, metric),),
    )


def _rows(verdicts: Sequence[Verdict]) -> list[tuple[Verdict, float]]:
    """Each verdict with its height; the first on top."""
    count = len(verdicts)
    return [(verdict, float(count - 1 - i)) for i, verdict in enumerate(verdicts)]


def _ends(verdict: Verdict) -> list[float]:
    found = [verdict.difference or 0.0]
    for ends in (verdict.ci95, verdict.ci_this_test_set):
        found += ends or ()
    return found


def _padded(low: float, high: float) -> Range:
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _full_range(verdicts: Sequence[Verdict], margin: float | None, metric: words.Metric) -> Range:
    ends = [end for verdict in verdicts for end in _ends(verdict)]
    ends += [0.0, -(margin or 0.0) * 1.2, (margin or 0.0) * 1.2]
    return _padded(min(ends) * metric.scale, max(ends) * metric.scale)


def _close_range(
    verdicts: Sequence[Verdict], margin: float | None, metric: words.Metric
) -> Range | None:
    """A range without the outliers that would squeeze everything else; None without outliers."""
    if not margin:
        return None
    near = [v for v in verdicts if abs(v.difference or 0.0) <= ROOM * margin]
    if not near or len(near) == len(verdicts):
        return None
    return _full_range(near, margin, metric)


def _traces(verdict: Verdict, y: float, metric: words.Metric, close: Range | None) -> list[Trace]:
    """The intervals and the difference of one verdict; in the closer view maybe an arrow."""
    colour = outcome_colour(verdict.outcome)
    value = (verdict.difference or 0.0) * metric.scale
    outside = close is not None and not close[0] <= value <= close[1]
    everything = {"when": {"scale": ["all"]}} if outside else {}
    traces: list[Trace] = []
    for ends, height, width in ((verdict.ci95, y, 5), (verdict.ci_this_test_set, y - 0.2, 1.5)):
        if ends is not None:
            x = [short(end * metric.scale) for end in ends]
            line = {"color": colour, "width": width}
            bar = {"mode": "lines", "x": x, "y": [height, height], "line": line}
            traces.append({**bar, "hoverinfo": "skip", **everything})
    hollow = verdict.outcome == "undecided"
    marker = {
        "symbol": OUTCOME_MARKS[verdict.outcome],
        "size": 13 if hollow else 16,
        "color": "--ground" if hollow else colour,
        "line": {"color": colour if hollow else "--ground", "width": 2.5 if hollow else 2},
    }
    point: Trace = {"mode": "markers", "y": [y], "marker": marker, "hoverinfo": "text"}
    point |= {"hovertext": [_hover(verdict, metric)], "cliponaxis": False}
    traces.append({**point, "x": [short(value)], **everything})
    if outside and close is not None:
        shown = f"{metric.difference(verdict.difference)}{metric.points}"
        traces.append(arrow(close, value, y, shown) | {"hovertext": point["hovertext"]})
    return traces


def _hover(verdict: Verdict, metric: words.Metric) -> str:
    these = verdict.ci_this_test_set
    lines = [
        f"<b>{escaped(verdict.a)}</b> against {escaped(verdict.b)}: {outcome_cell(verdict).text}",
        f"difference {metric.difference(verdict.difference)}{metric.points}",
        f"95 % interval, new examples: {metric.range(verdict.ci95, signs=True)}",
    ]
    if these is not None:
        lines.append(f"95 % interval, these examples: {metric.range(these, signs=True)}")
    return "<br>".join(lines)


def _layout(
    results: Results,
    rows: Sequence[tuple[Verdict, float]],
    metric: words.Metric,
    full: Range,
    close: Range | None,
) -> dict[str, object]:
    top = rows[0][1] + 0.85
    title = f"Difference in {metric.words}{metric.in_points}"
    span = by("scale", all=list(full), close=list(close)) if close else list(full)
    better = "right of zero: the variant is better"
    # Where a protocol is part of it, what is better goes on a line of its own, or the protocol.
    wide = f"{title}<br>{better}" if "[" in title else f"{title}; {better}"
    narrow = f"{title.replace('[', '<br>[', 1)}<br>{better}"
    return {
        "xaxis": {
            "title": {"text": on_screen(wide, narrow)},
            "range": span,
            "zeroline": True,
            "zerolinecolor": "--ink",
            "zerolinewidth": 1.5,
        },
        "yaxis": {**NAMES_ON_Y, "range": [-0.55, top]},
        "shapes": _margin_band(results, metric),
        "annotations": [note for row in rows for note in _row_names(*row)],
        "margin": {
            "l": 8,
            "r": 8,
            "t": 8,
            "b": on_screen(*(32 + 16 * (1 + text.count("<br>")) for text in (wide, narrow))),
        },
    }


def _margin_band(results: Results, metric: words.Metric) -> list[dict[str, object]]:
    if not results.margin:
        return []
    edge = results.margin * metric.scale
    band = {"type": "rect", "xref": "x", "yref": "paper", "x0": -edge, "x1": edge, "y0": 0, "y1": 1}
    return [{**band, "fillcolor": "--margin-band", "line": {"width": 0}, "layer": "below"}]


def _row_names(verdict: Verdict, y: float) -> list[dict[str, object]]:
    """The variant to the left above its interval, the outcome to the right."""
    level = level_name(verdict.level)
    name = f"<b>{escaped(words.cut(verdict.short_a))}</b>"
    rival = f"against {words.cut(verdict.short_b, 20)}"
    against = escaped(" · ".join(filter(None, [rival, words.cut(level, 40)])))
    brief = f"{name}  {escaped(words.cut(level, 20))}".rstrip()
    outcome = outcome_cell(verdict)
    sign = OUTCOME_SIGNS.get(outcome.outcome or "", "")
    colour = outcome_colour(outcome.outcome) if outcome.outcome else "--muted"
    base = {"xref": "paper", "y": y + 0.24, "yanchor": "bottom", "showarrow": False}
    base |= {"bgcolor": "--ground", "borderpad": 1}  # the lines at zero and at ticks stop at words
    left = on_screen(f"{name}  {against}", brief)
    right = f"<b>{sign}</b> {outcome.text}".strip()
    return [
        {**base, "x": 0, "xanchor": "left", "text": left, "font": {"size": 14}},
        {**base, "x": 1, "xanchor": "right", "text": right, "font": {"color": colour, "size": 14}},
    ]


def _keys(results: Results) -> tuple[Key, ...]:
    keys = [
        Key("95 % interval for new seeds and new examples: the verdict's", stroke="thick"),
        Key("new seeds, these very test examples", stroke="thin"),
    ]
    if results.folds:
        new = "new training sets and new examples, approximate"
        keys = [Key(f"95 % interval for {new}: the verdict's", stroke="thick")]
    if results.margin:
        metric = results.judged_by
        keys.append(Key(f"margin: less than {metric.amount(results.margin)}", stroke="band"))
    return tuple(keys)


def _note(results: Results, metric: words.Metric) -> str:
    parts = [
        "An interval that lies right of zero speaks for the variant; one that lies inside the "
        "shaded band means that the difference, if any, does not matter to you. Outcomes are "
        "corrected for the number of comparisons, so an interval that just misses zero may stay "
        "undecided."
    ]
    if results.folds:
        parts.append(
            "Folds share most of what they learn from, and the intervals are widened for that "
            "(Nadeau and Bengio 2003)."
        )
    if results.noise_floor is not None:
        parts.append(
            "Noise floor: the control against itself, on other seeds, would seldom differ by more "
            f"than {metric.amount(results.noise_floor)}."
        )
    return " ".join(parts)


def _summary(verdicts: Sequence[Verdict], metric: words.Metric) -> str:
    parts = [
        f"{v.a} against {v.b}: {metric.difference(v.difference)}{metric.points}, "
        f"interval {metric.range(v.ci95, signs=True)}, {outcome_cell(v).text}"
        for v in verdicts
    ]
    return f"Interval plot of differences in {metric.words}. {'; '.join(parts)}."


def table(results: Results, metric: words.Metric) -> Table:
    """Every number of every verdict."""
    unit = metric.in_points
    header = [
        "Comparison",
        f"Difference{unit}",
        f"95 % interval{unit}",
        f"These examples{unit}",
        "Verdict",
        "p, corrected",
        "p of difference",
        "p of equivalence",
        "Look",
        "α spent",
        "Cost ratio",
        "Seeds to decide",
    ]
    rows = [_table_row(results, verdict, metric) for verdict in results.judged()]
    if results.folds:  # they are judged in one look, on no examples of their own
        kept = [i for i, name in enumerate(header) if not name.startswith(NOT_OF_FOLDS)]
        header = [header[i] for i in kept]
        rows = [[row[i] for i in kept] for row in rows]
    return Table("Verdicts in numbers", header, rows)


def _table_row(results: Results, verdict: Verdict, metric: words.Metric) -> list[Cell]:
    recipe = results.recipe(verdict.a)
    level = level_name(verdict.level)
    seeds = verdict.seeds_to_decide
    span = words.MISSING
    if seeds is not None:
        span = f"{seeds[0]:.0f}" if seeds[0] == seeds[1] else f"{seeds[0]:.0f} to {seeds[1]:.0f}"
    n = verdict.numbers
    look = words.MISSING if n["look"] is None else f"{n['look']:.0f}"
    spent = words.MISSING if n["alpha_spent"] is None else f"{n['alpha_spent']:g}"
    index = recipe.index if recipe else None
    against = " · ".join(filter(None, [f"against {verdict.short_b}", level]))
    return [
        Cell(verdict.short_a, head=True, recipe=index, note=against),
        Cell(metric.difference(verdict.difference), verdict.difference, numeric=True),
        Cell(metric.range(verdict.ci95, signs=True), numeric=True),
        Cell(metric.range(verdict.ci_this_test_set, signs=True), numeric=True),
        outcome_cell(verdict),
        Cell(words.probability(n["p_corrected"]), n["p_corrected"], numeric=True),
        Cell(words.probability(n["p_value"]), n["p_value"], numeric=True),
        Cell(words.probability(n["p_equivalence"]), n["p_equivalence"], numeric=True),
        Cell(look, n["look"], numeric=True),
        Cell(spent, n["alpha_spent"], numeric=True),
        Cell(words.ratio(verdict.cost_ratio), verdict.cost_ratio, numeric=True),
        Cell(span, numeric=True),
    ]
