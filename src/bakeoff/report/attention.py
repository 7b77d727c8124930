"""Where attention looks: `attention.json`, read, and its figure by text, layer and head."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.report import words
from bakeoff.report.folder import RunFolder
from bakeoff.report.spec import Cell, Control, Figure, Option, Table, by, column, escaped
from bakeoff.report.values import listing, mapping, number, text

MEAN, ROLLOUT = "mean", "rollout"
LONGEST = 14
"""Signs of a token that fit beside the picture."""


@dataclass(frozen=True)
class _Shown:
    """A text as one recipe read it."""

    recipe: str
    place: int
    content: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What it is called in the figure."""
        return f"{self.recipe}/{self.place}"

    @property
    def tokens(self) -> list[str]:
        """As they are drawn; equal ones told apart by their place."""
        return [
            escaped(words.cut(text(token, "?"), LONGEST))
            for token in listing(self.content["tokens"])
        ]

    def name(self) -> str:
        """In the list of texts."""
        said = " ".join(text(token) for token in listing(self.content["tokens"]))
        return f"{self.recipe}: {words.cut(said, 60)}"


def figure(run: RunFolder) -> Figure | None:
    """The weights of attention, with a choice of text, layer and head; None without any."""
    shown = _read(run)
    if not shown:
        return None
    layers, heads = _sizes(shown[0])
    columns: dict[str, Sequence[Any]] = {}
    for one in shown:
        columns |= _columns(one, layers, heads)
    first = shown[0]
    numbers = [str(i + 1) for i in range(layers)]
    of_heads = [MEAN, *(str(i + 1) for i in range(heads))]
    return Figure(
        id="attention",
        title="Where each token looks",
        summary=f"Weights of attention of {words.plural(len(shown), 'text')} in {layers} layers of "
        f"{words.plural(heads, 'head')}. " + _spoken(first),
        note="A row is a token that looks, a column one that is looked at; a row adds up to 1. The "
        "rollout multiplies the layers, with half of each token staying where it is (Abnar and "
        "Zuidema 2020): what of the text reaches the last layer. Validation texts of the first "
        "seed; weights of attention say where a layer reads, not why a class was given.",
        height={"wide": 560, "narrow": 430},
        traces=[_trace("{what}/{layer}/{head}", numbers), _trace("{what}/rollout", [ROLLOUT])],
        layout=_layout(shown),
        columns=columns,
        controls=[
            Control("what", "Text", [Option(s.key, s.name()) for s in shown], value=first.key),
            Control(
                "layer",
                "Layer",
                [*(Option(n, n) for n in numbers), Option(ROLLOUT, "all: rollout")],
                value=numbers[-1],
            ),
            Control(
                "head",
                "Head",
                [Option(h, "mean of all" if h == MEAN else h) for h in of_heads],
                value=MEAN,
            ),
        ],
        tables=[*(_first_table(one, layers) for one in shown), _entropy_table(shown)],
    )


def _read(run: RunFolder) -> list[_Shown]:
    """The texts of the recipes whose networks have as many layers and heads as the first's."""
    try:
        path = run.path / "artifacts/attention.json"
        recipes = mapping(json.loads(path.read_bytes()).get("recipes"))
    except (OSError, ValueError, AttributeError):
        return []
    known = {recipe.name for recipe in run.results.recipes}
    every = [
        _Shown(name, place, mapping(content))
        for name, texts in recipes.items()
        if name in known
        for place, content in enumerate(listing(texts))
        if _whole(mapping(content))
    ]
    return [one for one in every if _sizes(one) == _sizes(every[0])]


def _whole(content: Mapping[str, Any]) -> bool:
    """Whether all is there that is drawn."""
    needed = ("tokens", "weights", "mean", "rollout", "entropy", "first")
    return all(listing(content.get(name)) for name in needed)


def _sizes(one: _Shown) -> tuple[int, int]:
    """Layers and heads."""
    weights = listing(one.content["weights"])
    return len(weights), len(listing(weights[0]))


def _columns(one: _Shown, layers: int, heads: int) -> dict[str, Sequence[Any]]:
    """The maps of a text, by layer and head, and its tokens."""
    content = one.content
    found: dict[str, Sequence[Any]] = {f"{one.key}/rollout": listing(content["rollout"])}
    for layer in range(layers):
        found[f"{one.key}/{layer + 1}/{MEAN}"] = listing(content["mean"][layer])
        for head in range(heads):
            found[f"{one.key}/{layer + 1}/{head + 1}"] = listing(content["weights"][layer][head])
    tokens = one.tokens
    found[f"{one.key}/pairs"] = [[[a, b] for b in tokens] for a in tokens]
    return found


def _trace(of: str, layers: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "when": {"layer": list(layers)},
        "z": column(of),
        "customdata": column("{what}/pairs"),
        "hovertemplate": "<b>%{customdata[0]}</b> looks at <b>%{customdata[1]}</b><br>"
        "%{z:.3f}<extra></extra>",
        "zmin": 0,
        "xgap": 1,
        "ygap": 1,
        "colorscale": [[0, "--heat-0"], [0.5, "--heat-1"], [1, "--heat-2"]],
        "showscale": False,
    }


def _layout(shown: Sequence[_Shown]) -> dict[str, Any]:
    longest = max(len(token) for one in shown for token in one.tokens)
    places = {one.key: list(range(len(one.tokens))) for one in shown}
    ticks = {
        "tickvals": by("what", **places),
        "ticktext": by("what", **{one.key: one.tokens for one in shown}),
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "showline": False,
    }
    room = min(130, 20 + 8 * longest)
    return {
        "xaxis": {**ticks, "tickangle": -60, "side": "bottom"},
        "yaxis": {**ticks, "autorange": "reversed"},
        "margin": {"l": room, "r": 4, "t": 8, "b": room},
    }


def _first_table(one: _Shown, layers: int) -> Table:
    """Where the first token looks, layer by layer."""
    first = [listing(row) for row in listing(one.content["first"])]
    rows = [
        [Cell(token, head=True), *(_cell(first[layer][place]) for layer in range(layers))]
        for place, token in enumerate(text(t, "?") for t in listing(one.content["tokens"]))
    ]
    label, guess = text(one.content.get("label")), text(one.content.get("prediction"))
    about = f" ({label}, taken for {guess})" if label and guess else ""
    header = ["Token", *(f"Layer {i + 1}" for i in range(layers))]
    return Table(f"From the first token, mean of all heads: {one.name()}{about}", header, rows)


def _entropy_table(shown: Sequence[_Shown]) -> Table:
    """How widely each head looks."""
    rows = []
    for one in shown:
        for place, layer in enumerate(listing(one.content["entropy"])):
            cells = [_cell(bits) for bits in listing(layer)]
            rows.append([Cell(one.name(), head=True), Cell(str(place + 1)), *cells])
    header = ["Text", "Layer", *(f"Head {i + 1}" for i in range(_sizes(shown[0])[1]))]
    return Table("Entropy of each head, bits", header, rows)


def _cell(value: Any) -> Cell:
    found = number(value)
    return Cell(words.MISSING if found is None else f"{found:.3f}", found, numeric=True)


def _spoken(one: _Shown) -> str:
    """What the last token of the rollout's first row looks at most."""
    row = [number(value) or 0.0 for value in listing(listing(one.content["rollout"])[0])]
    tokens = [text(token, "?") for token in listing(one.content["tokens"])]
    most = max(range(len(row)), key=lambda i: row[i])
    return f"By the rollout, the first token of “{one.name()}” has most from {tokens[most]}."
