"""Softmax in NumPy, whatever framework computed the logits.

torch's own rounds a row by its place among the others (its exponentials take several rows at a
time), so that predictions would depend on what else is in the batch.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def softmax(logits: Array, out: Array | None = None) -> Array:
    """Probabilities (B, K) of logits (B, K): `exp(z - max z)` over its sum, row by row.

    Taking the greatest logit off first changes nothing but keeps `exp` from overflowing. Rows that
    are not finite pass as not-a-numbers, without a warning.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        out = np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
        np.exp(out, out=out)
        out /= out.sum(axis=1, keepdims=True)
    return out
