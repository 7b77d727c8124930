"""What readers of text sets share: decoding, and groups of texts that are nearly the same."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.data.duplicates import exact_pairs, near_texts
from bakeoff.data.hashing import item_digests

LOST = "\ufffd"
"""The sign for a lost character."""


def decoded(data: bytes) -> tuple[str, bool]:
    """UTF-8 as text, without a byte-order mark, and whether bytes were lost.

    Bytes that are no UTF-8 become the sign for a lost character, which `bakeoff data check` counts.
    """
    try:
        return data.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return data.decode("utf-8-sig", "replace"), True


def read_bytes(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        InputError: where it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def lost_note(where: str, count: int) -> tuple[str, ...]:
    """What is told of texts whose bytes were not all UTF-8; () where there are none."""
    return (f"{where}: {count} texts are not UTF-8; what was lost reads {LOST}",) if count else ()


def near_groups(texts: Sequence[str]) -> NDArray[np.int64] | None:
    """(N,) equal for texts that are copies or nearly so, directly or by way of others.

    None where no two are. Copies are told by `item_digests`, near ones by `near_texts`.
    """
    pairs = np.concatenate([exact_pairs(item_digests(texts)), near_texts(texts)[0]])
    if not len(pairs):
        return None
    groups = np.arange(len(texts), dtype=np.int64)
    later, earlier = pairs.T
    while True:
        # Each pair takes the smaller of its two names, until none changes any more.
        smaller = np.minimum(groups[later], groups[earlier])
        before = groups.copy()
        np.minimum.at(groups, later, smaller)
        np.minimum.at(groups, earlier, smaller)
        if np.array_equal(before, groups):
            return groups
