"""Tests of counting what is odd about texts."""

import numpy as np
import pytest

from bakeoff.core.examples import Examples
from bakeoff.data.dataset import numbered
from bakeoff.data.text_checks import text_remarks


def texts_of(*texts: str) -> Examples:
    return Examples(list(texts), np.zeros(len(texts), np.int64), numbered(len(texts)))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a \ufffd", "lost character"),
        ("don\u0092t", "Latin-1"),
        ("cafÃ©", "UTF-8 read as Windows-1252"),
        ("donâ€™t", "UTF-8 read as Windows-1252"),
        ("a\x00b", "hold control characters"),
        ("one<br />two", "HTML tags"),
        ("a <b class='x'>word</b>", "HTML tags"),
        ("salt &amp; pepper", "HTML entities"),
        ("it&#39;s", "HTML entities"),
        ("it #39;s", "remains of HTML entities"),
        ("x" * 1_000_001, "a line of more than 1,000,000 characters"),
    ],
)
def test_each_oddity_is_counted_with_an_example(text: str, what: str) -> None:
    clean = "Nothing odd: 3 < 4, a > b; R&D, «déjà vu», #1; 100 % — fine.\n\tA new line."
    found = [r for r in text_remarks("test", texts_of(clean, text)) if "at most" not in r]
    assert len(found) == 1
    assert found[0].startswith("test: 1 of 2 texts h")
    assert what in found[0]
    assert found[0].endswith(": 1")


def test_lengths_are_told() -> None:
    said = text_remarks("train", texts_of(*("word " * n for n in range(1, 102))))
    assert said == [
        "train: half of the texts have at most 51 words, 95 % at most 96, the longest 101"
    ]
    assert text_remarks("train", texts_of()) == []
