"""Rough distances: how far they are off, and in which order their codes are."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.techniques.half_squares import Bfloat16Table, Doubles, Float32Table, Floats, Table

RUN = 64
Spread = tuple[float, float]
"""Standard deviation of vectors, and how far their centre lies from the origin."""
SPREADS: list[Spread] = [(1.0, 0.0), (1.0, 30.0), (1e-6, 0.0), (1e6, 1e6)]
Make = Callable[[Floats, Floats], tuple[Table, Doubles]]


def drawn(count: int, spread: Spread, seed: int, size: int = 40) -> Floats:
    values = np.random.default_rng(seed).standard_normal((count, size))
    return (values * spread[0] + spread[1]).astype(np.float32)


def squares_of(vectors: Floats) -> Doubles:
    squares: Doubles = np.square(vectors.astype(np.float64)).sum(axis=1)
    return squares


def exact(queries: Floats, vectors: Floats) -> Doubles:
    """(Q, N) half the squared distances."""
    gaps = queries[:, None].astype(np.float64) - vectors[None].astype(np.float64)
    halves: Doubles = np.square(gaps).sum(axis=2) / 2
    return halves


def float32(queries: Floats, vectors: Floats) -> tuple[Table, Doubles]:
    longest = float(np.sqrt(squares_of(vectors).max()))
    table = Float32Table(queries, np.sqrt(squares_of(queries)), longest, RUN)
    return table, squares_of(vectors) / 2


def bfloat16(queries: Floats, vectors: Floats) -> tuple[Table, Doubles]:
    none = np.zeros(len(queries))
    return Bfloat16Table(queries, none, vectors[:9].mean(axis=0), RUN), np.zeros(len(vectors))


both = pytest.mark.parametrize("make", [float32, bfloat16])


def smallest(values: NDArray[np.float64], k: int) -> Doubles:
    found: Doubles = np.partition(values, k - 1, axis=1)[:, k - 1]
    return found


@both
@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("k", [1, 5])
def test_none_of_the_nearest_is_above_the_limit(make: Make, spread: Spread, k: int) -> None:
    queries, vectors = drawn(50, spread, 1), drawn(RUN, spread, 2)
    vectors[:5] = queries[:5]
    table, halves = make(queries, vectors)
    coded = table.compare(vectors, halves)
    limit = table.limit(smallest(table.numbers(coded), k))
    true = exact(queries, vectors)
    nearest = true <= smallest(true, k)[:, None]
    assert (coded <= limit[:, None])[nearest].all()


@both
def test_most_others_are(make: Make) -> None:
    """Otherwise the limit would be none."""
    queries, vectors = drawn(50, (1.0, 0.0), 1), drawn(RUN, (1.0, 0.0), 2)
    table, halves = make(queries, vectors)
    coded = table.compare(vectors, halves)
    limit = table.limit(smallest(table.numbers(coded), 1))
    assert (coded <= limit[:, None]).sum(axis=1).mean() < 3


@pytest.mark.parametrize("spread", SPREADS)
def test_bfloat16_is_off_by_no_more_than_it_says(spread: Spread) -> None:
    queries, vectors = drawn(50, spread, 1), drawn(RUN, spread, 2)
    table = Bfloat16Table(queries, np.zeros(50), vectors.mean(axis=0), RUN)
    numbers = table.numbers(table.compare(vectors, np.zeros(RUN)))
    true = exact(queries, vectors)
    allowed = table._off()[:, None] + 2.0**-8 * np.abs(numbers)
    gaps = np.abs(numbers - true)
    assert (gaps <= allowed).all()
    assert gaps.max() > 0.01 * allowed.max()  # it is of the right size


def test_bfloat16_knows_of_the_vectors_it_has_seen() -> None:
    queries, vectors = drawn(9, (1.0, 0.0), 1), drawn(RUN, (1.0, 0.0), 2)
    table = Bfloat16Table(queries, np.zeros(9), np.zeros(40, np.float32), RUN)
    kth = np.ones(9)
    before = [table.compare(vectors, np.zeros(RUN)), table.limit(kth)][1]
    table.compare(100 * vectors, np.zeros(RUN))
    assert (table.limit(kth) > before).all()
    after = table.limit(kth)
    table.compare(vectors, np.zeros(RUN))
    np.testing.assert_array_equal(table.limit(kth), after)


@both
def test_codes_are_ordered_as_numbers(make: Make) -> None:
    queries, vectors = drawn(50, (1.0, 0.0), 1), drawn(RUN, (1.0, 0.0), 2)
    table, halves = make(queries, vectors)
    coded = table.compare(vectors, halves).ravel()
    numbers = table.numbers(coded)
    assert (np.diff(numbers[np.argsort(coded, kind="stable")]) >= 0).all()
    unknown = table.limit(np.full(50, np.inf))
    assert np.isinf(table.numbers(unknown)).all()
    assert (coded.reshape(50, -1) <= unknown[:, None]).all()
