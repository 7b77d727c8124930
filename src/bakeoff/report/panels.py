"""Histograms of weights and gradients: a row for each layer, start and end side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.report import words
from bakeoff.report.folder import RunFolder
from bakeoff.report.inside import MOMENTS, Content, Seen, boxes, keys, read, share_cell
from bakeoff.report.palette import look
from bakeoff.report.results import level_name
from bakeoff.report.spec import Cell, Control, Figure, Option, Table, Trace, by, column, escaped
from bakeoff.report.values import listing, mapping, number, text, whole

KINDS = {"weights": "weights", "gradients": "gradients of one batch"}
MOST_LAYERS = 8
ROW, GAP, TOP, BOTTOM = 92, 50, 40, 40
"""Pixels of a layer's panels, between rows, above and below all of them."""
COLUMNS = {"start": (0.0, 0.475), "end": (0.525, 1.0)}
FLOOR = 0.1
"""Percent at which the axis of shares begins."""
MARK, ZERO_WIDTH = 8, 0.3
"""Pixels of a marker; half the width of the bar of zeros, in decades."""
UNDER = 0.01
"""Percent at which an empty bin is drawn: out of sight."""


@dataclass(frozen=True)
class Bins:
    """Where bins lie.

    Attributes:
        limits: Of the weights of each layer: they reach as far to both sides.
        low: The power of ten at which the bins of gradients begin.
        per_decade: How many of them there are in a decade.
        shown: The range of powers of ten whose bins are full enough to be seen.
    """

    limits: dict[str, float]
    low: int
    per_decade: int
    shown: tuple[float, float]

    def places(self, kind: str, layer: str, count: int) -> list[float]:
        """The middle of each bin; of gradients the first is for zeros, a decade before all."""
        if kind == "weights":
            limit = self.limits[layer]
            return [limit * ((2 * i + 1) / count - 1) for i in range(count)]
        return [self.zero, *(self.low + (i + 0.5) / self.per_decade for i in range(count - 1))]

    @property
    def zero(self) -> float:
        """Where the gradients that are exactly 0 are drawn."""
        return self.shown[0] - 1


def figures(run: RunFolder) -> list[Figure]:
    """One figure for each kind of network: recipes whose layers have the same names share one."""
    content, seen = read(run)
    families: dict[tuple[str, ...], list[Seen]] = {}
    for one in seen:
        if layers := tuple(one.layers("start", "weights"))[:MOST_LAYERS]:
            families.setdefault(layers, []).append(one)
    made: list[Figure] = []
    for layers, members in families.items():
        bins = _bins(content, layers, members)
        if bins is not None:
            whose = _whose(members) if len(families) > 1 else ""
            made.append(_figure((f"inside-{len(made)}", whose), layers, members, bins))
    return made


def _whose(members: Sequence[Seen]) -> str:
    return ": " + words.cut(words.joined([one.recipe.name for one in members]), 70)


def _bins(content: Content, layers: Sequence[str], members: Sequence[Seen]) -> Bins | None:
    """Where they lie; None where the file does not say it."""
    found = mapping(content.get("weight_limits"))
    limits = {layer: number(found.get(layer)) or 0.0 for layer in layers}
    decades = [whole(value) for value in listing(content.get("gradient_decades"))]
    if min(limits.values()) <= 0 or len(decades) != 3 or None in decades or not decades[2]:
        return None
    low, high, per = (value or 0 for value in decades)
    used = {
        place
        for one in members
        for moment in MOMENTS
        for layer in layers
        for place, share in enumerate(_shares(_counts(one, moment, "gradients", layer))[1:])
        if share >= FLOOR
    }
    shown = (low + min(used) / per, low + (max(used) + 1) / per) if used else (low, high)
    return Bins(limits, low, per, shown)


def _counts(one: Seen, moment: str, kind: str, layer: str) -> list[float]:
    row = mapping(one.layers(moment, kind).get(layer))
    found = [number(count) for count in listing(row.get("counts"))]
    return [count for count in found if count is not None and count >= 0]


def _shares(counts: Sequence[float]) -> list[float]:
    """Percent."""
    total = sum(counts) or 1
    return [100 * count / total for count in counts]


def _figure(
    named: tuple[str, str], layers: Sequence[str], members: Sequence[Seen], bins: Bins
) -> Figure:
    """The figure, from its id and the end of its title."""
    columns: dict[str, Sequence[Any]] = {}
    traces: list[Trace] = []
    for place, layer in enumerate(layers):
        for side, moment in enumerate(MOMENTS):
            for one in members:
                for kind in KINDS:
                    counts = _counts(one, moment, kind, layer)
                    if sum(counts):
                        key = f"{kind}/{place}/{moment}/{one.recipe.index}"
                        columns |= _columns(key, bins.places(kind, layer, len(counts)), counts)
                        traces.append(_trace(one, key, kind, 2 * place + side))
    names = words.joined([one.recipe.name for one in members])
    return Figure(
        id=named[0],
        title=f"Weights and gradients, layer by layer{named[1]}",
        summary=f"Histograms of weights and gradients of {names}: " + "; ".join(
            _spoken(one, layers) for one in members
        ),
        note="Share of a layer's numbers in each bin, on a logarithmic scale; a marker stands at "
        "the fullest bin. The axes of a row are the same at the start and at the end and for all "
        "recipes; layers have their own widths of weights, and share one scale of gradients, whose "
        "first place is for those that are exactly 0.",
        height=TOP + len(layers) * (ROW + GAP) - GAP + BOTTOM,
        traces=traces,
        layout=_layout(layers, members, bins),
        columns=columns,
        controls=[
            Control("kind", "Show", [Option(k, v) for k, v in KINDS.items()], value="weights"),
            *boxes(members, _of_first_level(members)),
        ],
        keys=keys(members),
        tables=[_table(layers, members)],
    )  # fmt: skip


def _of_first_level(members: Sequence[Seen]) -> set[int]:
    """The places of the recipes of the first level of crossed factors, or of all."""
    first = level_name(members[0].recipe.level)
    return {one.recipe.index for one in members if level_name(one.recipe.level) == first}


def _columns(key: str, places: list[float], counts: list[float]) -> dict[str, list[Any]]:
    """A line over the bins, from the first to the last that holds anything and one beyond.

    The first bin of gradients, for zeros, is a bar apart.
    """
    shares = _shares(counts)
    top = max(range(len(shares)), key=lambda i: shares[i])
    apart = 1 if key.startswith("gradients/") else 0
    points: list[tuple[float | None, float | None, int]] = []
    if apart and shares[0]:
        size = MARK if top == 0 else 0
        ends = places[0] - ZERO_WIDTH, places[0] + ZERO_WIDTH
        points += [(ends[0], shares[0], 0), (places[0], shares[0], size), (ends[1], shares[0], 0)]
        points.append((None, None, 0))
    if full := [i for i in range(apart, len(shares)) if shares[i]]:
        for i in range(max(apart, full[0] - 1), min(len(shares) - 1, full[-1] + 1) + 1):
            points.append((places[i], max(shares[i], UNDER), MARK if i == top else 0))
    x, y, sizes = zip(*points, strict=True)
    return {f"{key}/x": list(x), f"{key}/y": list(y), f"{key}/size": list(sizes)}


def _trace(one: Seen, key: str, kind: str, panel: int) -> Trace:
    style = look(one.recipe.index)
    end = "" if panel == 0 else str(panel + 1)
    what = "around %{x:.3~g}" if kind == "weights" else "around 10<sup>%{x:.1f}</sup>"
    return {
        "group": str(one.recipe.index),
        "when": {"kind": [kind]},
        "name": escaped(one.recipe.name),
        "mode": "lines+markers",
        "x": column(f"{key}/x"),
        "y": column(f"{key}/y"),
        "xaxis": f"x{end}",
        "yaxis": f"y{end}",
        "line": {"color": style.colour, "width": 1.6, "shape": "hvh"},
        "marker": {
            "color": style.colour,
            "symbol": style.mark,
            "size": column(f"{key}/size"),
            "opacity": 1,
            "line": {"width": 0},
        },
        "hovertemplate": f"<b>%{{fullData.name}}</b><br>{what}: %{{y:.2~g}} %<extra></extra>",
    }


def _layout(layers: Sequence[str], members: Sequence[Seen], bins: Bins) -> dict[str, Any]:
    inner = len(layers) * (ROW + GAP) - GAP
    layout: dict[str, Any] = {
        "margin": {"l": 50, "r": 12, "t": TOP, "b": BOTTOM},
        "annotations": [],
    }
    decades = _ticks(bins)
    for place, layer in enumerate(layers):
        top = 1 - place * (ROW + GAP) / inner
        shape = _shape(members, layer)
        for side, (moment, domain) in enumerate(COLUMNS.items()):
            panel = 2 * place + side
            end = "" if panel == 0 else str(panel + 1)
            limit, round_ = bins.limits[layer], _round(bins.limits[layer])
            layout[f"xaxis{end}"] = {
                "domain": list(domain),
                "anchor": f"y{end}",
                "range": by(
                    "kind",
                    weights=[-1.02 * limit, 1.02 * limit],
                    gradients=[bins.zero - 0.4, bins.shown[1] + 0.1],
                ),
                "tickvals": by("kind", weights=[-round_, 0, round_], gradients=decades["tickvals"]),
                "ticktext": by("kind", weights=None, gradients=decades["ticktext"]),
                "tickangle": 0,
                "tickfont": {"size": 11, "color": "--muted"},
                "zeroline": by("kind", weights=True, gradients=False),
                "zerolinecolor": "--rule",
            }
            layout[f"yaxis{end}"] = {
                "domain": [max(0.0, top - ROW / inner), top],
                "anchor": f"x{end}",
                "type": "log",
                "range": [math.log10(FLOOR), 2.15],
                "tickvals": [FLOOR, 1, 10, 100],
                "ticktext": ["0.1%", "1%", "10%", "100%"],
                "showticklabels": side == 0,
                "tickfont": {"size": 11, "color": "--muted"},
            }
            if place == 0:
                layout["annotations"].append(_label(f"<b>{MOMENTS[moment]}</b>", domain[0], 1, 20))
        layout["annotations"].append(_label(f"{escaped(layer)} {shape}", 0, top, 2))
    return layout


def _round(limit: float) -> float:
    """1, 2 or 5 of a power of ten, the largest that a label below leaves room for."""
    power = 10.0 ** math.floor(math.log10(limit))
    fits = [digit * power for digit in (0.5, 1, 2, 5) if digit * power <= 0.9 * limit]
    return float(f"{fits[-1]:.3g}")


def _ticks(bins: Bins) -> dict[str, list[Any]]:
    """Powers of ten, and 0 before them."""
    low, high = bins.shown
    span = [power for power in range(-40, 40) if low - 0.01 <= power <= high + 0.01]
    every = -(-len(span) // 4) or 1
    kept = [power for power in span if power % every == 0]
    labels = [f"10<sup>{words.signless(str(power))}</sup>" for power in kept]
    return {"tickvals": [bins.zero, *kept], "ticktext": ["0", *labels]}


def _label(said: str, x: float, y: float, above: int) -> dict[str, Any]:
    return {
        "xref": "paper",
        "yref": "paper",
        "x": x,
        "y": y,
        "yshift": above,
        "text": said,
        "showarrow": False,
        "xanchor": "left",
        "yanchor": "bottom",
        "font": {"size": 12, "color": "--muted"},
    }


def _shape(members: Sequence[Seen], layer: str) -> str:
    """`(256 × 3072)` where all networks have that size."""
    shapes = {
        " × ".join(text(side) for side in listing(mapping(own.get(layer)).get("shape")))
        for own in (one.layers("start", "weights") for one in members)
    }
    return f"({shapes.pop()})" if len(shapes) == 1 else ""


def _spoken(one: Seen, layers: Sequence[str]) -> str:
    told = []
    for layer in layers:
        row = mapping(one.layers("end", "weights").get(layer))
        rms = number(row.get("rms"))
        if rms is not None:
            told.append(f"{layer} {rms:.2g}")
    return f"{one.recipe.name}, root mean square of the weights at the end: {', '.join(told)}"


def _table(layers: Sequence[str], members: Sequence[Seen]) -> Table:
    rows = []
    for one in members:
        for layer in layers:
            cells = [Cell(one.recipe.name, head=True, recipe=one.recipe.index), Cell(layer)]
            for kind in KINDS:
                for name in ("rms", "zero", "near_zero"):
                    if (kind, name) == ("gradients", "near_zero"):
                        continue
                    for moment in MOMENTS:
                        value = number(mapping(one.layers(moment, kind).get(layer)).get(name))
                        cells.append(_size(value) if name == "rms" else _percent(value))
            rows.append(cells)
    header = ["Recipe", "Layer"]
    for kind in ("weight", "gradient"):
        for name in ("RMS", "zero, %", "below 0.001, %"):
            if (kind, name[:5]) != ("gradient", "below"):
                header += [f"{words.first_upper(kind)} {name}, {m}" for m in MOMENTS]
    return Table("Weights and gradients by layer (RMS: root mean square)", header, rows)


def _size(value: float | None) -> Cell:
    return Cell(words.MISSING if value is None else f"{value:.3g}", value, numeric=True)


def _percent(value: float | None) -> Cell:
    return share_cell(None if value is None else 100 * value)
