"""The page put together: what was read, said in words, tables and figures, in one HTML file."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bakeoff import __version__
from bakeoff.report import (
    answer,
    assets,
    attention,
    confusion,
    costs,
    curves,
    filters,
    fits,
    gallery,
    inside,
    intervals,
    pairs,
    palette,
    panels,
    provenance,
    searched,
    seeds,
    spaces,
    texts,
    words,
    writing,
)
from bakeoff.report.folder import RunFolder, read_folder
from bakeoff.report.provenance import Fact
from bakeoff.report.results import Results
from bakeoff.report.spec import Cell, Figure, Table, embedded
from bakeoff.report.values import text

_TEMPLATES = Path(__file__).parent / "templates"

SECTIONS = (
    ("answer", "The answer"),
    ("pairs", "Pairs of classes"),
    ("differences", "Differences"),
    ("cost", "Cost"),
    ("learning", "Learning"),
    ("fits", "The fit"),
    ("spaces", "The space of vectors"),
    ("writing", "What they write"),
    ("inside", "Inside the networks"),
    ("attention", "What attention looks at"),
    ("mistakes", "Mistakes"),
    ("disagreements", "Where they disagree"),
    ("recipes", "What differs"),
    ("scores", "Every {unit}"),
    ("ledger", "The test set"),
    ("origin", "Where this comes from"),
    ("words", "Words"),
)


def render(folder: Path) -> bytes:
    """The report of a run folder.

    Raises:
        InputError: where the folder holds no readable `results.json`.
    """
    run = read_folder(Path(folder))
    return _environment().get_template("report.html").render(_context(run)).encode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _context(run: RunFolder) -> dict[str, Any]:
    figures, mistakes = _figures(run)
    return {
        **_frame(figures),
        **_answer(run.results),
        **_record(run),
        **mistakes,
        "results": run.results,
        "metric": run.results.judged_by,
        "figures": figures,
        "gallery": gallery.items(run),
        "shown_items": gallery.FIRST,
        "text_tables": texts.tables(run),
        "sections": _sections(run, figures),
        "fit_notes": fits.notes_table(run),
        "spaces_lead": spaces.lead(run),
        "spaces_table": spaces.table(run),
        "strips": spaces.strips(run),
        "writing": writing.tables(run),
        "inside_lead": inside.lead(run),
        "panels": [name for name in figures if name.startswith("inside-")],
        "filters": (shown := filters.cards(run)),
        "filters_note": filters.note(shown),
        "look": palette.look,
        "exact": repr,
        "plural": words.plural,
        "first_upper": words.first_upper,
    }


def _sections(run: RunFolder, figures: dict[str, Figure | None]) -> list[tuple[str, str]]:
    without = _without(run, figures) | (set() if writing.tables(run) else {"writing"})
    return [
        (id_, name.format(unit=run.results.unit)) for id_, name in SECTIONS if id_ not in without
    ]


OF_CLASSES = {"mistakes", "disagreements"}
OF_SPACES = ("space-maps", "space-classes", "space-learning")
OF_FITS = ("epochs", "samples", "planes", "signals")


def _without(run: RunFolder, figures: dict[str, Figure | None]) -> set[str]:
    """Sections that this run has nothing for."""
    only = {
        "pairs": "pairs",
        "differences": "verdicts",
        "attention": "attention",
    }  # sections that are nothing but a figure
    without = {section for section, figure in only.items() if figures[figure] is None}
    if not any(figures[name] for name in OF_FITS):
        without.add("fits")
    if not any(figures[name] for name in OF_SPACES) and not spaces.lead(run):
        without.add("spaces")
    if not any(figures[name] for name in figures if name == "units" or name.startswith("inside-")):
        without.add("inside")
    return without if run.results.task == "classification" else without | OF_CLASSES


def _frame(figures: dict[str, Figure | None]) -> dict[str, Any]:
    """What every page has: styles, scripts, policy, and the figures as data."""
    early, late = assets.early_script(), assets.scripts()
    specs = {name: figure.spec() for name, figure in figures.items() if figure}
    return {
        "version": __version__,
        "maker": assets.maker(),
        "library": assets.library(),
        "policy": assets.policy([early, late]),
        # Our own files, and JSON in which nothing can end the element: no escaping.
        "styles": Markup(assets.styles()),
        "early_script": Markup(early),
        "scripts": Markup(late),
        "figures_json": Markup(embedded(specs)),
        "mark_paths": palette.MARK_PATHS,
    }


def _figures(run: RunFolder) -> tuple[dict[str, Figure | None], dict[str, Any]]:
    """All figures by name, and what the section on mistakes says beside them."""
    results = run.results
    found = confusion.read(run)
    split = results.judged_by.split or "test"
    matrix = confusion.matrix_figure(found, split)
    figures = {
        "verdicts": intervals.figure(results),
        "cost": costs.figure(results),
        "curves": curves.figure(run),
        "searched": searched.figure(results),
        "confusion": matrix,
        "recall": confusion.recall_figure(found, results.rivals()),
        "pairs": pairs.figure(results),
        "seeds": seeds.figure(results, _on_other_seeds(run)),
        **fits.figures(run),
        **spaces.figures(run),
        "units": inside.units(run),
        "attention": attention.figure(run),
        **{figure.id: figure for figure in panels.figures(run)},
    }
    missing = ""
    if not found:
        missing = (
            "There are no predictions of classes in this folder, so mistakes cannot be counted."
        )
    elif matrix is None:
        missing = (
            f"{len(found[0].classes)} classes are too many for a matrix. "
            "These are the most frequent mistakes."
        )
    worst = confusion.pairs_table(found) if found and matrix is None else None
    return figures, {"confusion_missing": missing, "worst_mistakes": worst}


def _on_other_seeds(run: RunFolder) -> set[str]:
    """Recipes that share no seed with the others: the control run again, to see the noise."""
    other = set()
    for recipe in run.results.recipes:
        drawn = {cell.record.replicate.seed for cell in run.cells.get(recipe.name, ())}
        if drawn and not drawn & set(recipe.seeds):
            other.add(recipe.name)
    return other


def _answer(results: Results) -> dict[str, Any]:
    return {
        "headlines": answer.headlines(results),
        "facts": _facts(results),
        "verdicts": [
            (verdict, answer.outcome_cell(verdict), answer.spoken(verdict))
            for _, group in results.levels()
            for verdict in group
        ],
        "glance": answer.glance(results),
    }


def _facts(results: Results) -> list[Fact]:
    """The study in six words."""
    metric = results.judged_by
    better = "less is better" if results.direction == "min" else "more is better"
    margin = "" if results.margin is None else metric.amount(results.margin)
    done = sorted({len(recipe.seeds) for recipe in results.recipes if recipe.seeds})
    count = "" if not done else f"{done[0]}" if len(done) == 1 else f"{done[0]} to {done[-1]}"
    facts = [
        Fact("Data", text(results.dataset.get("name"))),
        Fact("Metric", f"{metric.words}, {better}"),
        Fact("Recipes", str(len(results.recipes))),
        Fact("Folds", _folds(results)),
        Fact("Seeds in each" if results.folds else "Seeds each", count),
        Fact("Seeds planned", results.seeds_planned if results.seeds_planned != count else ""),
        Fact("Your margin" if results.margin_declared else "Margin, set for you", margin),
    ]
    return [fact for fact in facts if fact.value]


def _folds(results: Results) -> str:
    if results.folds is None:
        return ""
    repeats = results.folds.repeats
    return f"{results.folds.count}{f', cut {repeats} times' if repeats > 1 else ''}"


def _record(run: RunFolder) -> dict[str, Any]:
    results = run.results
    return {
        "differences": provenance.differences(results),
        "full_table": provenance.full_table(results),
        "study": run.study,
        "searched": searched.table(results),
        "metric_tables": seeds.metric_tables(results),
        "final_metrics": seeds.final_table(results),
        "metric_differences": seeds.difference_table(results),
        "references": _references(results),
        "ledger": provenance.ledger_sentences(run),
        "exploratory": provenance.exploratory_sentences(results),
        "trouble": provenance.trouble_sentences(run),
        "cells": provenance.cells_table(run),
        "data_facts": provenance.data_facts(run),
        "data_notes": provenance.data_notes(results),
        "environment": provenance.environment_facts(run),
        "glossary": provenance.glossary(results),
    }


def _references(results: Results) -> Table | None:
    if not results.references:
        return None
    metric = results.judged_by
    rows = [
        [
            Cell(reference.label, head=True),
            Cell(metric.bare(reference.value), reference.value, numeric=True),
            Cell(reference.source or words.MISSING),
        ]
        for reference in results.references
    ]
    header = ["Figure", words.first_upper(metric.axis), "Source"]
    return Table("Published figures", header, rows)
