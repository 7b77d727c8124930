"""Exact nearest neighbours: quick products of low precision, what they leave open in float64.

Such products are off by a known bound. Whatever they put within twice that bound of the k-th
nearest is measured again in float64, one pair at a time; so the neighbours are exact, ties go
to the example that comes first, and neither depends on how queries are batched or on the precision.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.techniques.half_squares import (
    LONGEST,
    Bfloat16Table,
    Doubles,
    Float32Table,
    Floats,
    Table,
)

Metric = Literal["euclidean", "cosine"]
Rows = slice | NDArray[np.intp]

QUERIES = 1024
"""Compared at a time."""
PAIRS = 1 << 16
"""Differences held at a time: half a MiB, which stays in a core's cache."""
RUN = 4096
"""Vectors read at a time: 16 MiB of products with the queries."""
LARGE = 1 << 34
"""Products of numbers from which on torch, which may have to be loaded first, is asked."""
OPEN = 16
"""Pairs for each neighbour that bfloat16 may leave open; float32 leaves fewer."""


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
        """Queries and vectors (P,), by row and column: pairs that may be among the k nearest."""
        cosine, count = self._metric == "cosine", len(queries)
        left = _unit(queries, squares) if cosine else queries
        if self._fits_bfloat16(queries, squares):
            centre = self._vectors(slice(0, RUN)).mean(axis=0)
            rough = Bfloat16Table(left, self._missing(squares), centre, RUN)
            found = self._passed(rough, self._missing(self._squares), count, k)
            if len(found) <= OPEN * k * count:
                return found.pairs()
        halves = np.zeros(len(self)) if cosine else self._squares / 2
        lengths = np.ones(count) if cosine else np.sqrt(squares)
        longest = 1.0 if cosine else float(np.sqrt(self._squares.max()))
        return self._passed(Float32Table(left, lengths, longest, RUN), halves, count, k).pairs()

    def _passed(self, table: Table, halves: Doubles, count: int, k: int) -> "_Nearest":
        """What stays within reach when the vectors have passed, run by run.

        What is farther than the k-th nearest so far is passed over with one comparison, so that
        nothing but the products takes time. Where too many stay, the rest does not pass.
        """
        found, most = _Nearest(table, count, k), OPEN * k * count
        for run in _runs(len(self), RUN):
            found.add(table.compare(self._vectors(run), halves[run]), run.start)
            if isinstance(table, Bfloat16Table) and len(found) > most:
                break
        return found

    def _vectors(self, run: slice) -> Floats:
        """(R, D): what is compared."""
        vectors = self._read(run)
        return _unit(vectors, self._squares[run]) if self._metric == "cosine" else vectors

    def _missing(self, squares: Doubles) -> Doubles:
        """(R,) the half that a vector of length 0 lacks to be at cosine distance 1 from all."""
        cosine = self._metric == "cosine"
        return np.where(squares == 0, 0.5, 0.0) if cosine else np.zeros(len(squares))

    def _fits_bfloat16(self, queries: Floats, squares: Doubles) -> bool:
        """Whether it is worth it, can be done fast, and nothing would overflow."""
        if queries.size * len(self) < LARGE or max(squares.max(), self._squares.max()) > LONGEST**2:
            return False
        from bakeoff.training.torch.numerics import has_bfloat16_units

        return has_bfloat16_units("cpu")

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
        table: What compares them.
        queries: Q.
        k: At least this many vectors pass.
    """

    def __init__(self, table: Table, queries: int, k: int) -> None:
        self._table, self._k = table, k
        self._rows = np.zeros(0, np.intp)
        self._columns = np.zeros(0, np.intp)
        self._values = np.zeros(0)
        self._kth = np.full(queries, np.inf)

    def __len__(self) -> int:
        """P."""
        return len(self._rows)

    def add(self, coded: NDArray[Any], start: int) -> None:
        """Look at (Q, R) numbers of the table, of the vectors from `start` on."""
        first = not len(self._rows)
        if first and coded.shape[1] > self._k:
            kth = np.partition(coded, self._k - 1, axis=1)[:, self._k - 1]
            self._kth = self._table.numbers(kth)
        # Of a flat array, 30 times as fast as of one with two axes.
        places = np.flatnonzero(coded <= self._table.limit(self._kth)[:, None])
        rows, columns = np.divmod(places, coded.shape[1])
        self._rows = np.concatenate([self._rows, rows])
        self._columns = np.concatenate([self._columns, columns + start])
        self._values = np.concatenate([self._values, self._table.numbers(coded[rows, columns])])
        self._sort()

    def _sort(self) -> None:
        """Order what was kept by query and number, and let go what is out of reach."""
        order = np.lexsort((self._values, self._rows))
        self._rows, self._columns = self._rows[order], self._columns[order]
        self._values = self._values[order]
        queries = np.arange(len(self._kth))
        places = np.searchsorted(self._rows, queries) + self._k - 1
        full = places < np.searchsorted(self._rows, queries, side="right")
        self._kth = np.full(len(queries), np.inf)
        self._kth[full] = self._values[places[full]]
        limit = self._table.numbers(self._table.limit(self._kth))
        kept = self._values <= limit[self._rows]
        self._rows, self._columns = self._rows[kept], self._columns[kept]
        self._values = self._values[kept]

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
