"""Blocks of tokens from documents."""

import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.tokens import Tokens
from bakeoff.data.blocks import BlockSettings, cut_blocks

DOCUMENTS = [[1, 2, 3, 4, 5], [6], [7, 8]]
END = 0


def listed(blocks: Tokens) -> list[list[int]]:
    return [blocks[i].tolist() for i in range(len(blocks))]


def test_packed() -> None:
    blocks = cut_blocks(DOCUMENTS, BlockSettings(tokens=4), END)
    assert listed(blocks) == [[1, 2, 3, 4], [5, 0, 6, 0]]  # 7 8 0 does not fill a block
    short = cut_blocks([[1]], BlockSettings(tokens=4), END)
    assert listed(short) == [[1, 0]]


def test_separate() -> None:
    settings = BlockSettings(tokens=4, boundaries="separate")
    assert listed(cut_blocks(DOCUMENTS, settings, END)) == [[1, 2, 3, 4], [5, 0], [6, 0], [7, 8, 0]]


def test_a_rest_of_one_token_is_left_out() -> None:
    settings = BlockSettings(tokens=2, boundaries="separate")
    assert listed(cut_blocks([[1, 2]], settings, END)) == [[1, 2]]


def test_nothing_to_learn_from() -> None:
    nothing: list[list[list[int]]] = [[], [[]]]
    for documents in nothing:
        with pytest.raises(InputError, match="fewer than two tokens"):
            cut_blocks(documents, BlockSettings(), END)
