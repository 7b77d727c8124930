"""Collapse: whether vectors lie at one point, as far as their precision tells."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Precision = Literal["float32", "bfloat16"]
SHARES: Mapping[Precision, float] = {"float32": 1e-6, "bfloat16": 2.0**-16}
"""Vectors lie at one point where their mean squared distance from their mean is at most this share
of their mean squared length. float32 tells them apart by not much less. bfloat16 rounds a number by
up to 2^-8 of itself, and the layers before it, too: encoders whose vectors were nearly one point in
float32, a share of 1e-9 to 1e-6, had 2e-6 to 1.2e-5 in bfloat16, all of it rounding."""


def at_one_point(vectors: NDArray[Any], precision: Precision = "float32") -> bool:
    """Whether vectors (N, D) do; those that are not finite do not.

    Args:
        vectors: Any numbers.
        precision: In which they were computed.
    """
    exact = vectors.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.square(exact - exact.mean(axis=0)).sum(axis=1).mean()
        return bool(apart <= SHARES[precision] * np.square(exact).sum(axis=1).mean())
