"""Nearest class means: scikit-learn's classes, collapse, drawn rows."""

import numpy as np
from sklearn.neighbors import NearestCentroid
from tests.techniques.conftest import numbered

from bakeoff.core.examples import Examples
from bakeoff.techniques.prototypes import REFERENCE, Prototypes, spread_rows

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 4, 200)
VECTORS = (GENERATOR.normal(size=(200, 5)) + 2 * np.eye(4, 5)[LABELS]).astype(np.float32)


def examples(labels: np.ndarray = LABELS) -> Examples:
    return numbered(np.zeros((len(labels), 1, 1, 1), np.uint8), labels)


def test_classes_are_scikit_learns() -> None:
    found = Prototypes.of(VECTORS, examples(), tuple("abcd"))
    reference = NearestCentroid().fit(VECTORS, LABELS)
    np.testing.assert_allclose(found.means, reference.centroids_, atol=1e-6)
    new = GENERATOR.normal(size=(50, 5)).astype(np.float32)
    probabilities = found.probabilities(new)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), reference.predict(new))


def test_a_class_without_examples_is_never_given() -> None:
    found = Prototypes.of(VECTORS, examples(), tuple("abcde"))
    assert not found.probabilities(VECTORS)[:, 4].any()
    assert not found.collapsed


def test_one_point_tells_nothing_apart() -> None:
    at_once = np.full((200, 5), 7, np.float32)
    at_once += np.float32(1e-6) * VECTORS
    found = Prototypes.of(at_once, examples(), tuple("abcd"))
    assert found.collapsed
    np.testing.assert_array_equal(found.probabilities(VECTORS), np.full((200, 4), 0.25, "f4"))
    assert Prototypes.of(np.zeros((200, 5), np.float32), examples(), tuple("abcd")).collapsed


def test_one_point_as_far_as_its_precision_tells() -> None:
    """A share of 3e-6 is rounding in bfloat16, and tells classes apart in float32."""
    near = np.full((200, 5), 700, np.float32) + VECTORS
    assert not Prototypes.of(near, examples(), tuple("abcd")).collapsed
    assert Prototypes.of(near, examples(), tuple("abcd"), "bfloat16").collapsed


def test_perfectly_tight_classes_have_not_collapsed() -> None:
    tight = np.eye(4, dtype=np.float32)[LABELS]
    found = Prototypes.of(tight, examples(), tuple("abcd"))
    assert not found.collapsed
    np.testing.assert_array_equal(found.probabilities(tight), tight)


def test_what_is_not_finite_passes() -> None:
    broken = VECTORS.copy()
    broken[3, 2] = np.nan
    assert np.isnan(Prototypes.of(broken, examples(), tuple("abcd")).probabilities(VECTORS)).any()


def test_saved_and_restored() -> None:
    found = Prototypes.of(VECTORS, examples(), tuple("abcd"))
    again = Prototypes.restored(dict(found.arrays()), list("abcd"))
    np.testing.assert_array_equal(again.probabilities(VECTORS), found.probabilities(VECTORS))


def test_rows_are_spread_over_the_classes() -> None:
    labels = np.repeat(np.arange(3), [5_000, 700, 20])
    rows = spread_rows(labels, np.random.default_rng(1))
    assert len(rows) == REFERENCE == len(set(rows.tolist()))
    assert np.bincount(labels[rows]).tolist() == [1280, 700, 20]
    np.testing.assert_array_equal(spread_rows(LABELS, np.random.default_rng(2)), np.arange(200))
    other = spread_rows(labels, np.random.default_rng(2))
    assert other.tolist() != rows.tolist()
