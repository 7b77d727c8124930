"""Rows that depend on one item each, kept on disk item by item: the vectors of texts."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cache import arrays_at, arrays_in, cache_folder
from bakeoff.core.cell import Key
from bakeoff.core.protocols import Arrays

Digests = NDArray[np.uint64]
"""(N,), of N items: equal for equal items (`data.hashing.item_digests`)."""
Positions = NDArray[np.intp]
"""(M,), of some of the items, counted from 0."""


def rows_folder(key: Key) -> Path:
    """Where the cache keeps the rows that the same computation, `key`, gave."""
    return cache_folder() / "rows" / key[:2] / key


def rows_at(
    folder: Path, digests: Digests, compute: Callable[[Positions], NDArray[Any]]
) -> tuple[NDArray[Any], float]:
    """The rows (N, ...) of N items; those that no file of `folder` holds are computed and written.

    So another label budget, fold or seed computes those of its items that no other one had. A
    damaged file counts as none.

    Args:
        folder: Of one computation: every file in it holds rows of that one.
        digests: Of the items.
        compute: Positions of items to their rows (M, ...), each a function of its item alone.

    Returns:
        The rows, and the seconds it took to compute them, now or then: of the seconds of a file,
        every row of it bears an equal share. Equal items are computed, and paid for, once.

    Raises:
        DiskError: where rows cannot be written.
    """
    if not len(digests):
        return compute(np.zeros(0, np.intp)), 0.0
    wanted, first, places = np.unique(digests, return_index=True, return_inverse=True)
    out: NDArray[Any] | None = None
    missing, total = np.ones(len(wanted), bool), 0.0

    def take(arrays: Arrays, seconds: float) -> None:
        nonlocal out, total
        known, rows = arrays["digests"], arrays["rows"]  # `known` is sorted: it was unique's
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        new = missing & (known[at] == wanted)
        if out is None:
            out = np.empty((len(wanted), *rows.shape[1:]), rows.dtype)
        out[new] = rows[at[new]]
        missing[new] = False
        total += seconds * int(new.sum()) / len(known)

    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else []:
        if (found := arrays_in(path)) is not None:
            take(*found)
    if missing.any():
        lacking = wanted[missing]
        name = sha256(lacking.tobytes()).hexdigest()[:16]

        def computed() -> Arrays:
            return {"digests": lacking, "rows": compute(first[missing])}

        take(*arrays_at(folder / f"{name}.safetensors", computed))
    assert out is not None
    return out[places], total
