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
QUERIES = 1024
"""Compared at a time."""
PAIRS = 1 << 20
"""Differences held at a time: 8 MiB."""
RUN = 4096
"""Vectors read at a time: 16 MiB of products with the queries."""


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
        for start in range(0, len(queries), QUERIES):
            block = slice(start, start + QUERIES)
            distances[block], indices[block] = self._search(queries[block], k)
        return distances, indices

    def _search(self, queries: Floats, k: int) -> tuple[Doubles, NDArray[np.intp]]:
        squares = squared_lengths(lambda rows: queries[rows], len(queries))
        rows, columns = self._candidates(queries, squares, k)
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

    def _candidates(
        self, queries: Floats, squares: Doubles, k: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Queries and vectors (P,), by row and column: pairs that may be among the k nearest.

        Compared by `|y|^2 / 2 - x y`, which orders the vectors y as their distance from x does;
        for unit vectors the first term is the same for all. What is farther than the k-th nearest
        so far is passed over with one comparison, so that nothing but the products takes time.
        """
        cosine = self._metric == "cosine"
        left = _unit(queries, squares) if cosine else queries
        halves = np.zeros(len(self)) if cosine else self._squares / 2
        slack = 2 * self._error(queries, squares, halves.max())
        table = np.empty((len(queries), RUN), np.float32)
        found = _Nearest(len(queries), k, slack)
        for run in _runs(len(self), RUN):
            right = self._read(run)
            right = _unit(right, self._squares[run]) if cosine else right
            products = table[:, : len(right)]
            np.matmul(left, right.T, out=products)
            np.subtract(halves[run].astype(np.float32), products, out=products)
            found.add(products, run.start)
        return found.pairs()

    def _error(self, queries: Floats, squares: Doubles, longest: float) -> Doubles:
        """(Q,) what a compared number is off by at most."""
        cosine = self._metric == "cosine"
        products = np.ones(len(queries)) if cosine else np.sqrt(squares * self._squares.max())
        terms = queries.shape[1] + 8
        error: Doubles = products * terms * ROUNDING / (1 - terms * ROUNDING)
        return error + 4 * ROUNDING * (products + longest)

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


class _Nearest:
    """The pairs within reach of the k-th nearest, kept while vectors pass run by run.

    Args:
        queries: Q.
        k: At least this many vectors pass.
        slack: (Q,) how far beyond the k-th a vector may seem to be and yet be nearer.
    """

    def __init__(self, queries: int, k: int, slack: Doubles) -> None:
        self._k, self._slack = k, slack
        self._rows = np.zeros(0, np.intp)
        self._columns = np.zeros(0, np.intp)
        self._values = np.zeros(0, np.float32)
        self._limit = np.full(queries, np.inf, np.float32)

    def add(self, values: Floats, start: int) -> None:
        """Look at (Q, R) numbers, of the vectors from `start` on."""
        first = not len(self._rows)
        if first and values.shape[1] > self._k:
            self._lower(np.partition(values, self._k - 1, axis=1)[:, self._k - 1])
        # Of a flat array, 30 times as fast as of one with two axes.
        places = np.flatnonzero(values <= self._limit[:, None])
        rows, columns = np.divmod(places, values.shape[1])
        self._rows = np.concatenate([self._rows, rows])
        self._columns = np.concatenate([self._columns, columns + start])
        self._values = np.concatenate([self._values, values[rows, columns]])
        self._sort()

    def _sort(self) -> None:
        """Order what was kept by query and number, and let go what is out of reach."""
        order = np.lexsort((self._values, self._rows))
        self._rows, self._columns = self._rows[order], self._columns[order]
        self._values = self._values[order]
        queries = np.arange(len(self._limit))
        places = np.searchsorted(self._rows, queries) + self._k - 1
        full = places < np.searchsorted(self._rows, queries, side="right")
        kth = np.full(len(queries), np.inf, np.float32)
        kth[full] = self._values[places[full]]
        self._lower(kth)
        kept = self._values <= self._limit[self._rows]
        self._rows, self._columns = self._rows[kept], self._columns[kept]
        self._values = self._values[kept]

    def _lower(self, kth: Floats) -> None:
        """The limits, from the k-th smallest numbers so far."""
        reach = (kth + self._slack).astype(np.float32)
        self._limit = np.nextafter(reach, np.float32(np.inf))

    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Queries and vectors (P,), by query and then by vector."""
        order = np.lexsort((self._columns, self._rows))
        return self._rows[order], self._columns[order]


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
