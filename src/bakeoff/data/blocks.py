"""Blocks of tokens to learn from, cut from documents."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from bakeoff.core.errors import InputError
from bakeoff.core.frozen import Frozen
from bakeoff.core.tokens import Tokens


class BlockSettings(Frozen):
    """How documents become blocks."""

    tokens: Annotated[int, Field(ge=2)] = 128
    """Of a block: what the model sees at once while it learns."""
    boundaries: Literal["packed", "separate"] = "packed"
    """`packed`: documents follow each other, each with a token at its end, and blocks are cut
    across them; `separate`: no block holds two documents, and the last of each is shorter."""


def cut_blocks(
    documents: Iterable[Sequence[int]], settings: BlockSettings, end: int, where: str = "blocks"
) -> Tokens:
    """Blocks of documents.

    Args:
        documents: Token ids of each.
        settings: How they are cut; a rest of a single token is left out, since nothing in it can
            be foretold, and packed, so is the last block where it is not full, unless it is the
            only one.
        end: The id that is put behind each document.
        where: The field, to begin messages with.

    Raises:
        InputError: where there are not two tokens.
    """
    size = settings.tokens
    ended = [np.asarray([*document, end], np.int32) for document in documents]
    if settings.boundaries == "packed":
        ended = [np.concatenate(ended)] if ended else []
    blocks = [ids[first : first + size] for ids in ended for first in range(0, len(ids), size)]
    if settings.boundaries == "packed" and len(blocks) > 1 and len(blocks[-1]) < size:
        blocks.pop()
    blocks = [block for block in blocks if len(block) > 1]
    if not blocks:
        raise InputError(f"{where}: the training texts have fewer than two tokens")
    return Tokens.of(block.tolist() for block in blocks)
