"""Which classes are mistaken for which, and whose recall moves against the control's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.metrics import confusion_table
from bakeoff.report import words
from bakeoff.report.folder import FinishedCell, RunFolder, labels_and_predictions
from bakeoff.report.palette import look
from bakeoff.report.results import RecipeResult
from bakeoff.report.spec import (
    NAMES_ON_Y,
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
from bakeoff.report.values import short

Floats = NDArray[np.float64]
MOST_CLASSES = 40
MOST_LABELLED = 12
MOST_TABLED = 20
MOST_ROWS = 30
WORST_PAIRS = 20


@dataclass(frozen=True)
class Confusion:
    """A recipe's confusion tables.

    Args:
        recipe: Whose.
        classes: The K class names.
        replicates: Of the tables.
        tables: (n, K, K) counts, one a seed (or fold): row = label, column = prediction.
        fold_count: k of a cross-validation; 0 without.
    """

    recipe: RecipeResult
    classes: tuple[str, ...]
    replicates: tuple[str, ...]
    tables: Floats
    fold_count: int = 0

    @property
    def unit(self) -> str:
        """What a table is of."""
        return "fold" if self.fold_count else "seed"

    @property
    def counts(self) -> Floats:
        """(K, K): means over seeds."""
        return np.asarray(self.tables.mean(axis=0))

    @property
    def shares(self) -> Floats:
        """(K, K): of each label's examples; NaN in the rows of classes without examples."""
        totals = self.counts.sum(axis=1, keepdims=True)
        return _shares(self.counts, totals)

    @property
    def recalls(self) -> Floats:
        """(n, K): per seed, NaN for classes without examples."""
        totals = self.tables.sum(axis=2)
        hits = np.diagonal(self.tables, axis1=1, axis2=2)
        return _shares(hits, totals)


def _shares(parts: Floats, totals: Floats) -> Floats:
    """Parts of totals, NaN of nothing."""
    return np.asarray(np.where(totals > 0, parts / np.where(totals > 0, totals, 1), np.nan))


def read(run: RunFolder) -> list[Confusion]:
    """The confusion of every recipe whose predictions of the study's split are there."""
    split = run.results.judged_by.split or "test"
    found = []
    for recipe in run.results.recipes:
        confusion = _of_recipe(recipe, run.cells.get(recipe.name, ()), split)
        if confusion is not None and run.results.folds:
            confusion = replace(confusion, fold_count=run.results.folds.count)
        if confusion is not None:
            found.append(confusion)
    return [c for c in found if c.classes == found[0].classes]


def _of_recipe(recipe: RecipeResult, cells: Sequence[FinishedCell], split: str) -> Confusion | None:
    tables: dict[str, list[NDArray[np.int64]]] = {}
    for cell in cells:
        pairs = labels_and_predictions(cell, split)
        if pairs is None or not len(pairs[0]) or cell.record.classes != cells[0].record.classes:
            continue
        at = cell.record.replicate  # seeds are averaged inside a fold
        name = at.folder if at.fold is None else at.at_seed(0).folder
        table = confusion_table(pairs[0], pairs[1], len(cell.record.classes))
        tables.setdefault(name, []).append(table)
    if not tables:
        return None
    counts = np.array([np.mean(own, axis=0, dtype=np.float64) for own in tables.values()])
    return Confusion(recipe, cells[0].record.classes, tuple(tables), counts)


def matrix_figure(found: Sequence[Confusion], split: str) -> Figure | None:
    """The confusion matrix of the recipe the reader chooses; None where there is none to draw."""
    if not found or len(found[0].classes) > MOST_CLASSES:
        return None
    classes = found[0].classes
    k = len(classes)
    columns: dict[str, Sequence[Any]] = {}
    for confusion in found:
        columns |= _matrix_columns(confusion)
    options = [Option(str(c.recipe.index), c.recipe.name, c.recipe.index) for c in found]
    start = options[1] if len(options) > 1 else options[0]
    return Figure(
        id="confusion",
        title="What is taken for what",
        summary=_matrix_summary(found),
        note="Each row is a true class and adds up to 100 %: of its examples, the share that was "
        f"given each label, averaged over {found[0].unit}s. The diagonal is right; colour grows "
        "with the square root, so that small confusions show.",
        height={"wide": max(420, min(720, 40 * k + 120)), "narrow": max(380, 24 * k + 130)},
        traces=[_heat_map(classes, found[0].unit)],
        layout=_matrix_layout(classes),
        columns=columns,
        controls=[Control("recipe", "Recipe", options, value=start.value)],
        tables=_matrix_tables(found, split),
    )


def _matrix_columns(confusion: Confusion) -> dict[str, Sequence[Any]]:
    shares, counts, key = confusion.shares, confusion.counts, str(confusion.recipe.index)
    labelled = len(confusion.classes) <= MOST_LABELLED
    texts = [[_percent(share) if labelled else "" for share in row] for row in shares]
    numbers = np.stack([100 * shares, counts], axis=-1)
    return {
        f"{key}/shade": np.sqrt(shares).tolist(),
        f"{key}/numbers": numbers.round(2).tolist(),
        f"{key}/text": texts,
    }


def _percent(share: float) -> str:
    """Whole percents; nothing for shares below half a percent."""
    return "" if not share >= 0.005 else f"{100 * share:.0f}"


def _heat_map(classes: Sequence[str], unit: str) -> Trace:
    names = [escaped(name) for name in classes]
    hover = (
        "<b>%{y}</b> given label <b>%{x}</b><br>"
        f"%{{customdata[0]}} %: %{{customdata[1]}} examples a {unit}<extra></extra>"
    )
    return {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": column("{recipe}/shade"),
        "text": column("{recipe}/text"),
        "texttemplate": "%{text}",
        "customdata": column("{recipe}/numbers"),
        "hovertemplate": hover,
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "colorscale": [[0, "--heat-0"], [0.5, "--heat-1"], [1, "--heat-2"]],
        "showscale": False,
    }


def _matrix_layout(classes: Sequence[str]) -> dict[str, Any]:
    places = list(range(len(classes)))
    wide = [escaped(words.cut(name, 16)) for name in classes]
    narrow = [escaped(words.cut(name, 9)) for name in classes]
    longest = max(map(len, wide))
    ticks = {
        "type": "category",
        "tickvals": places,
        "ticktext": on_screen(wide, narrow),
        "showgrid": False,
    }
    ticks |= {"zeroline": False, "ticks": "", "showline": False}
    room = min(130, 24 + 7 * longest)
    return {
        "xaxis": {**ticks, "title": {"text": "given label"}, "tickangle": -45, "side": "bottom"},
        "yaxis": {**ticks, "title": {"text": "true class"}, "autorange": "reversed"},
        "margin": {"l": on_screen(room + 30, 88), "r": 4, "t": 8, "b": on_screen(room + 20, 88)},
    }


def worst_pairs(confusion: Confusion) -> list[tuple[int, int, float, float]]:
    """The most frequent mistakes: label, prediction, share, count a seed."""
    counts = confusion.counts.copy()
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:WORST_PAIRS]
    pairs = [divmod(int(place), len(confusion.classes)) for place in order]
    shares = confusion.shares
    return [(i, j, float(shares[i, j]), float(counts[i, j])) for i, j in pairs if counts[i, j] > 0]


def pairs_table(found: Sequence[Confusion]) -> Table:
    """The most frequent mistakes of every recipe, for data with too many classes to draw."""
    rows = []
    for confusion in found:
        for i, j, share, count in worst_pairs(confusion):
            rows.append(
                [
                    Cell(confusion.recipe.name, head=True, recipe=confusion.recipe.index),
                    Cell(confusion.classes[i]),
                    Cell(confusion.classes[j]),
                    Cell(f"{100 * share:.1f}", share, numeric=True),
                    Cell(f"{count:.1f}", count, numeric=True),
                ]
            )
    header = ["Recipe", "True class", "Taken for", "Share (%)", f"Examples a {found[0].unit}"]
    return Table("The most frequent mistakes", header, rows)


def _matrix_summary(found: Sequence[Confusion]) -> str:
    parts = []
    for confusion in found:
        worst = worst_pairs(confusion)[:1]
        for i, j, share, _ in worst:
            names = f"{confusion.classes[i]} for {confusion.classes[j]}"
            parts.append(f"{confusion.recipe.name} most often takes {names} ({100 * share:.1f} %)")
    return f"Confusion matrix, one recipe at a time. {'; '.join(parts)}."


def _matrix_tables(found: Sequence[Confusion], split: str) -> list[Table]:
    """Every count; of many classes, what is right of each and the most frequent mistakes."""
    if len(found[0].classes) <= MOST_TABLED:
        return [_matrix_table(confusion, split) for confusion in found]
    rows = []
    for k, name in enumerate(found[0].classes):
        shares = [float(confusion.shares[k, k]) for confusion in found]
        right = [Cell(f"{100 * share:.1f}", share, numeric=True) for share in shares]
        rows.append([Cell(name, head=True), *right])
    header = ["True class", *(confusion.recipe.name for confusion in found)]
    return [Table("Found of each class (%)", header, rows), pairs_table(found)]


def _matrix_table(confusion: Confusion, split: str) -> Table:
    counts = confusion.counts
    rows = [
        [Cell(name, head=True)]
        + [Cell(f"{count:.1f}", float(count), numeric=True) for count in counts[i]]
        for i, name in enumerate(confusion.classes)
    ]
    unit = confusion.unit
    examples = "examples" if unit == "fold" else f"{split} examples"
    caption = f"{confusion.recipe.name}: {examples} a {unit}, by true class and given label"
    return Table(caption, ["True class", *confusion.classes], rows)


@dataclass(frozen=True)
class Change:
    """How a recipe's recalls differ from the control's: means and half 95 % intervals, (K,)."""

    recipe: RecipeResult
    mean: Floats
    half: Floats

    def ends(self, k: int) -> tuple[float, float] | None:
        """The interval of a class, as far as recalls can differ; None where there is none."""
        mean, half = float(self.mean[k]), float(self.half[k])
        return None if np.isnan(half) else (max(mean - half, -1.0), min(mean + half, 1.0))


def changes(found: Sequence[Confusion], rivals: Mapping[str, str]) -> list[Change]:
    """The recall differences of every recipe to its control, paired by seed or fold.

    Over folds the spread is widened, because training sets overlap (Nadeau and Bengio 2003).
    """
    by_name = {confusion.recipe.name: confusion for confusion in found}
    listed = []
    for confusion in found:
        base = by_name.get(rivals.get(confusion.recipe.name, ""))
        if base is None or base is confusion:
            continue
        shared = [name for name in base.replicates if name in confusion.replicates]
        if not shared:
            continue
        rows = [confusion.replicates.index(name) for name in shared]
        base_rows = [base.replicates.index(name) for name in shared]
        d = confusion.recalls[rows] - base.recalls[base_rows]
        if np.isnan(d).all():
            continue  # no class both have examples of
        n = len(shared)
        half = np.full(d.shape[1], np.nan)
        if n > 1:
            overlap = 1 / (base.fold_count - 1) if base.fold_count else 0.0
            error = d.std(axis=0, ddof=1) * np.sqrt(1 / n + overlap)
            half = words.t_quantile(n - 1) * error
        listed.append(Change(confusion.recipe, d.mean(axis=0), half))
    return listed


def recall_figure(found: Sequence[Confusion], rivals: Mapping[str, str]) -> Figure | None:
    """Recall differences per class; None without a control to compare with."""
    listed = changes(found, rivals)
    if not listed:
        return None
    classes = found[0].classes
    order = _by_size(listed)[:MOST_ROWS]
    step = max(30, 13 * len(listed) + 12)
    far = _far_away(listed)
    boxes = [
        Option(str(c.recipe.index), c.recipe.name, c.recipe.index, c.recipe.name not in far)
        for c in listed
    ]
    away = "" if not far else f" Not ticked, as far away: {words.joined(far)}."
    shown = "" if len(order) == len(classes) else f" The {len(order)} that move most are shown."
    very = "" if found[0].fold_count else " for these very examples"
    return Figure(
        id="recall",
        title="Which classes gain, which lose",
        summary=_recall_summary(listed, classes),
        note="The share of each class that is found (its recall), against the control at the same "
        f"{found[0].unit}s. Bars are 95 % intervals over {found[0].unit}s{very}; they carry no "
        f"verdict, and among many classes some miss zero by luck.{shown}{away}",
        height=step * len(order) + 64,
        traces=[_recall_trace(c, order, i, listed, classes) for i, c in enumerate(listed)],
        layout=_recall_layout(classes, order),
        controls=[Control("recipes", "Recipes", boxes, kind="boxes")],
        tables=[_recall_table(listed, classes)],
    )


def _far_away(listed: Sequence[Change]) -> list[str]:
    """Recipes so much better or worse that they would squeeze the others: a baseline, mostly."""
    sizes = [float(np.nanmedian(np.abs(change.mean))) for change in listed]
    reach = max(0.15, 5 * min(sizes))
    far = [c.recipe.name for c, size in zip(listed, sizes, strict=True) if size > reach]
    return far if len(far) < len(listed) else []


def _by_size(listed: Sequence[Change]) -> list[int]:
    """Classes that have examples, the one with the largest change of any recipe first."""
    size = np.nanmax(np.abs([np.nan_to_num(change.mean) for change in listed]), axis=0)
    present = ~np.isnan(listed[0].mean)
    return [int(k) for k in np.argsort(-size, kind="stable") if present[k]]


def _recall_trace(
    change: Change, order: list[int], place: int, listed: Sequence[Change], classes: Sequence[str]
) -> Trace:
    style = look(change.recipe.index)
    shift = 0.0 if len(listed) == 1 else (place / (len(listed) - 1) - 0.5) * 0.56
    rows = [len(order) - 1 - i - shift for i in range(len(order))]
    means = [short(100 * float(change.mean[k])) for k in order]
    spans = [change.ends(k) or (np.nan, np.nan) for k in order]
    bars = [(high - m, m - low) for m, (low, high) in zip(change.mean[order], spans, strict=True)]
    hover = [_recall_hover(change, k, classes[k]) for k in order]
    return {
        "mode": "markers",
        "group": str(change.recipe.index),
        "x": means,
        "y": [short(row) for row in rows],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [short(100 * float(up)) for up, _ in bars],
            "arrayminus": [short(100 * float(down)) for _, down in bars],
            "color": style.colour,
            "thickness": 1.5,
            "width": 0,
        },
        "marker": {"color": style.colour, "symbol": style.mark, "size": 8},
        "hovertext": hover,
        "hoverinfo": "text",
    }


def _recall_hover(change: Change, k: int, name: str) -> str:
    metric = words.Metric(words.RECALL)
    mean, span = float(change.mean[k]), change.ends(k)
    ends = f"<br>{metric.range(span, signs=True)}" if span else ""
    recipe = escaped(change.recipe.name)
    return f"<b>{escaped(name)}</b>, {recipe}<br>recall {metric.difference(mean)} points{ends}"


def _recall_layout(classes: Sequence[str], order: list[int]) -> dict[str, Any]:
    rows = list(range(len(order) - 1, -1, -1))
    names = [escaped(words.cut(classes[k], 18)) for k in order]
    room = min(140, 16 + 7 * max(map(len, names)))
    return {
        "xaxis": {
            "title": {"text": "Difference in recall (points)"},
            "zeroline": True,
            "zerolinecolor": "--ink",
            "zerolinewidth": 1.5,
        },
        "yaxis": {
            **NAMES_ON_Y,
            "showticklabels": True,
            "tickvals": rows,
            "ticktext": names,
            "range": [-0.6, len(order) - 0.4],
        },
        "shapes": [_stripe(row) for row in rows[1::2]],
        "margin": {"l": room, "r": 8, "t": 8, "b": 48},
    }


def _stripe(row: int) -> dict[str, Any]:
    """Every other row stands on a ground of its own."""
    edges = {"x0": 0, "x1": 1, "y0": row - 0.5, "y1": row + 0.5}
    ground = {"fillcolor": "--raised", "line": {"width": 0}, "layer": "below"}
    return {"type": "rect", "xref": "paper", **edges, **ground}


def _recall_summary(listed: Sequence[Change], classes: Sequence[str]) -> str:
    metric, parts = words.Metric(words.RECALL), []
    for change in listed:
        k = int(np.nanargmax(np.abs(change.mean)))
        moved = metric.difference(float(change.mean[k]))
        parts.append(f"{change.recipe.name} moves {classes[k]} most, by {moved} points")
    return f"Differences in recall to the control, class by class: {'; '.join(parts)}."


def _recall_table(listed: Sequence[Change], classes: Sequence[str]) -> Table:
    metric, rows = words.Metric(words.RECALL), []
    for k, name in enumerate(classes):
        row = [Cell(name, head=True)]
        for change in listed:
            mean, ends = float(change.mean[k]), change.ends(k)
            known = None if np.isnan(mean) else mean
            note = metric.range(ends, signs=True) if ends else ""
            row.append(Cell(metric.difference(known), known, numeric=True, note=note))
        rows.append(row)
    header = ["Class", *(change.recipe.name for change in listed)]
    return Table("Difference in recall (points), 95 % interval below", header, rows)
