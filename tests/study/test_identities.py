"""Which prediction belongs to which id of another file."""

import pytest

from bakeoff.study.identities import match, repeated, some


@pytest.mark.parametrize(
    ("predicted", "wanted"),
    [
        (["a", "b"], ["b", "a"]),
        (["test/1.png", "test/2.png"], ["2", "1"]),
        (["test/1.png", "test/2.png"], ["2.png", "1.png"]),
        (["a/1.png", "b/1.png"], ["b/1", "a/1"]),
        (["1", "2"], ["2.png", "1.png"]),
        (["x/1.png", "x/2.png"], ["y/2.png", "y/1.png"]),
        (["x/1.png", "x/2.png"], ["y/2.jpg", "y/1.jpg"]),
        (["a.b.png", "a.c.png"], ["a.c", "a.b"]),
    ],
)
def test_ways_of_writing_ids(predicted: list[str], wanted: list[str]) -> None:
    assert match(predicted, wanted).rows == {wanted[0]: 1, wanted[1]: 0}


def test_ids_as_they_are_go_before_file_names() -> None:
    """`1.png` and `1` are two items here, and no other way may be mixed in."""
    assert match(["1.png", "1", "2"], ["1", "2"]).rows == {"1": 1, "2": 2}
    assert match(["1.png", "2"], ["1", "2"]).rows == {"1": 0, "2": 1}


def test_what_is_missing_or_could_be_several() -> None:
    found = match(["x/1.png", "y/1.png", "y/2.png"], ["1", "2", "3"])
    assert found.rows == {"2": 2}
    assert found.doubled == {"1": ("x/1.png", "y/1.png")}
    assert match(["1.png"], ["1.jpg", "1.gif"]).rows == {}
    assert match([], ["1"]).rows == {}


def test_odd_names() -> None:
    assert match(["", ".", "a"], ["a"]).rows == {"a": 2}
    assert match(["a"], ["", ".", "/", "a"]).rows == {"a": 0}


def test_lists_of_ids() -> None:
    assert repeated(["b", "a", "b", "c", "a"]) == ["b", "a"]
    assert some(["a", "b\n"]) == "'a', 'b\\n'"
    assert some([*"abcdefg"]) == "'a', 'b', 'c', 'd', 'e' and 2 more"
