"""Tests of data sets and of the test split that is set aside."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.data.dataset import Dataset, hold_out_test, numbered
from bakeoff.data.hashing import examples_hash

Make = Callable[..., Examples]


def test_hash_covers_every_split(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset([0, 1] * 10)
    other = make_dataset([0, 1] * 10, validation=[0, 1])
    assert dataset.hash == make_dataset([0, 1] * 10).hash
    assert len({dataset.hash, other.hash, replace(dataset, test=None).hash}) == 3
    assert dataset.test is not None
    assert dataset.test_hash == examples_hash(dataset.test, dataset.classes) == other.test_hash


def test_splits_and_shape(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset([0, 1] * 10, validation=[0, 1])
    assert list(dataset.splits) == ["train", "validation", "test"]
    assert dataset.shape == (4, 4, 1)
    texts = Examples(["a"], np.array([0]), np.array(["0"]))
    bare = Dataset("t", "text", ("a",), texts, None)
    assert bare.shape == ()
    assert list(bare.splits) == ["train"]
    with pytest.raises(InputError, match="t: has no test split"):
        _ = bare.test_hash


def test_numbered() -> None:
    assert numbered(11).tolist() == [str(i) for i in range(11)]
    assert numbered(0).shape == (0,)


def test_a_fifth_is_set_aside_stratified(make_examples: Make) -> None:
    labels = np.repeat([0, 1], [80, 20])
    train, test, note = hold_out_test(make_examples(labels), ("a", "b"), "here")
    assert np.bincount(test.labels).tolist() == [16, 4]
    assert sorted([*train.ids, *test.ids], key=int) == numbered(100).tolist()
    assert "20 of 100 examples set aside" in note


def test_the_draw_follows_the_content_not_the_order(make_examples: Make) -> None:
    labels = np.repeat([0, 1], [80, 20])
    whole = make_examples(labels)
    shuffle = np.random.default_rng(0).permutation(100)
    _, test, _ = hold_out_test(whole, ("a", "b"), "here")
    _, again, _ = hold_out_test(whole.take(shuffle), ("a", "b"), "here")
    assert set(test.ids) == set(again.ids)


def test_more_examples_hardly_move_the_draw(make_examples: Make) -> None:
    whole = make_examples(np.arange(1000) % 2)
    _, test, _ = hold_out_test(whole.take(np.arange(950)), ("a", "b"), "here")
    _, larger, _ = hold_out_test(whole, ("a", "b"), "here")
    assert len(set(test.ids) - set(larger.ids)) < 0.1 * len(test)


def test_duplicates_and_groups_are_not_torn_apart(make_examples: Make) -> None:
    single = make_examples(np.arange(60) % 2)
    doubled = single.take(np.repeat(np.arange(60), 2))
    train, test, _ = hold_out_test(doubled, ("a", "b"), "here")
    assert not set(train.ids) & set(test.ids)
    groups: NDArray[np.int64] = np.arange(60, dtype=np.int64) // 4
    train, test, note = hold_out_test(replace(single, groups=groups), ("a", "b"), "here")
    assert train.groups is not None
    assert test.groups is not None
    assert not set(train.groups.tolist()) & set(test.groups.tolist())
    assert "groups kept whole" in note


def test_copies_link_groups(make_dataset: Callable[..., Dataset], make_examples: Make) -> None:
    """Rows 0, 1 | 2, 3 | 4, 5 are groups; 1 and 2 are copies, so are 4 and 5."""
    examples = make_examples(np.arange(8) % 2).take(np.array([0, 1, 1, 2, 3, 3, 4, 5]))
    groups = np.array([7, 7, 9, 9, 4, 4, 1, 2])
    together = replace(make_dataset([0, 1]), train=replace(examples, groups=groups)).together
    assert together is not None
    _, found = np.unique(together, return_inverse=True)
    assert len(set(found[:4].tolist())) == 1
    assert len(set(found.tolist())) == 4
    assert found[4] == found[5]


@pytest.mark.parametrize("each", [3, 4])
def test_of_few_examples_one_of_each_class_is_set_aside(make_examples: Make, each: int) -> None:
    """A fifth of them would be fewer than there are classes."""
    labels = np.repeat(np.arange(7), each)
    train, test, _ = hold_out_test(make_examples(labels), tuple("abcdefg"), "here")
    assert sorted(test.labels.tolist()) == [*range(7)]
    assert np.bincount(train.labels).tolist() == [each - 1] * 7


@pytest.mark.parametrize(
    ("labels", "groups", "message"),
    [
        ([0] * 10 + [1] * 2, None, "here: 'b' has 2; without a test split every class needs"),
        ([0] * 10 + [1] * 5, [*range(10), *[10] * 5], "examples of 'b' belong to one group"),
    ],
)
def test_what_cannot_be_set_aside_is_refused(
    make_examples: Make, labels: list[int], groups: list[int] | None, message: str
) -> None:
    array = None if groups is None else np.array(groups)
    with pytest.raises(InputError, match=message):
        hold_out_test(make_examples(labels, groups=array), ("a", "b"), "here")
