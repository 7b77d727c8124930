"""Exact nearest neighbours: quick products in float32, what they leave open in float64.

The products of float32 matrices are off by a known bound. Whatever they put within twice that
bound of the k-th nearest is measured again in float64, one pair at a time; so the neighbours are
exact, ties go to the example that comes first, and neither depends on how queries are batched.
Bound: Higham 2002, "Accuracy and stability of numerical algorithms", section 3.1.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["euclidean", "cosine"]
Rows = slice | NDArray[np.intp]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

ROUNDING = 2.0**-24
"""Of float32."""
TABLE = 1 << 24
"""Distances held at a time: 64 MiB."""
PAIRS = 1 << 20
"""Differences held at a time: 8 MiB."""
RUN = 4096
"""Vectors read at a time."""


class Neighbours:
    """The vectors that queries are compared with.

    Args:
        read: The vectors (R, D) float32 at given rows.
        squares: (N,) float64, their squared lengths, as `squared_lengths` gives them.
        metric: `euclidean`, or `cosine`: 1 less the cosine of the angle; a vector of length 0 is
            at distance 1 from every vector.
    """

    def __init__(self, read: Callable[[Rows], Floats], squares: Doubles, metric: Metric) -> None:
        self._read, self._squares, self._metric = read, squares, metric

    def __len__(self) -> int:
        """N."""
        return len(self._squares)

    def search(self, queries: Floats, k: int) -> tuple[Doubles, NDArray[np.intp]]:
        """The k nearest of every query, nearest first.

        Args:
            queries: (Q, D) float32, finite.
            k: 1 <= k <= N.

        Returns:
            Distances (Q, k) float64 and rows (Q, k); of equal distances, lower rows first.
        """
        distances = np.empty((len(queries), k))
        indices = np.empty((len(queries), k), np.intp)
        size = max(16, TABLE // len(self))
        for start in range(0, len(queries), size):
            block = slice(start, start + size)
            distances[block], indices[block] = self._search(queries[block], k)
        return distances, indices

    def _search(self, queries: Floats, k: int) -> tuple[Doubles, NDArray[np.intp]]:
        squares = squared_lengths(lambda rows: queries[rows], len(queries))
        rows, columns = np.nonzero(self._candidates(queries, squares, k))
        distances = np.empty(len(rows))
        for part in _runs(len(rows), max(1, PAIRS // queries.shape[1])):
            left, right = rows[part], columns[part]
            distances[part] = self._measure(
                queries[left], squares[left], self._read(right), self._squares[right]
            )
        order = np.lexsort((columns, distances, rows))
        first = np.searchsorted(rows, np.arange(len(queries)))
        chosen = order[first[:, None] + np.arange(k)]
        return distances[chosen], columns[chosen]

    def _candidates(self, queries: Floats, squares: Doubles, k: int) -> NDArray[np.bool_]:
        """(Q, N): whether a vector may be among the k nearest.

        Compared by `|y|^2 / 2 - x y`, which orders the vectors y as their distance from x does;
        for unit vectors the first term is the same for all.
        """
        cosine = self._metric == "cosine"
        table = np.empty((len(queries), len(self)), np.float32)
        left = _unit(queries, squares) if cosine else queries
        for run in _runs(len(self), RUN):
            right = self._read(run)
            right = _unit(right, self._squares[run]) if cosine else right
            np.matmul(left, right.T, out=table[:, run])
        halves = np.zeros(len(self)) if cosine else self._squares / 2
        np.subtract(halves.astype(np.float32), table, out=table)
        products = np.ones(len(queries)) if cosine else np.sqrt(squares * self._squares.max())
        terms = queries.shape[1] + 8
        error = products * terms * ROUNDING / (1 - terms * ROUNDING)
        error += 4 * ROUNDING * (products + halves.max())
        reach = np.partition(table, k - 1, axis=1)[:, k - 1] + 2 * error
        limit = np.nextafter(reach.astype(np.float32), np.float32(np.inf))
        near: NDArray[np.bool_] = table <= limit[:, None]
        return near

    def _measure(
        self, left: Floats, left_squares: Doubles, right: Floats, right_squares: Doubles
    ) -> Doubles:
        """The distances (P,) of P pairs."""
        x, y = left.astype(np.float64), right.astype(np.float64)
        if self._metric == "euclidean":
            x -= y
            distances: Doubles = np.sqrt(np.square(x, out=x).sum(axis=1))
            return distances
        none = (left_squares == 0) | (right_squares == 0)
        x /= np.sqrt(np.where(none, 1, left_squares))[:, None]
        y /= np.sqrt(np.where(none, 1, right_squares))[:, None]
        x -= y  # 1 - cos = |x - y|^2 / 2 of unit vectors, and exactly 0 where they are equal
        return np.where(none, 1.0, np.square(x, out=x).sum(axis=1) / 2)


def squared_lengths(read: Callable[[Rows], Floats], count: int) -> Doubles:
    """(N,) float64: the squared length of each of `count` vectors."""
    squares = np.empty(count)
    for run in _runs(count, RUN):
        vectors = read(run).astype(np.float64)
        squares[run] = np.square(vectors, out=vectors).sum(axis=1)
    return squares


def _unit(vectors: Floats, squares: Doubles) -> Floats:
    """Vectors of length 1, or 0 where they were 0."""
    factors = np.zeros(len(vectors))
    np.divide(1, np.sqrt(squares), out=factors, where=squares > 0)
    return (vectors * factors[:, None]).astype(np.float32)


def _runs(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
