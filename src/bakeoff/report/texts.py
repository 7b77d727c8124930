"""Errors to read: tables of the surest mistakes, and of scores by length and class."""

import json
from typing import Any

from bakeoff.report import words
from bakeoff.report.folder import RunFolder
from bakeoff.report.spec import Cell, Table
from bakeoff.report.values import listing, mapping, number, text, whole

FILE = "texts.json"
MOST_ROWS = 200
KINDS = {"length": "Length", "class": "Class"}


def tables(run: RunFolder) -> list[Table]:
    """The tables, those without rows left out; none where the folder holds no texts."""
    content = _read(run)
    return [table for table in (_slices(run, content), _mistakes(run, content)) if table.rows]


def _read(run: RunFolder) -> dict[str, Any]:
    try:
        return mapping(json.loads((run.path / "artifacts" / FILE).read_bytes()))
    except (OSError, ValueError):
        return {}


def _slices(run: RunFolder, content: dict[str, Any]) -> Table:
    """A row a group of texts, a column a recipe."""
    entries = [mapping(row) for row in listing(content.get("slices"))[:MOST_ROWS]]
    named = {name for entry in entries for name in mapping(entry.get("scores"))}
    recipes = [recipe for recipe in run.results.recipes if recipe.name in named]
    rows, split = [], run.results.judged_by.split
    for entry in entries:
        scores, kind = mapping(entry.get("scores")), text(entry.get("by"))
        metric = run.results.metric_of(f"{split}/{text(entry.get('metric'), 'accuracy')}")
        count = whole(entry.get("count"))
        row = [
            Cell(text(entry.get("name"), "?"), head=True, note=KINDS.get(kind, kind)),
            Cell(words.MISSING if count is None else words.count(count), count, numeric=True),
            Cell(metric.axis),
        ]
        for recipe in recipes:
            value = number(scores.get(recipe.name))
            shown = words.MISSING if value is None else metric.bare(value)
            row.append(Cell(shown, value, numeric=True))
        rows.append(row)
    header = ["Texts", "How many", "Score", *(recipe.name for recipe in recipes)]
    over = f"means over {run.results.unit}s"
    return Table(f"Scores by length and class, {over}", header, rows)


def _mistakes(run: RunFolder, content: dict[str, Any]) -> Table:
    """The texts that recipes are surest of, and wrong about."""
    found = mapping(content.get("mistakes"))
    rows = []
    for recipe in run.results.recipes:
        for entry in map(mapping, listing(found.get(recipe.name))[:MOST_ROWS]):
            sure = number(entry.get("probability"))
            rows.append(
                [
                    Cell(recipe.name, head=True, recipe=recipe.index),
                    Cell(text(entry.get("text")), note=f"item {text(entry.get('id'), '?')}"),
                    Cell(text(entry.get("label"), "?")),
                    Cell(text(entry.get("prediction"), "?")),
                    Cell(words.MISSING if sure is None else f"{sure:.1%}", sure, numeric=True),
                ]
            )
    header = ["Recipe", "Text", "True class", "Predicted", "How sure"]
    return Table("The surest mistakes", header, rows)
