"""What language models write, before and after they learnt, side by side."""

import json
from collections.abc import Mapping
from typing import Any

from bakeoff.report import words
from bakeoff.report.folder import RunFolder
from bakeoff.report.spec import Cell, Table
from bakeoff.report.values import listing, mapping, number, text

WHEN = ("before", "after")
LONGEST = 600
"""Letters of a text that are shown."""
FIGURES = {
    "distinct_1": "Different words",
    "distinct_2": "Different pairs",
    "repetition_4": "Repeated runs of 4",
}


def tables(run: RunFolder) -> list[Table]:
    """A table of variety, and one of texts for each recipe; none where none were written."""
    try:
        path = run.path / "artifacts" / "writing.json"
        content = mapping(mapping(json.loads(path.read_bytes())).get("recipes"))
    except (OSError, ValueError):
        return []
    found = {
        recipe.name: (recipe.index, mapping(content.get(recipe.name)))
        for recipe in run.results.recipes
        if recipe.name in content
    }
    if not found:
        return []
    return [_variety(found), *(_texts(name, entry) for name, (_, entry) in found.items())]


def _variety(found: Mapping[str, tuple[int, Mapping[str, Any]]]) -> Table:
    rows = []
    for name, (index, entry) in found.items():
        row = [Cell(name, head=True, recipe=index)]
        for figure in FIGURES:
            for when in WHEN:
                value = number(mapping(mapping(entry.get("variety")).get(when)).get(figure))
                shown = words.MISSING if value is None else f"{100 * value:.0f}{words.THIN}%"
                row.append(Cell(shown, value, numeric=True))
        rows.append(row)
    header = ["Recipe", *(f"{name}, {when}" for name in FIGURES.values() for when in WHEN)]
    return Table("How varied the texts are", header, rows)


def _texts(name: str, entry: Mapping[str, Any]) -> Table:
    columns = [[text(value) for value in listing(entry.get(key))] for key in ("prompts", *WHEN)]
    rows = [
        [Cell(_short(prompt), head=True), Cell(_short(before)), Cell(_short(after))]
        for prompt, before, after in zip(*columns, strict=False)
    ]
    return Table(f"What {name} writes", ["Beginning", "Before", "After"], rows)


def _short(written: str) -> str:
    return written if len(written) <= LONGEST else written[:LONGEST].rstrip() + " …"
