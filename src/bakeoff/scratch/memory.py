"""Memory that is used again: a training step allocates nothing once it has run."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating[Any]]
"""float32 in training, float64 under a gradient check."""


class Buffer:
    """An array of varying shape in memory that grows and never shrinks.

    What is handed out holds whatever was written last, and is valid until the next call.
    """

    def __init__(self) -> None:
        self._flat: NDArray[Any] = np.empty(0)

    def __call__(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A C-contiguous array of this shape and dtype; its contents are arbitrary."""
        size = math.prod(shape)
        if size > self._flat.size or self._flat.dtype != dtype:
            self._flat = np.empty(size, dtype)
        return self._flat[:size].reshape(shape)
