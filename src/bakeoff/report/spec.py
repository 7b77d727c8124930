"""Figures and tables as plain values, and the small language their figures are written in.

A figure is written down once for all choices its reader can make. The page's script fills in:

- a text that begins with `--`: the colour of that name in the style sheet;
- `{"column": "..."}`: a column of the figure, `{choice}` in its name replaced by what is chosen;
- `{"by": "choice", "of": {...}}`: the value for what is chosen (`screen` is `wide` or `narrow`);
- a trace's `when`: it is drawn only for these values of these choices;
- a trace's `group`: it is drawn only while the box of that group is ticked.
"""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bakeoff.report.values import short

Trace = dict[str, Any]
NAMES_ON_Y = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": ""}


@dataclass(frozen=True)
class Cell:
    """One entry of a table.

    Args:
        text: What is read.
        value: The number behind it, in full.
        numeric: Whether it is set to the right.
        head: Whether it names its row.
        recipe: The index of the recipe it names, for the mark beside it.
        outcome: The outcome it names, for its sign.
        note: A second, smaller line.
    """

    text: str
    value: float | None = None
    numeric: bool = False
    head: bool = False
    recipe: int | None = None
    outcome: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table: its caption, the names of its columns, its rows."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Option:
    """One value of a choice; for boxes with the recipe whose mark stands beside it."""

    value: str
    label: str
    recipe: int | None = None
    ticked: bool = True


@dataclass(frozen=True)
class Control:
    """Something the reader chooses: one of a list, or any of some boxes."""

    name: str
    label: str
    options: Sequence[Option]
    value: str = ""
    kind: Literal["select", "boxes"] = "select"


@dataclass(frozen=True)
class Key:
    """One line of a legend drawn outside the plot: a recipe's mark, or a stroke."""

    text: str
    recipe: int | None = None
    stroke: Literal["thick", "thin", "band", "line", "dash", ""] = ""


@dataclass(frozen=True)
class Figure:
    """A figure: what is drawn, what it says in words, and every value in tables.

    Args:
        id: Of its element.
        title: Above it.
        summary: What it shows, for who cannot see it.
        traces: In plotly.js's terms and the language above.
        layout: The same.
        height: Pixels, or pixels by `wide` and `narrow`.
        note: How to read it.
        columns: Data the traces refer to.
        controls: What the reader can choose.
        fixed: Choices there is only one value for.
        keys: The legend.
        tables: All its values.
        peek: What pointing at a point shows beside it: by its `customdata` a text of `told`, the
            guess in the column `guess/<meta>`, and a picture of a `sheet` or one of `texts`.
    """

    id: str
    title: str
    summary: str
    traces: Sequence[Trace]
    layout: Mapping[str, Any]
    height: int | Mapping[str, int] = 420
    note: str = ""
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    controls: Sequence[Control] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[Key] = ()
    tables: Sequence[Table] = ()
    peek: Mapping[str, Any] | None = None

    def spec(self) -> dict[str, Any]:
        """What the page's script needs to draw it."""
        heights = self.height
        if isinstance(heights, int):
            heights = {"wide": heights, "narrow": heights}
        return {
            "columns": {name: compact(column) for name, column in self.columns.items()},
            "traces": list(self.traces),
            "layout": dict(self.layout),
            "height": dict(heights),
            "fixed": dict(self.fixed),
            **({} if self.peek is None else {"peek": dict(self.peek)}),
        }

    @property
    def tallest(self) -> int:
        """Pixels to keep free before it is drawn."""
        return self.height if isinstance(self.height, int) else self.height["wide"]

    @property
    def tallest_narrow(self) -> int:
        """The same on a narrow screen."""
        return self.height if isinstance(self.height, int) else self.height["narrow"]


def compact(column: Iterable[Any]) -> list[Any]:
    """A column with six significant digits."""
    return [short(value) if isinstance(value, float) else _compact(value) for value in column]


def _compact(value: Any) -> Any:
    return compact(value) if isinstance(value, list) else value


def escaped(name: str) -> str:
    """A text for a plot: what looks like markup there is shown as it is."""
    return html.escape(name, quote=False)


def column(name: str) -> dict[str, str]:
    """A column of the figure, by name."""
    return {"column": name}


def by(choice: str, **values: Any) -> dict[str, Any]:
    """A value that depends on a choice."""
    return {"by": choice, "of": values}


def on_screen(wide: Any, narrow: Any) -> dict[str, Any]:
    """A value that depends on the room there is."""
    return by("screen", wide=wide, narrow=narrow)


def embedded(value: Any) -> str:
    """JSON that may stand inside a script element: no character there ends it or starts markup."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
