"""How many items may pass through a network at once, if what is beside an item must not matter.

The bits of a matrix product depend on the number of its rows, so predictors give every pass the
same number of items and fill the last one up. With some kernels (OpenBLAS's and torch's on
processors with AVX2 and no AVX-512) they depend on the place of a row among the others, too.
Passes are then made shorter, until all their rows are rounded alike.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class PassSize:
    """The greatest size of a pass at which an item's place changes no bit of its output.

    Args:
        most: Items of the longest pass.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: int | None = None

    def __call__(
        self,
        compute: Callable[[NDArray[Any]], NDArray[Any]],
        draw: Callable[[int], NDArray[Any]],
    ) -> int:
        """The size; tried out once, as soon as outputs depend on items at all.

        Args:
            compute: Outputs (B, ...) of items (B, ...), for any B up to the longest pass.
            draw: That many items that differ.
        """
        if self._found is not None:
            return self._found
        items, size = draw(self._most), self._most
        outputs = compute(items).copy()
        varied = not np.array_equal(outputs, outputs[::-1], equal_nan=True)
        while size > 1 and not _alike(compute, items[:size]):
            size = -(-size // 4)
        if varied or self._most == 1:
            self._found = size
        return size


def _alike(compute: Callable[[NDArray[Any]], NDArray[Any]], items: NDArray[Any]) -> bool:
    """Whether outputs are the same bits where the items are turned round, and moved by one."""
    outputs, places = compute(items).copy(), np.arange(len(items))
    return all(
        np.array_equal(compute(items[order]), outputs[order], equal_nan=True)
        for order in (places[::-1], np.roll(places, 1))
    )
