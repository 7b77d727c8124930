"""Confusion tables and recalls, counted again by hand."""

from dataclasses import replace

import numpy as np
import pytest

from bakeoff.report import confusion
from bakeoff.report.confusion import Confusion
from bakeoff.report.folder import RunFolder
from bakeoff.report.results import parse

RECIPES = parse({"control": "a", "recipes": {"a": {}, "b": {}}}).recipes


def made(index: int, tables: list[list[list[int]]], seeds: tuple[str, ...]) -> Confusion:
    classes = ("x", "y", "z")
    return Confusion(RECIPES[index], classes, seeds, np.array(tables, dtype=float))


A = made(0, [[[8, 2, 0], [1, 9, 0], [0, 0, 0]], [[6, 4, 0], [3, 7, 0], [0, 0, 0]]], ("s0", "s1"))
B = made(1, [[[9, 1, 0], [1, 9, 0], [0, 0, 0]], [[8, 2, 0], [2, 8, 0], [0, 0, 0]]], ("s0", "s1"))


def test_counts_are_means_and_rows_add_up_to_one() -> None:
    assert A.counts.tolist() == [[7, 3, 0], [2, 8, 0], [0, 0, 0]]
    assert A.shares[0].tolist() == [0.7, 0.3, 0]
    assert np.isnan(A.shares[2]).all()  # a class without examples


def test_recall_changes_are_paired() -> None:
    (change,) = confusion.changes([A, B], {"b": "a"})
    assert change.recipe.name == "b"
    assert change.mean[:2].tolist() == pytest.approx([0.15, 0.05])
    assert np.isnan(change.mean[2])
    half = 12.706205 * np.std([0.1, 0.2], ddof=1) / 2**0.5
    assert change.half[0] == pytest.approx(half)
    assert half > 0.4
    assert list(change.ends(0) or ()) == pytest.approx([0.15 - half, 0.15 + half])
    assert change.ends(2) is None
    wide = replace(change, half=np.array([3.0, 3.0, 3.0]))
    assert wide.ends(0) == (-1, 1)  # no recall differs by more
    axis = confusion._recall_trace(wide, [0, 1], 0, [wide], ("x", "y", "z"))["error_x"]
    assert axis["array"] == pytest.approx([85, 95])
    assert axis["arrayminus"] == pytest.approx([115, 105])


def test_only_shared_seeds_are_compared() -> None:
    other = replace(B, replicates=("s1", "s7"))
    (change,) = confusion.changes([A, other], {"b": "a"})
    assert change.mean[0] == pytest.approx(0.9 - 0.6)
    assert np.isnan(change.half).all()
    assert confusion.changes([A, replace(B, replicates=("s8", "s9"))], {"b": "a"}) == []
    assert confusion.changes([B], {"b": "a"}) == []


def test_most_frequent_mistakes() -> None:
    assert confusion.worst_pairs(A) == [(0, 1, 0.3, 3.0), (1, 0, 0.2, 2.0)]
    table = confusion.pairs_table([A, B])
    assert [cell.text for cell in table.rows[0]] == ["a", "x", "y", "30.0", "3.0"]


def test_matrices_of_the_example(run: RunFolder) -> None:
    found = confusion.read(run)
    assert [c.recipe.name for c in found] == [r.name for r in run.results.recipes]
    for own in found:
        score = run.results.score(own.recipe)
        assert score is not None
        right = np.trace(own.counts) / own.counts.sum()
        assert right == pytest.approx(score.mean)
        assert own.counts.sum() == pytest.approx(600)
    figure = confusion.matrix_figure(found, "test")
    assert figure is not None
    assert figure.columns["0/shade"][0][0] == pytest.approx(found[0].shares[0, 0] ** 0.5)
    percent, count = figure.columns["0/numbers"][0][1]
    assert percent == pytest.approx(100 * found[0].shares[0, 1], abs=0.005)
    assert count == pytest.approx(found[0].counts[0, 1])
    assert len(figure.tables) == 5


def test_too_many_classes_are_not_drawn() -> None:
    many = replace(A, classes=tuple(map(str, range(41))), tables=np.ones((1, 41, 41)))
    assert confusion.matrix_figure([many], "test") is None
    assert confusion.matrix_figure([], "test") is None


def test_many_classes_get_shorter_tables() -> None:
    many = replace(A, classes=tuple(map(str, range(30))), tables=np.ones((1, 30, 30)))
    figure = confusion.matrix_figure([many], "test")
    assert figure is not None
    right, mistakes = figure.tables
    assert len(right.rows) == 30
    assert len(mistakes.rows) == confusion.WORST_PAIRS
    assert set(figure.columns["0/text"][0]) == {""}


def test_classes_without_examples_are_not_drawn() -> None:
    figure = confusion.recall_figure([A, B], {"b": "a"})
    assert figure is not None
    assert figure.layout["yaxis"]["ticktext"] == ["x", "y"]
    assert confusion.recall_figure([A], {"b": "a"}) is None


def test_recall_figure_of_the_example(run: RunFolder) -> None:
    figure = confusion.recall_figure(confusion.read(run), run.results.rivals())
    assert figure is not None
    assert len(figure.traces) == 4
    assert len(figure.tables[0].rows) == 10
    assert "carry no verdict" in figure.note
    boxes = figure.controls[0].options
    assert [option.label for option in boxes if not option.ticked] == ["softmax"]
    assert "as far away: softmax" in figure.note


def test_over_folds_the_interval_is_widened() -> None:
    recipes = parse({"recipes": {"a": {}, "b": {}}, "control": "a"}).recipes
    hits = ((5, 6, 7), (8, 8, 9))
    tables = [np.array([[[h, 10 - h], [5, 5]] for h in own], dtype=float) for own in hits]
    names = ("seed-0.fold-0", "seed-0.fold-1", "seed-0.fold-2")
    found = [
        confusion.Confusion(r, ("x", "y"), names, t) for r, t in zip(recipes, tables, strict=True)
    ]
    folds = [replace(f, fold_count=3) for f in found]
    (plain,), (wide,) = (confusion.changes(f, {"b": "a"}) for f in (found, folds))
    assert wide.half[0] == pytest.approx(plain.half[0] * np.sqrt((1 / 3 + 1 / 2) * 3))
    assert folds[0].unit == "fold"
