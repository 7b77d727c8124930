"""Distinct n-grams and repetition, by hand."""

import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.variety import distinct, repetition, variety


def test_distinct() -> None:
    assert distinct([list("abab"), list("ab")], 1) == 2 / 6
    assert distinct([list("abab"), list("ab")], 2) == 2 / 4
    assert distinct([["a"]], 2) == 0
    assert distinct([], 1) == 0


def test_repetition() -> None:
    assert repetition(list("abcabc"), 2) == 1 - 3 / 5
    assert repetition(list("abc"), 1) == 0
    assert repetition([], 4) == 0


def test_together() -> None:
    found = variety([[1, 2, 3, 4, 5], [1, 1, 1, 1, 1, 1]])
    assert found["distinct_1"] == 5 / 11
    assert found["repetition_4"] == (0 + (1 - 1 / 3)) / 2
    assert set(variety([])) == set(found)


def test_no_length() -> None:
    with pytest.raises(InputError, match="length of 0"):
        distinct([["a"]], 0)
