"""Odd values count as missing."""

import math

import pytest

from bakeoff.report import values


@pytest.mark.parametrize("value", [None, True, "1", [1], {}, math.nan, math.inf, 10**400])
def test_what_is_no_number_is_none(value: object) -> None:
    assert values.number(value) is None
    assert values.whole(value) is None


def test_numbers() -> None:
    assert values.number(3) == 3.0
    assert values.whole(3.0) == 3
    assert values.whole(3.5) is None


def test_texts() -> None:
    assert values.text("a") == "a"
    assert values.text(True) == "true"
    assert values.text(2.5) == "2.5"
    assert values.text(None, "b") == "b"
    assert values.text([1]) == ""


def test_containers() -> None:
    assert values.mapping({1: 2}) == {"1": 2}
    assert values.mapping([1]) == {}
    assert values.listing((1, 2)) == [1, 2]
    assert values.listing("ab") == []
    assert values.interval([1, 2.5]) == (1.0, 2.5)
    assert values.interval([1, None]) is None
    assert values.interval([1, 2, 3]) is None


def test_short_keeps_six_digits() -> None:
    assert values.short(0.123456789) == 0.123457
    assert values.short(1234567.0) == 1234570.0
    assert values.short(math.nan) is None
    assert values.short(None) is None
