"""Durations in words."""

import pytest

from bakeoff.core.duration import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.0001, "1 ms"),
        (0.0123, "12 ms"),
        (0.25, "250 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (1, "1 s"),
        (2.34, "2.3 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (42.4, "42 s"),
        (59.49, "59 s"),
        (59.5, "1 min"),
        (60, "1 min"),
        (130, "2 min 10 s"),
        (3599.6, "1 h"),
        (7201, "2 h"),
        (7800, "2 h 10 min"),
        (86_400, "1 d"),
        (200_000, "2 d 7 h"),
        (273_600, "3 d 4 h"),
    ],
)
def test_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_another_space_between_number_and_unit() -> None:
    assert duration(0.25, "_") == "250_ms"
    assert duration(2.3, "_") == "2.3_s"
    assert duration(164, "_") == "2_min 44_s"
