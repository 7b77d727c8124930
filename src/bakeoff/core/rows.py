"""Rows that depend on one item each, kept on disk item by item: the vectors of texts."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cache import Measure, Price, arrays_at, arrays_in, cache_folder
from bakeoff.core.cell import Key
from bakeoff.core.protocols import Arrays, Digests, ToRows


def rows_folder(key: Key) -> Path:
    """Where the cache keeps the rows that the same computation, `key`, gave."""
    return cache_folder() / "rows" / key[:2] / key


def rows_at(
    folder: Path, digests: Digests, compute: ToRows, measure: Measure
) -> tuple[NDArray[Any], list[Price]]:
    """The rows (N, ...) of N items; those that no file of `folder` holds are computed and written.

    So another label budget, fold or seed computes those of its items that no other one had. A
    damaged file counts as none.

    Args:
        folder: Of one computation: every file in it holds rows of that one.
        digests: Of the items.
        compute: Positions of some items to their rows.
        measure: Calls it, where that is needed.

    Returns:
        The rows, and what it took to compute them, now or then, for each file that some come from:
        of the seconds of a file, every row of it bears an equal share. Equal items are computed,
        and paid for, once.

    Raises:
        DiskError: where rows cannot be written.
    """
    if not len(digests):
        return compute(np.zeros(0, np.intp)), []
    wanted, first, places = np.unique(digests, return_index=True, return_inverse=True)
    kept = (arrays_in(path) for path in sorted(folder.glob("*.safetensors")))
    pieces = [_of(wanted, *piece) for piece in kept if piece is not None]
    missing = ~np.isin(wanted, np.concatenate([wanted[:0], *(theirs for theirs, _, _ in pieces)]))
    if missing.any():
        lacking = wanted[missing]
        name = sha256(lacking.tobytes()).hexdigest()[:16]

        def computed() -> Arrays:
            return {"digests": lacking, "rows": compute(first[missing])}

        path = folder / f"{name}.safetensors"
        pieces.append(_of(wanted, *arrays_at(path, computed, measure)))
    known = np.concatenate([theirs for theirs, _, _ in pieces])
    rows = np.concatenate([rows for _, rows, _ in pieces])
    order = np.argsort(known, kind="stable")
    at = order[np.searchsorted(known, wanted, sorter=order)]
    homes = np.repeat(np.arange(len(pieces)), [len(theirs) for theirs, _, _ in pieces])[at]
    taken = np.bincount(homes, minlength=len(pieces)).tolist()
    prices = [
        replace(of_a_row, seconds=count * of_a_row.seconds)
        for (_, _, of_a_row), count in zip(pieces, taken, strict=True)
        if count
    ]
    return rows[at[places]], prices


def _of(wanted: Digests, arrays: Arrays, price: Price) -> tuple[Digests, NDArray[Any], Price]:
    """Of a file's rows those that are wanted: digests, rows, and the price of one."""
    here = np.isin(arrays["digests"], wanted)
    of_a_row = replace(price, seconds=price.seconds / len(here))
    return arrays["digests"][here], arrays["rows"][here], of_a_row
