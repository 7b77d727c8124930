"""Half the squared distances of many pairs at once, quickly, and how far they may be off.

In float32 by BLAS, or in bfloat16 by torch where the processor has units for it, some five times as
fast: less exact, but by a known bound too, so that few pairs more have to be looked at again.
Bounds: Higham 2002, "Accuracy and stability of numerical algorithms", section 3.1.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

ROUNDING = 2.0**-24
"""Of float32."""
COARSE = 2.0**-9
"""Of bfloat16."""
LONGEST = 1e15
"""A vector whose square leaves room in float32."""
LEAST = 1e-30
"""Nothing is said to be off by less, for the sake of numbers too small for float32."""


class Table(Protocol):
    """Numbers that order vectors as their distances from a query do.

    A number is off by at most a share of itself and what `limit` knows of.
    """

    def compare(self, right: Floats, halves: Doubles) -> NDArray[Any]:
        """(Q, R) coded numbers, which are ordered as what they stand for; overwritten by the next.

        Args:
            right: (R, D) vectors.
            halves: (R,) half their squared lengths, or what stands for it.
        """
        ...

    def numbers(self, coded: NDArray[Any]) -> Doubles:
        """What coded numbers stand for."""
        ...

    def limit(self, kth: Doubles) -> NDArray[Any]:
        """(Q,) coded: above it, no vector compared so far is among the k nearest.

        Args:
            kth: (Q,) the k-th smallest numbers so far.
        """
        ...


class Float32Table:
    """`|y|^2 / 2 - x y` of queries x and vectors y: the query's own half is the same for all.

    Args:
        left: (Q, D) queries.
        lengths: (Q,) float64, theirs.
        longest: Of the vectors.
        run: Vectors compared at a time, at most.
    """

    def __init__(self, left: Floats, lengths: Doubles, longest: float, run: int) -> None:
        self._left, self._table = left, np.empty((len(left), run), np.float32)
        terms, products = left.shape[1] + 8, lengths * longest
        off = products * terms * ROUNDING / (1 - terms * ROUNDING)
        self._slack = 2 * (off + 4 * ROUNDING * (products + longest**2 / 2))

    def compare(self, right: Floats, halves: Doubles) -> Floats:
        """(Q, R), as they are."""
        table = self._table[:, : len(right)]
        np.matmul(self._left, right.T, out=table)
        np.subtract(halves.astype(np.float32), table, out=table)
        return table

    def numbers(self, coded: NDArray[Any]) -> Doubles:
        """In float64."""
        return coded.astype(np.float64)

    def limit(self, kth: Doubles) -> Floats:
        """Twice the error above the k-th: it may seem too small, the other too large."""
        reach = (kth + self._slack).astype(np.float32)
        above: Floats = np.nextafter(reach, np.float32(np.inf))
        return above


class Bfloat16Table:
    """`|x - y|^2 / 2` whole, by one product: columns that hold the halves stand beside the vectors.

    Numbers of near pairs are small and rounded by little, therefore. What they are off by else is
    mostly the vectors' own rounding, less the nearer they lie to their centre. Coded numbers
    are the bits, which are ordered as integers where numbers are positive; the few that rounding
    made negative are all within reach.

    Args:
        left: (Q, D) queries.
        halves: (Q,) what to add to half their squared lengths.
        centre: (D,) is taken from all vectors.
        run: Vectors compared at a time, at most.
    """

    def __init__(self, left: Floats, halves: Doubles, centre: Floats, run: int) -> None:
        import torch

        self._centre = centre
        rows, self._lengths, added = self._rows(left, halves)
        rounded = rows.float().numpy()
        self._lost = np.linalg.norm(rounded - (left - centre), axis=1).astype(np.float64)
        ones = torch.ones((len(left), 3), dtype=torch.bfloat16)
        self._left = torch.cat([-rows, added, ones], dim=1)
        self._table = torch.empty(len(left) * run, dtype=torch.bfloat16)
        self._longest = 0.0

    def compare(self, right: Floats, halves: Doubles) -> NDArray[np.int16]:
        """(Q, R): the bits of bfloat16."""
        import torch

        rows, lengths, added = self._rows(right, halves)
        self._longest = max(self._longest, float(lengths.max()))
        ones = torch.ones((len(right), 3), dtype=torch.bfloat16)
        columns = torch.cat([rows, ones, added], dim=1)
        table = self._table[: len(self._left) * len(right)].view(len(self._left), len(right))
        torch.mm(self._left, columns.t(), out=table)
        bits: NDArray[np.int16] = table.view(torch.int16).numpy()
        return bits

    def numbers(self, coded: NDArray[Any]) -> Doubles:
        """In float64."""
        bits = coded.astype(np.uint16).astype(np.uint32) << 16
        return bits.view(np.float32).astype(np.float64)

    def limit(self, kth: Doubles) -> NDArray[np.int16]:
        """Both errors above the k-th, and what the numbers themselves were rounded by."""
        share = 2 * COARSE
        reach = (np.maximum(kth, 0) * (1 + share) + 2 * self._off()) / (1 - share)
        bits = reach.astype(np.float32).view(np.uint32)
        return ((bits + np.uint32(0x1FFFF)) >> 16).clip(max=0x7F80).astype(np.int16)

    def _off(self) -> Doubles:
        """(Q,) of vectors as long as the longest so far."""
        own = self._lost + (self._lengths + self._lost) * COARSE * 1.01
        terms = self._left.shape[1] + 8
        sums = 2 * terms * ROUNDING * (self._lengths + self._longest) ** 2
        off: Doubles = own * self._longest + sums + LEAST
        return off

    def _rows(self, vectors: Floats, halves: Doubles) -> tuple[Any, Doubles, Any]:
        """Vectors less the centre, rounded, their lengths before, and their halves in three."""
        import torch

        centred = vectors - self._centre
        squares = np.einsum("rd,rd->r", centred, centred).astype(np.float64)
        left, parts = torch.from_numpy(squares / 2 + halves), []
        for _ in range(3):
            parts.append(left.bfloat16())
            left = left - parts[-1].double()
        rounded = torch.from_numpy(centred).bfloat16()
        return rounded, np.sqrt(squares) * (1 + 1e-3), torch.stack(parts, dim=1)
