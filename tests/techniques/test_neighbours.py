"""Exact search: scikit-learn's neighbours, ties, blocks, rounding, zero vectors."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from bakeoff.techniques import neighbours
from bakeoff.techniques.neighbours import Metric, Neighbours, Rows, squared_lengths

Floats = NDArray[np.float32]
both_metrics = pytest.mark.parametrize("metric", ["euclidean", "cosine"])


def reader(vectors: Floats) -> Callable[[Rows], Floats]:
    return lambda rows: vectors[rows]


def index_of(vectors: Floats, metric: Metric = "euclidean") -> Neighbours:
    return Neighbours(reader(vectors), squared_lengths(reader(vectors), len(vectors)), metric)


def drawn(count: int, size: int = 20, seed: int = 0, shift: float = 0.0) -> Floats:
    values = np.random.default_rng(seed).standard_normal((count, size)) + shift
    return values.astype(np.float32)


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
