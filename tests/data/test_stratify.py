"""Tests of stratified selection; the laws are checked on random data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bakeoff.data.stratify import carve, stratified_order

patient = settings(deadline=None)
label_lists = st.lists(st.integers(0, 4), min_size=1, max_size=200)


def keys_for(count: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).random(count)


@patient
@given(label_lists, st.integers(0, 5), st.booleans())
def test_the_order_is_a_permutation(labels: list[int], seed: int, spare: bool) -> None:
    array = np.array(labels)
    order = stratified_order(array, keys_for(len(array), seed), spare_last=spare)
    assert sorted(order.tolist()) == list(range(len(array)))


@patient
@given(label_lists, st.integers(0, 200))
def test_every_prefix_is_stratified(labels: list[int], length: int) -> None:
    array = np.array(labels)
    length = min(length, len(array))
    prefix = array[stratified_order(array, keys_for(len(array)))[:length]]
    sizes, taken = np.bincount(array), np.bincount(prefix, minlength=array.max() + 1)
    present = sizes > 0
    # One of each class comes first; beyond that Webster's method stays within one of the quota,
    # and each class that was favoured so may push the others down by its part of one.
    quota = length * sizes / len(array)
    assert np.all(np.abs(taken - quota)[present] <= 1 + np.count_nonzero(present) / 2)
    if length >= np.count_nonzero(present):
        assert np.all(taken[present] >= 1)


def test_equal_classes_are_taken_equally() -> None:
    labels = np.arange(1000) % 10
    order = stratified_order(labels, keys_for(1000))
    for length in (10, 100, 500):
        assert np.bincount(labels[order[:length]]).tolist() == [length // 10] * 10
    # The odd ones of a prefix are not always of the first classes.
    odd = {tuple(labels[stratified_order(labels, keys_for(1000, s))[:3]]) for s in range(9)}
    assert len(odd) > 5


def test_the_order_follows_the_keys_not_the_positions() -> None:
    labels, keys = np.arange(40) % 4, keys_for(40)
    shuffle = np.random.default_rng(3).permutation(40)
    order = stratified_order(labels, keys)
    again = stratified_order(labels[shuffle], keys[shuffle])
    assert shuffle[again].tolist() == order.tolist()


@patient
@given(label_lists, st.floats(0.01, 0.99), st.integers(0, 3))
def test_a_carve_leaves_something_of_every_class(
    labels: list[int], share: float, seed: int
) -> None:
    array = np.array(labels)
    chosen = carve(array, share, keys_for(len(array), seed))
    rest = np.delete(array, chosen)
    assert set(rest.tolist()) == set(labels)
    assert len(set(chosen.tolist())) == len(chosen)
    sizes = np.bincount(array)
    wanted = max(round(share * len(array)), 1)
    assert len(chosen) == min(wanted, len(array) - np.count_nonzero(sizes))


@patient
@given(label_lists, st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_carves_are_nested(labels: list[int], one: float, other: float) -> None:
    array, keys = np.array(labels), keys_for(len(labels))
    small, large = sorted((carve(array, one, keys), carve(array, other, keys)), key=len)
    assert large[: len(small)].tolist() == small.tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=120),
    st.floats(0.05, 0.5),
)
def test_groups_stay_whole(rows: list[tuple[int, int]], share: float) -> None:
    labels, groups = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    chosen = carve(labels, share, keys_for(len(rows)), groups)
    rest = np.setdiff1d(np.arange(len(rows)), chosen)
    assert not set(groups[chosen].tolist()) & set(groups[rest].tolist())
    assert set(labels[rest].tolist()) == set(labels.tolist())


def test_groups_of_one_give_the_share_asked_for() -> None:
    labels = np.repeat([0, 1], [700, 300])
    chosen = carve(labels, 0.2, keys_for(1000), np.arange(1000))
    assert np.bincount(labels[chosen]).tolist() == [140, 60]


def test_large_groups_come_near_the_share() -> None:
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 60, 3000)
    labels = (generator.random(3000) < 0.3).astype(np.int64)
    chosen = carve(labels, 0.1, keys_for(3000), groups)
    assert 0.08 <= len(chosen) / 3000 <= 0.12
    assert abs(labels[chosen].mean() - labels.mean()) < 0.05


def test_a_class_with_large_groups_only_still_gets_one() -> None:
    labels, groups = np.repeat([0, 1], [20, 20]), np.repeat([0, 1, 2, 3], 10)
    chosen = carve(labels, 0.1, keys_for(40), groups)
    assert sorted(set(labels[chosen].tolist())) == [0, 1]


@pytest.mark.parametrize("groups", [None, np.zeros(5, dtype=np.int64)])
def test_one_of_each_class_or_one_group_cannot_be_carved(
    groups: NDArray[np.int64] | None,
) -> None:
    assert len(carve(np.arange(5), 0.5, keys_for(5), groups)) == 0


def test_many_groups_are_quick_enough() -> None:
    labels = np.arange(20_000) % 10
    chosen = carve(labels, 0.1, keys_for(20_000), np.arange(20_000))
    assert len(chosen) == 2000
