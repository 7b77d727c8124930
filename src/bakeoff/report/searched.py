"""What was tried on validation before anything was compared, and what of it was chosen."""

from bakeoff.report import words
from bakeoff.report.results import RecipeResult, Results
from bakeoff.report.spec import Cell, Table
from bakeoff.report.values import listing, mapping, number, text


def table(results: Results) -> Table | None:
    """A row for each combination of values, the chosen one marked; None where nothing was tried."""
    rows = [row for recipe in results.recipes for row in _rows(recipe)]
    if not rows:
        return None
    tried = next(recipe.search for recipe in results.recipes if recipe.search)
    metric = words.Metric(text(tried.get("metric")))
    header = ["Recipe", "Tried", metric.words, "Seeds", "Chosen"]
    return Table("What was tried on validation", header, rows)


def _rows(recipe: RecipeResult) -> list[list[Cell]]:
    chosen = mapping(recipe.search.get("values"))
    metric = words.Metric(text(recipe.search.get("metric")))
    rows = []
    for trial in map(mapping, listing(recipe.search.get("trials"))):
        values, mean = mapping(trial.get("values")), number(trial.get("mean"))
        shown = ", ".join(f"{path} {value}" for path, value in values.items())
        rows.append(
            [
                Cell(recipe.name, head=True, recipe=recipe.index),
                Cell(shown),
                Cell("diverged" if mean is None else metric.score(mean), mean, numeric=True),
                Cell(words.count(len(listing(trial.get("scores")))), numeric=True),
                Cell("yes" if values == chosen else ""),
            ]
        )
    return rows
