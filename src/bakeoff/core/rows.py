"""Rows that depend on one item each, kept on disk item by item: the vectors of texts."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cache import arrays_at, arrays_in, cache_folder
from bakeoff.core.cell import Key
from bakeoff.core.protocols import Arrays, Digests, ToRows


def rows_folder(key: Key) -> Path:
    """Where the cache keeps the rows that the same computation, `key`, gave."""
    return cache_folder() / "rows" / key[:2] / key


def rows_at(folder: Path, digests: Digests, compute: ToRows) -> tuple[NDArray[Any], float]:
    """The rows (N, ...) of N items; those that no file of `folder` holds are computed and written.

    So another label budget, fold or seed computes those of its items that no other one had. A
    damaged file counts as none.

    Args:
        folder: Of one computation: every file in it holds rows of that one.
        digests: Of the items.
        compute: Positions of some items to their rows.

    Returns:
        The rows, and the seconds it took to compute them, now or then: of the seconds of a file,
        every row of it bears an equal share. Equal items are computed, and paid for, once.

    Raises:
        DiskError: where rows cannot be written.
    """
    if not len(digests):
        return compute(np.zeros(0, np.intp)), 0.0
    wanted, first, places = np.unique(digests, return_index=True, return_inverse=True)
    kept = (arrays_in(path) for path in sorted(folder.glob("*.safetensors")))
    pieces = [_of(wanted, *piece) for piece in kept if piece is not None]
    missing = ~np.isin(wanted, np.concatenate([wanted[:0], *(known for known, _, _ in pieces)]))
    if missing.any():
        lacking = wanted[missing]
        name = sha256(lacking.tobytes()).hexdigest()[:16]

        def computed() -> Arrays:
            return {"digests": lacking, "rows": compute(first[missing])}

        pieces.append(_of(wanted, *arrays_at(folder / f"{name}.safetensors", computed)))
    known, rows, prices = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    order = np.argsort(known, kind="stable")
    at = order[np.searchsorted(known, wanted, sorter=order)]
    return rows[at[places]], float(prices[at].sum())


def _of(
    wanted: Digests, arrays: Arrays, seconds: float
) -> tuple[Digests, NDArray[Any], NDArray[np.float64]]:
    """Of a file's rows those that are wanted: digests, rows, and seconds of each."""
    here = np.isin(arrays["digests"], wanted)
    prices = np.full(int(here.sum()), seconds / len(here))
    return arrays["digests"][here], arrays["rows"][here], prices
