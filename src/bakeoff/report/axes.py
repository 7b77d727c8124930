"""What several figures' axes need: closer views, published figures, ticks of costs."""

import math
from collections.abc import Callable, Sequence

from bakeoff.report import words
from bakeoff.report.results import Results
from bakeoff.report.spec import Control, Option, Trace, escaped
from bakeoff.report.values import Range, short

MOST_TICKS = 7


def scale_control(near_what: str) -> Control:
    """The choice between a closer view and everything."""
    options = (Option("close", f"near the {near_what}"), Option("all", "everything"))
    return Control("scale", "Show", options, value="close")


def near(
    scores: Sequence[tuple[float, Range | None]],
    centre: float | None,
    margin: float | None,
    scale: float,
) -> Range | None:
    """A range of scores around a centre that leaves outliers out; None where there are none.

    An outlier is further away than 12 margins and than five times the median distance.
    """
    if centre is None or len(scores) < 3:
        return None
    distances = sorted(abs(mean - centre) for mean, _ in scores)
    reach = max(12 * (margin or 0.0), 5 * distances[len(distances) // 2])
    kept = [(mean, ends) for mean, ends in scores if abs(mean - centre) <= reach]
    if len(kept) == len(scores) or len(kept) < 2:
        return None
    ends = [end for mean, span in kept for end in (mean, *(span or ()))]
    room = 0.15 * (max(ends) - min(ends)) or margin or 0.01
    return (min(ends) - room) * scale, (max(ends) + room) * scale


def arrow(close: Range, value: float, y: float, shown: str) -> Trace:
    """In the closer view, where something lies that is outside of it."""
    left, inside = value < close[0], 0.008 * (close[1] - close[0])
    return {
        "mode": "markers+text",
        "x": [short(close[0] + inside if left else close[1] - inside)],
        "y": [y],
        "text": [f"  far outside: {shown}  "],
        "textposition": "middle right" if left else "middle left",
        "textfont": {"color": "--muted"},
        "marker": {
            "symbol": "triangle-left" if left else "triangle-right",
            "size": 12,
            "color": "--muted",
        },
        "hoverinfo": "text",
        "cliponaxis": False,
        "when": {"scale": ["close"]},
    }


def reference_lines(
    results: Results, metric: words.Metric, axis: str
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Shapes and labels of the published figures, across an axis of scores."""
    lines: list[dict[str, object]] = []
    notes: list[dict[str, object]] = []
    style = {"color": "--muted", "width": 1, "dash": "dash"}
    for reference in results.references:
        value, label = reference.value * metric.scale, escaped(words.cut(reference.label, 30))
        font: dict[str, object] = {"color": "--muted", "size": 11}
        text = {"text": label, "showarrow": False, "font": font}
        if axis == "y":
            lines.append(
                {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value}
                | {"line": style, "layer": "below"}
            )
            place = {"xref": "paper", "x": 1, "xanchor": "right", "y": value, "yanchor": "bottom"}
        else:
            lines.append(
                {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": value, "x1": value}
                | {"line": style, "layer": "below"}
            )
            place = {"yref": "paper", "y": 1, "yanchor": "bottom", "x": value, "xanchor": "right"}
        notes.append(text | place)
    return lines, notes


def log_range(values: Sequence[float], room: float = 0.1) -> Range:
    """The range of a logarithmic axis, in powers of ten, that leaves room at both ends."""
    ends = math.log10(min(values)), math.log10(max(values))
    span = max(ends[1] - ends[0], 0.3)
    return ends[0] - room * span, ends[1] + room * span


def log_ticks(
    span: Range, write: Callable[[float], str], base: int = 10
) -> dict[str, list[object]]:
    """Round values for a logarithmic axis, and how they are written.

    Args:
        span: Of the axis, in powers of ten.
        write: How a value is written.
        base: 10 for 1, 2, 5, 10, ...; 2 for powers of two (bytes); 60 for times.
    """
    low, high = 10 ** span[0], 10 ** span[1]
    inside = [value for value in _round_values(base) if low <= value <= high]
    if len(inside) < 2:
        inside = _even_values(low, high)
    every = math.ceil(len(inside) / MOST_TICKS)
    coarse = [v for v in inside if base == 10 and math.log10(v).is_integer()]
    if every > 1 and len(coarse) > 2:
        inside, every = coarse, math.ceil(len(coarse) / MOST_TICKS)
    kept = inside[::every]
    return {"tickvals": list(kept), "ticktext": [write(value) for value in kept]}


def _even_values(low: float, high: float) -> list[float]:
    """Round values between two that lie close together: 62 000, 62 100, ..."""
    width = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(width))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= width)
    first = math.ceil(low / step)
    found = [number * step for number in range(first, math.floor(high / step) + 1)]
    return found or [(low + high) / 2]


def _round_values(base: int) -> list[float]:
    if base == 2:
        return [float(2**power) for power in range(60)]
    if base == 60:
        units = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000]
        days = [36000, 86400, 172800, 432000, 864000]
        return [*_round_values(10)[9:18], *map(float, units + days)]  # from a millisecond
    return [float(f"{digit}e{power}") for power in range(-6, 25) for digit in (1, 2, 5)]
