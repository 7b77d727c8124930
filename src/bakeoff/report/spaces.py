"""The space of vectors: maps of it, distances of classes, neighbours."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.report import separation, words
from bakeoff.report.filters import Card, Picture
from bakeoff.report.folder import RunFolder
from bakeoff.report.palette import look
from bakeoff.report.results import RecipeResult
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
from bakeoff.report.values import listing, mapping, number, text, whole

METHODS = {"tsne": "t-SNE", "pca": "PCA"}
COLOURS = {"label": "class", "error": "right or wrong", "part": "training or validation"}
MOST_RECIPES = 4
MOST_POINTS = 1_000
MOST_CLASSES = 30
"""Of a heat map of distances."""
PANEL, GAP, TOP, BOTTOM = 330, 46, 34, 74
"""Pixels of a map's height, between rows of maps, above and below all of them: there is the
legend."""
ALONE = 520
"""Pixels of the height of a map that is alone on a wide page."""
ROOM = 500_000
"""Bytes that all strips of a page may take."""
WARNING = (
    "Only who is near whom can be read off a t-SNE picture, and even that as far as the table "
    "says: how far groups lie from each other, how large and how dense they are, and their shapes "
    "mean nothing, since every point is given about as many neighbours. PCA keeps long distances "
    "in proportion, but shows two directions of many."
)

Content = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """A recipe, and what `spaces.json` says of its vectors."""

    recipe: RecipeResult
    content: Content

    @property
    def guesses(self) -> list[int]:
        """(N,) classes."""
        return [whole(value) or 0 for value in listing(self.content.get("guesses"))]

    def places(self, method: str) -> tuple[list[float], list[float]] | None:
        """(N,) of the points in a picture; None where there is none."""
        found = mapping(mapping(self.content.get("maps")).get(method))
        x, y = ([number(v) or 0.0 for v in listing(found.get(axis))] for axis in ("x", "y"))
        return (x, y) if x and len(x) == len(y) == len(self.guesses) else None


@dataclass(frozen=True)
class Known:
    """All that the folder says of vectors.

    Args:
        seen: The recipes.
        classes: Names.
        labels: (N,) of the points.
        train: How many of them, the first ones, are training examples.
        content: Of the file.
    """

    seen: Sequence[Seen]
    classes: Sequence[str]
    labels: Sequence[int]
    train: int
    content: Content

    def groups(self, colour: str, one: Seen) -> list[tuple[str, str, list[int]]]:
        """What is drawn in one colour: a name, the number of the look, the points."""
        everyone = range(len(self.labels))
        if colour == "label":
            return [
                (name, str(place), [i for i in everyone if self.labels[i] == place])
                for place, name in enumerate(self.classes)
            ]
        if colour == "part":
            return [
                ("training", "1", [i for i in everyone if i < self.train]),
                ("validation", "2", [i for i in everyone if i >= self.train]),
            ]
        guesses = one.guesses
        return [
            ("right", "1", [i for i in everyone if guesses[i] == self.labels[i]]),
            ("wrong", "2", [i for i in everyone if guesses[i] != self.labels[i]]),
        ]


def read(run: RunFolder) -> Known | None:
    """What the artifacts say; None where there is nothing, or nothing that fits together."""
    try:
        content = mapping(json.loads((run.path / "artifacts/spaces/spaces.json").read_bytes()))
    except (OSError, ValueError):
        return None
    points, recipes = mapping(content.get("points")), mapping(content.get("recipes"))
    classes = [text(name) for name in listing(content.get("classes"))]
    labels = [whole(value) for value in listing(points.get("labels"))]
    train = whole(points.get("train"))
    known = [label for label in labels if label is not None and 0 <= label < len(classes)]
    if train is None or len(known) != len(labels) or not 0 < len(labels) <= MOST_POINTS:
        return None
    seen = [Seen(r, mapping(recipes[r.name])) for r in run.results.recipes if r.name in recipes]
    fits = [one for one in seen if len(one.guesses) == len(labels)]
    return Known(fits[:MOST_RECIPES], classes, known, train, content) if fits else None


def figures(run: RunFolder) -> dict[str, Figure | None]:
    """All figures by name."""
    known = read(run)
    return {
        "space-maps": None if known is None else _maps(run, known),
        "space-classes": None if known is None else _distances(known),
        "space-learning": separation.figure(run),
    }


def lead(run: RunFolder) -> str:
    """What is shown; empty where there are no maps."""
    known = read(run)
    if known is None:
        return ""
    others = len(known.labels) - known.train
    said = (
        f"The vectors of {words.joined([one.recipe.name for one in known.seen])}, of the first "
        f"{run.results.unit} alone: {words.plural(known.train, 'training example')} and "
        f"{words.plural(others, 'validation example')}, the same for all. No test data were read."
    )
    if len(known.classes) > MOST_CLASSES:
        said += f" {len(known.classes)} classes are too many for a heat map of their distances."
    return said


def table(run: RunFolder) -> Table | None:
    """What is told of vectors where no map shows it: none could be drawn, as of a single point."""
    known = read(run)
    return None if known is None or _drawn(known) else _trust(known)


def _drawn(known: Known) -> list[Seen]:
    """The recipes that have maps."""
    return [one for one in known.seen if one.places("tsne") and one.places("pca")]


def _maps(run: RunFolder, known: Known) -> Figure | None:
    """A picture for each recipe, side by side."""
    drawn = _drawn(known)
    if not drawn:
        return None
    columns: dict[str, Sequence[Any]] = {}
    traces: list[Trace] = []
    for panel, one in enumerate(drawn):
        for colour in COLOURS:
            for name, style, points in known.groups(colour, one):
                key = f"{panel}/{colour}/{style}"
                for method in METHODS:
                    x, y = one.places(method) or ([], [])
                    columns[f"{key}/{method}/x"] = [x[i] for i in points]
                    columns[f"{key}/{method}/y"] = [y[i] for i in points]
                columns[f"{key}/points"] = points
                traces.append(_cloud(name, key, colour, int(style), panel))
        columns[f"guess/{panel}"] = [
            known.classes[min(g, len(known.classes) - 1)] for g in one.guesses
        ]
    about = mapping(known.content.get("about"))
    perplexity = number(about.get("perplexity")) or 0.0
    return Figure(
        id="space-maps",
        title="Maps of the vectors",
        summary="Maps of vectors: " + "; ".join(_spoken(one) for one in drawn),
        note=f"t-SNE with perplexity {perplexity:g}, a fixed seed, and the first two principal "
        f"components as its start. {WARNING} Point at one to see what it is; a name below hides or "
        "shows its points.",
        height={
            "wide": TOP + _height(-(-len(drawn) // 2) if len(drawn) > 1 else 0) + BOTTOM,
            "narrow": TOP + _height(len(drawn)) + BOTTOM,
        },
        traces=traces,
        layout=_panels(drawn),
        columns=columns,
        controls=[
            Control("method", "Picture", [Option(k, v) for k, v in METHODS.items()], value="tsne"),
            Control("colour", "Colour", [Option(k, v) for k, v in COLOURS.items()], value="label"),
        ],
        tables=[_trust(known)],
        peek=_peek(run, known),
    )


def _height(rows: int) -> int:
    """Pixels of so many rows of maps; of none: of one map alone."""
    return rows * (PANEL + GAP) - GAP if rows else ALONE


def _cloud(name: str, key: str, colour: str, style: int, panel: int) -> Trace:
    end = "" if panel == 0 else str(panel + 1)
    return {
        "when": {"colour": [colour]},
        "name": escaped(name),
        "mode": "markers",
        "x": column(f"{key}/{{method}}/x"),
        "y": column(f"{key}/{{method}}/y"),
        "customdata": column(f"{key}/points"),
        "meta": panel,
        "showlegend": panel == 0,
        "legendgroup": f"{colour}/{style}",
        "xaxis": f"x{end}",
        "yaxis": f"y{end}",
        "marker": {
            "color": look(style).colour,
            "symbol": look(style).mark,
            "size": 6,
            "opacity": 0.75,
        },
        "hovertemplate": f"{escaped(name)}<extra></extra>",
    }


def _panels(drawn: Sequence[Seen]) -> dict[str, Any]:
    """Axes of one scale without numbers, which would mean nothing; two maps in a row, or one."""
    layout: dict[str, Any] = {
        "margin": {"l": 8, "r": 8, "t": TOP, "b": BOTTOM},
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": -0.02,
            "yanchor": "top",
            "itemsizing": "constant",
        },
        "annotations": [],
    }
    several = len(drawn) > 1
    for panel, one in enumerate(drawn):
        end = "" if panel == 0 else str(panel + 1)
        x = [0.51 * (panel % 2), 0.51 * (panel % 2) + 0.49] if several else [0, 1]
        wide = _rows(panel // 2, -(-len(drawn) // 2))
        narrow = _rows(panel, len(drawn))
        blank = {"showgrid": False, "showticklabels": False, "ticks": "", "range": [-1.08, 1.08]}
        frame = {"showline": True, "mirror": True, "linecolor": "--rule"}
        layout[f"xaxis{end}"] = {
            **blank, **frame, "domain": on_screen(x, [0, 1]), "anchor": f"y{end}",
        }  # fmt: skip
        layout[f"yaxis{end}"] = {
            **blank, **frame, "domain": on_screen(wide, narrow), "anchor": f"x{end}",
            "scaleanchor": f"x{end}",
        }  # fmt: skip
        layout["annotations"].append(
            {
                "xref": "paper",
                "yref": "paper",
                "x": on_screen(x[0], 0),
                "y": on_screen(wide[1], narrow[1]),
                "yshift": 3,
                "text": f"<b>{escaped(words.cut(one.recipe.name))}</b>",
                "showarrow": False,
                "xanchor": "left",
                "yanchor": "bottom",
                "font": {"size": 13, "color": "--muted"},
            }
        )
    return layout


def _rows(row: int, rows: int) -> list[float]:
    """The share of the height that a row of maps has."""
    inner = rows * (PANEL + GAP) - GAP
    top = 1 - row * (PANEL + GAP) / inner
    return [max(0.0, round(top - PANEL / inner, 6)), round(top, 6)]


def _peek(run: RunFolder, known: Known) -> Mapping[str, Any] | None:
    """What a point that is pointed at shows: a picture of a sheet, or a text."""
    points = mapping(known.content.get("points"))
    parts = ["training", "validation"]
    told = [f"{known.classes[c]}, {parts[i >= known.train]}" for i, c in enumerate(known.labels)]
    sheet, texts = mapping(points.get("sheet")), [text(t) for t in listing(points.get("texts"))]
    image = run.image(f"artifacts/spaces/{text(sheet.get('file'))}") if sheet else None
    found: dict[str, Any] = {"told": told}
    tile, across = whole(sheet.get("tile")), whole(sheet.get("across"))
    if image is not None and tile and across:
        rows = math.ceil(len(told) / across)
        found |= {"sheet": image, "tile": tile, "across": across, "rows": rows}
    elif len(texts) == len(told):
        found["texts"] = texts
    return found


def _spoken(one: Seen) -> str:
    found = mapping(mapping(one.content.get("maps")).get("tsne"))
    trust = number(found.get("trustworthiness"))
    return f"{one.recipe.name}, trustworthiness of t-SNE {_shown(trust)}"


def _shown(value: float | None) -> str:
    return words.MISSING if value is None else words.signless(f"{value:.3f}")


def _trust(known: Known) -> Table:
    k = whole(mapping(known.content.get("about")).get("k")) or 0
    rows = []
    for one in known.seen:
        cells = [Cell(one.recipe.name, head=True, recipe=one.recipe.index)]
        cells.append(_number(one.content.get("dimension"), "{:.0f}"))
        for method in METHODS:
            found = mapping(mapping(one.content.get("maps")).get(method))
            cells += [_number(found.get(name)) for name in ("trustworthiness", "kept")]
        cells += [_number(one.content.get(name)) for name in ("alignment", "uniformity")]
        cells.append(Cell("one point: it has collapsed" if one.content.get("collapsed") else "no"))
        rows.append(cells)
    header = ["Recipe", "Dimension"]
    for name in METHODS.values():
        header += [f"Trustworthiness of {name}", f"Neighbours kept by {name}"]
    header += ["Alignment", "Uniformity", "Collapsed"]
    caption = (
        f"How far the maps can be trusted ({k} neighbours; 1 is all), and what the vectors are "
        "like: alignment (mean squared distance within a class, on the unit sphere; less is "
        "closer) and uniformity (less is more even)"
    )
    return Table(caption, header, rows)


def _number(value: object, form: str = "{:.3f}") -> Cell:
    found = number(value)
    shown = words.MISSING if found is None else words.signless(form.format(found))
    return Cell(shown, found, numeric=True)


def _distances(known: Known) -> Figure | None:
    """Mean distances of classes, as a heat map."""
    count = len(known.classes)
    tables: dict[int, list[list[float | None]]] = {}
    for place, one in enumerate(known.seen):
        rows = [[number(v) for v in listing(row)] for row in listing(one.content.get("distances"))]
        if len(rows) == count and all(len(row) == count for row in rows):
            tables[place] = rows
    if not tables or count > MOST_CLASSES:
        return None
    values = [v for rows in tables.values() for row in rows for v in row if v is not None]
    names = [escaped(words.cut(name, 14)) for name in known.classes]
    options = [Option(str(place), known.seen[place].recipe.name) for place in tables]
    first = options[0].value
    columns: dict[str, Sequence[Any]] = {f"{place}/z": rows for place, rows in tables.items()}
    columns["names"] = names
    trace: Trace = {
        "type": "heatmap",
        "x": column("names"),
        "y": column("names"),
        "z": column("{recipe}/z"),
        "zmin": min(0.0, *values),
        "zmax": max(values),
        "xgap": 1,
        "ygap": 1,
        "colorscale": [[0, "--heat-2"], [0.5, "--heat-1"], [1, "--heat-0"]],
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickfont": {"color": "--muted"}},
        "hovertemplate": "%{y} to %{x}: %{z:.2f}<extra></extra>",
    }
    side = max(300, min(520, 110 + 34 * count))
    return Figure(
        id="space-classes",
        title="Distances of classes",
        summary="Mean distances of the vectors of two classes, "
        + "; ".join(_nearest(known, place, rows) for place, rows in tables.items()),
        note="Mean distance between the vectors of two classes, or within one, in units of that of "
        "all pairs; dark is near. In truth, not in a map.",
        height=side,
        traces=[trace],
        layout={
            "xaxis": {"showgrid": False, "ticks": "", "tickangle": -40},
            "yaxis": {"showgrid": False, "ticks": "", "autorange": "reversed"},
            "margin": {"l": 96, "r": 8, "t": 8, "b": 92},
        },
        columns=columns,
        controls=[Control("recipe", "Recipe", options, value=first)] if len(options) > 1 else [],
        fixed={} if len(options) > 1 else {"recipe": first},
        tables=[_distance_table(known, place, rows) for place, rows in tables.items()],
    )


def _nearest(known: Known, place: int, rows: Sequence[Sequence[float | None]]) -> str:
    """The two classes that are nearest."""
    pairs = [
        (value, i, j) for i, row in enumerate(rows) for j, value in enumerate(row[:i]) if value
    ]
    name = known.seen[place].recipe.name
    if not pairs:
        return name
    value, i, j = min(pairs)
    return f"{name}: {known.classes[i]} and {known.classes[j]} are nearest ({value:.2f})"


def _distance_table(known: Known, place: int, rows: Sequence[Sequence[float | None]]) -> Table:
    lines = [
        [Cell(name, head=True), *(_number(value, "{:.2f}") for value in row)]
        for name, row in zip(known.classes, rows, strict=True)
    ]
    return Table(known.seen[place].recipe.name, ["Class", *known.classes], lines)


def strips(run: RunFolder) -> list[Card]:
    """The nearest training examples of some validation examples, as pictures."""
    known, room, found = read(run), ROOM, []
    for one in known.seen if known else ():
        row = mapping(one.content.get("strips"))
        image = run.image(f"artifacts/spaces/{text(row.get('file'))}") if row else None
        width, shown = whole(row.get("width")), whole(row.get("shown"))
        if image is None or width is None or shown is None or len(image) > room:
            continue
        room -= len(image)
        queries = [text(name) for name in listing(row.get("queries"))]
        same = [whole(value) or 0 for value in listing(row.get("same"))]
        pairs = [f"{name} ({n} of {shown})" for name, n in zip(queries, same, strict=False)]
        picture = Picture(
            title="Nearest training examples",
            image=image,
            width=round(1.25 * width),
            caption="A validation example in front of each row. How many are of its class: "
            f"{words.joined(pairs)}.",
        )
        found.append(Card(one.recipe.name, one.recipe.index, [picture]))
    return found
