"""Exact search: scikit-learn's neighbours, ties, blocks, rounding, zero vectors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from bakeoff.techniques import neighbours
from bakeoff.techniques.half_squares import Bfloat16Table
from bakeoff.techniques.neighbours import Metric, Neighbours, Rows, squared_lengths
from bakeoff.training.torch import numerics

Floats = NDArray[np.float32]


@pytest.fixture(params=["float32", "bfloat16"])
def precision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of the products; the processor need not be fast at them."""
    monkeypatch.setattr(neighbours, "LARGE", 0)
    monkeypatch.setattr(numerics, "has_bfloat16_units", lambda _: request.param == "bfloat16")
    return str(request.param)


either = pytest.mark.usefixtures("precision")
both_metrics = pytest.mark.parametrize("metric", ["euclidean", "cosine"])


def reader(vectors: Floats) -> Callable[[Rows], Floats]:
    return lambda rows: vectors[rows]


def index_of(vectors: Floats, metric: Metric = "euclidean") -> Neighbours:
    return Neighbours(reader(vectors), squared_lengths(reader(vectors), len(vectors)), metric)


def drawn(count: int, size: int = 20, seed: int = 0, shift: float = 0.0) -> Floats:
    values = np.random.default_rng(seed).standard_normal((count, size)) + shift
    return values.astype(np.float32)


@either
@pytest.mark.parametrize("shift", [0.0, 30.0])
@pytest.mark.parametrize("k", [1, 7, 300])
@both_metrics
def test_neighbours_are_those_of_scikit_learns_brute_force(
    metric: Metric, k: int, shift: float
) -> None:
    vectors, queries = drawn(300, shift=shift), drawn(50, seed=1, shift=shift)
    reference = NearestNeighbors(n_neighbors=k, algorithm="brute", metric=metric)
    reference.fit(vectors.astype(np.float64))
    expected, rows = reference.kneighbors(queries.astype(np.float64))
    distances, found = index_of(vectors, metric).search(queries, k)
    np.testing.assert_array_equal(found, rows)
    np.testing.assert_allclose(distances, expected, rtol=1e-7)


@either
@both_metrics
def test_blocks_change_nothing(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, queries = drawn(300), drawn(50, seed=1)
    expected = index_of(vectors, metric).search(queries, 9)
    monkeypatch.setattr(neighbours, "QUERIES", 16)
    monkeypatch.setattr(neighbours, "PAIRS", 60)
    monkeypatch.setattr(neighbours, "RUN", 37)
    found = index_of(vectors, metric).search(queries, 9)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    one_by_one = [index_of(vectors, metric).search(queries[i : i + 1], 9) for i in range(50)]
    np.testing.assert_array_equal(np.concatenate([d for d, _ in one_by_one]), expected[0])


@either
def test_of_equal_distances_the_first_rows_win() -> None:
    vectors = np.tile(drawn(10), (30, 1))
    distances, found = index_of(vectors).search(vectors[:10], 4)
    assert not distances.any()
    np.testing.assert_array_equal(found, np.arange(10)[:, None] + 10 * np.arange(4))


def test_float32_alone_would_not_do() -> None:
    """Far from the origin, the products' rounding is greater than the distances."""
    generator = np.random.default_rng(0)
    near = (generator.integers(-50, 50, (200, 8)) + 2**20).astype(np.float32)
    queries, exact = near[:40] + np.float32(0.25), near.astype(np.float64)
    distances = np.linalg.norm(queries[:, None].astype(np.float64) - exact, axis=2)
    order = np.argsort(distances, axis=1, kind="stable")[:, :5]
    _, found = index_of(near).search(queries, 5)
    np.testing.assert_array_equal(found, order)
    rough = (near**2).sum(axis=1) / 2 - queries @ near.T
    assert (np.argsort(rough, axis=1, kind="stable")[:, :5] != order).any()


@either
def test_vectors_of_length_zero_are_at_cosine_distance_one() -> None:
    vectors = drawn(6, 3)
    vectors[4] = 0
    distances, found = index_of(vectors, "cosine").search(np.zeros((1, 3), np.float32), 6)
    np.testing.assert_array_equal(distances, np.ones((1, 6)))
    np.testing.assert_array_equal(found, [np.arange(6)])
    distances, found = index_of(vectors, "cosine").search(vectors[:1], 6)
    assert distances[0, found[0].tolist().index(4)] == 1
    assert (found[0, 0], distances[0, 0]) == (0, 0)


def test_no_queries() -> None:
    distances, found = index_of(drawn(6)).search(drawn(0), 2)
    assert distances.shape == found.shape == (0, 2)


def test_where_bfloat16_leaves_too_much_open_float32_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "LARGE", 0)
    monkeypatch.setattr(neighbours, "RUN", 100)
    monkeypatch.setattr(numerics, "has_bfloat16_units", lambda _: True)
    used: list[int] = []
    compare = Bfloat16Table.compare

    def counted(table: Bfloat16Table, right: Floats, halves: NDArray[np.float64]) -> Any:
        used.append(len(right))
        return compare(table, right, halves)

    monkeypatch.setattr(Bfloat16Table, "compare", counted)
    far = drawn(1, shift=1000.0)
    vectors = np.concatenate([far, drawn(299) / 1000])  # nearer to each other than to the centre
    vectors[1:] += np.float32(30)
    queries = vectors[1:41] + np.float32(1e-4)
    exact = np.linalg.norm(queries[:, None].astype(np.float64) - vectors, axis=2)
    _, found = index_of(vectors).search(queries, 1)
    np.testing.assert_array_equal(found[:, 0], exact.argmin(axis=1))
    assert used == [100]  # of 300


def test_squares_beyond_float32_are_not_asked_of_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "LARGE", 0)
    monkeypatch.setattr(numerics, "has_bfloat16_units", lambda _: True)
    index = index_of(np.full((9, 4), 1e16, np.float32))
    queries = drawn(3, 4)
    assert not index._fits_bfloat16(queries, squared_lengths(reader(queries), 3))
    assert index_of(drawn(9, 4))._fits_bfloat16(queries, squared_lengths(reader(queries), 3))
