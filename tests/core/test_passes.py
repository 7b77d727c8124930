"""The size of a pass: as long as places do not matter, asked once, never of constant outputs."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.passes import PassSize

Floats = NDArray[np.float64]


def draw(count: int) -> Floats:
    return np.random.default_rng(0).standard_normal((count, 3))


def rounded_by_place(first: int) -> Callable[[Floats], Floats]:
    """From this place on, sums are the next greater number."""

    def compute(items: Floats) -> Floats:
        sums: Floats = items.sum(axis=1, keepdims=True)
        sums[first:] = np.nextafter(sums[first:], np.inf)
        return sums

    return compute


@pytest.mark.parametrize(("first", "size"), [(64, 64), (63, 16), (16, 16), (6, 4), (1, 1), (0, 64)])
def test_the_longest_pass_whose_rows_are_alike(first: int, size: int) -> None:
    assert PassSize(64)(rounded_by_place(first), draw) == size


def test_it_is_tried_out_once() -> None:
    size = PassSize(64)
    calls: list[int] = []

    def compute(items: Floats) -> Floats:
        calls.append(len(items))
        return rounded_by_place(6)(items)

    assert size(compute, draw) == 4
    tried = len(calls)
    assert [size(compute, draw) for _ in range(3)] == [4, 4, 4]
    assert len(calls) == tried


def test_outputs_that_are_constant_say_nothing() -> None:
    size = PassSize(64)
    assert size(lambda items: np.zeros((len(items), 2)), draw) == 64
    assert size(rounded_by_place(6), draw) == 4


def test_not_a_number_is_not_a_difference() -> None:
    assert PassSize(8)(lambda items: np.full((len(items), 1), np.nan), draw) == 8


def test_one_item_is_alone() -> None:
    assert PassSize(1)(rounded_by_place(0), draw) == 1
