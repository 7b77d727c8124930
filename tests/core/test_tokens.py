"""Tests of token sequences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.core.tokens import Tokens

sequences = st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=9), max_size=8)


@given(sequences)
def test_sequences_come_back(lists: list[list[int]]) -> None:
    tokens = Tokens.of(lists)
    assert len(tokens) == len(lists)
    assert [tokens[i].tolist() for i in range(len(tokens))] == lists
    assert tokens.lengths.tolist() == [len(ids) for ids in lists]


@given(sequences, st.data())
def test_rows_are_taken_in_any_order(lists: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=9)) if lists else []
    taken = Tokens.of(lists).take(np.array(rows, np.intp))
    assert [taken[i].tolist() for i in range(len(taken))] == [lists[row] for row in rows]


@given(sequences, st.none() | st.integers(0, 12))
def test_padding_fills_up_and_cuts_off(lists: list[list[int]], width: int | None) -> None:
    padded = Tokens.of(lists).padded(-1, width)
    wide = max(map(len, lists), default=0) if width is None else width
    assert padded.shape == (len(lists), wide)
    assert padded.dtype == np.int32
    assert padded.tolist() == [(ids + [-1] * wide)[:wide] for ids in lists]


def test_padding_also_what_was_cut_from_another_set() -> None:
    whole = Tokens.of([[1, 2], [3], [4, 5, 6]])
    part = Tokens(whole.ids, whole.starts[1:])
    assert part.padded(0).tolist() == [[3, 0, 0], [4, 5, 6]]
    assert part.padded(0, 2).tolist() == [[3, 0], [4, 5]]


@pytest.mark.parametrize("index", [2, -3])
def test_there_is_no_sequence_outside(index: int) -> None:
    with pytest.raises(IndexError):
        Tokens.of([[1], [2]])[index]
