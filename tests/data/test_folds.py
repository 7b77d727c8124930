"""Folds: stratified, groups whole, every example held out once, the same for all recipes."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

from bakeoff.core.cell import Folds, Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.recipe import DataSettings
from bakeoff.data import catalogue, splits
from bakeoff.data.dataset import Dataset, numbered
from bakeoff.data.folds import assign, held_out


def dataset(labels: list[int], groups: list[int] | None = None, classes: int = 2) -> Dataset:
    items = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    train = Examples(
        items,
        np.array(labels, np.int64),
        numbered(len(labels)),
        None if groups is None else np.array(groups, np.int64),
    )
    return Dataset("made", "image", tuple("abcdef"[:classes]), train, None)


def cut(given: Dataset, count: int = 5, repeat: int = 0, seed: int = 0) -> list[list[int]]:
    folds = Folds(count=count, seed=seed)
    return [
        held_out(given, folds, Replicate(seed=0, repeat=repeat, fold=f)).tolist()
        for f in range(count)
    ]


def table(labels: np.ndarray, folds: np.ndarray, count: int) -> np.ndarray:
    """(classes, folds) counts."""
    return np.array([np.bincount(folds[labels == c], minlength=count) for c in np.unique(labels)])


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_every_example_is_held_out_exactly_once_a_repeat(count: int) -> None:
    given = catalogue.load("digits")
    for repeat in range(2):
        folds = cut(given, count, repeat)
        assert sorted(chain(*folds)) == list(range(len(given.train)))
        assert all(fold == sorted(fold) for fold in folds)


def test_folds_are_stratified_to_within_one_example() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        count, labels = int(rng.integers(2, 11)), rng.integers(0, 4, int(rng.integers(20, 200)))
        found = table(labels, assign(labels, count, rng.random(len(labels))), count)
        assert np.ptp(found, axis=1).max() <= 1
        assert np.ptp(found.sum(axis=0)) <= 1


def test_groups_never_straddle_and_keep_the_classes_even() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        labels = rng.integers(0, 3, 240)
        groups = rng.integers(0, 80, 240)
        folds = assign(labels, 4, rng.random(240), groups)
        assert all(len(np.unique(folds[groups == group])) == 1 for group in np.unique(groups))
        assert np.ptp(table(labels, folds, 4), axis=1).max() <= 6


def test_examples_that_stand_alone_even_out_what_groups_left() -> None:
    labels = np.array([0] * 40 + [1] * 40)
    groups = np.concatenate([np.zeros(12, int), np.arange(1, 69)])
    folds = assign(labels, 4, np.random.default_rng(2).random(80), groups)
    assert len(np.unique(folds[:12])) == 1
    assert table(labels, folds, 4)[1].tolist() == [10, 10, 10, 10]
    assert sorted(table(labels, folds, 4)[0].tolist()) == [9, 9, 10, 12]


def test_copies_stay_together() -> None:
    given = dataset([0, 1] * 20)
    items = given.train.items.copy()  # type: ignore[union-attr]
    items[:4] = 7
    given = replace(given, train=replace(given.train, items=items))
    assert given.together is not None
    assert sum(bool({0, 1, 2, 3} & set(fold)) for fold in cut(given, 4)) == 1


def test_repeats_and_seeds_differ_and_nothing_else_matters() -> None:
    given = catalogue.load("digits")
    assert cut(given) == cut(given)
    assert cut(given, repeat=1) != cut(given)
    assert cut(given, seed=1) != cut(given)
    folds = Folds(count=5)
    first = held_out(given, folds, Replicate(seed=0, fold=2))
    assert held_out(given, folds, Replicate(seed=9, fold=2)).tolist() == first.tolist()


def test_folds_do_not_depend_on_a_recipes_settings() -> None:
    given, folds = catalogue.load("digits"), Folds(count=5)
    replicate = Replicate(seed=0, fold=1)
    drawn = [
        splits.draw_cell(given, DataSettings.parse({"set": "digits", **data}), replicate, folds)
        for data in ({}, {"labels": 50}, {"validation": 0.3}, {"normalise": "feature"})
    ]
    expected = held_out(given, folds, replicate).tolist()
    for split in drawn:
        assert split.fold is not None
        assert split.fold.tolist() == expected
        inside = {*split.train.tolist(), *split.validation.tolist()}
        assert not inside & set(expected)
    assert len(drawn[1].train) == 50
    assert len({split.hash for split in drawn[:3]}) == 3


def test_classes_are_filtered_after_the_cut() -> None:
    given, folds = catalogue.load("digits"), Folds(count=3)
    settings = DataSettings.parse({"set": "digits", "classes": ["7", "1"]})
    split = splits.draw_cell(given, settings, Replicate(seed=0, fold=0), folds)
    held = split.fold_examples()
    assert set(held.labels.tolist()) == {0, 1}
    whole = held_out(given, folds, Replicate(seed=0, fold=0))
    assert len(held) == np.isin(given.train.labels[whole], [1, 7]).sum()


def test_published_validation_stays_validation() -> None:
    whole = catalogue.load("digits")
    parts = np.arange(700), np.arange(700, 800)
    given = replace(whole, train=whole.train.take(parts[0]), validation=whole.train.take(parts[1]))
    settings = DataSettings(set="digits")
    for fold in range(5):
        split = splits.draw_cell(given, settings, Replicate(seed=0, fold=fold), Folds(count=5))
        assert split.published
        assert split.validation.tolist() == list(range(100))
        assert split.fold is not None
        assert len(split.train) + len(split.fold) == 700


def test_examples_without_a_label_are_in_no_fold() -> None:
    assert sorted(chain(*cut(dataset([0, 1, -1] * 10), 2))) == [i for i in range(30) if i % 3 < 2]


def test_numbers_are_cut_without_strata() -> None:
    given = dataset([0] * 12)
    targets = np.linspace(0, 1, 12)
    targets[3] = np.nan
    given = replace(given, classes=(), train=replace(given.train, labels=targets))
    folds = cut(given, 3)
    assert sorted(chain(*folds)) == [i for i in range(12) if i != 3]
    assert sorted(map(len, folds)) == [3, 4, 4]


def test_what_cannot_be_cut() -> None:
    with pytest.raises(InputError, match=r"folds: 5 received, but made has 4 labelled training"):
        cut(dataset([0, 1, 0, 1]))
    with pytest.raises(InputError, match=r"folds: 3 received, but made has 2 groups"):
        cut(dataset([0, 1] * 4, groups=[0] * 4 + [1] * 4), 3)
    with pytest.raises(InputError, match="in the order of time"):
        cut(replace(dataset([0, 1] * 10), ordered=True))
    with pytest.raises(ValueError, match="no fold 5 of 5"):
        held_out(dataset([0, 1] * 10), Folds(count=5), Replicate(seed=0, fold=5))


def test_a_class_that_lies_in_one_fold_is_refused() -> None:
    given = dataset([0] * 20 + [1])
    settings = DataSettings(set="digits")
    rare = next(f for f, held in enumerate(cut(given, 3)) if 20 in held)
    with pytest.raises(InputError, match="no training example of b"):
        splits.draw_cell(given, settings, Replicate(seed=0, fold=rare), Folds(count=3))
