"""Probabilities: right, safe from overflow, and the same bits wherever a row stands."""

import numpy as np
import pytest
import scipy.special

from bakeoff.core.softmax import softmax

LOGITS = np.random.default_rng(0).normal(0, 5, (40, 7))


def test_it_is_scipys() -> None:
    np.testing.assert_allclose(softmax(LOGITS), scipy.special.softmax(LOGITS, axis=1), rtol=1e-14)


def test_great_logits_do_not_overflow() -> None:
    np.testing.assert_array_equal(softmax(np.array([[1e30, -1e30]], np.float32)), [[1, 0]])


def test_what_is_not_finite_passes_silently() -> None:
    found = softmax(np.array([[np.nan, 0.0], [np.inf, 0.0], [0.0, 0.0]]))
    assert np.isnan(found[:2]).any(axis=1).all()
    assert found[2].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("classes", [2, 3, 4, 10, 100])
def test_a_rows_place_does_not_matter(classes: int) -> None:
    logits = np.random.default_rng(1).normal(0, 3, (300, classes)).astype(np.float32)
    order = np.random.default_rng(2).permutation(300)
    whole = softmax(logits)
    np.testing.assert_array_equal(softmax(logits[order]), whole[order])
    np.testing.assert_array_equal(softmax(logits[7:8]), whole[7:8])


def test_memory_given_is_used() -> None:
    logits = LOGITS.copy()
    assert softmax(logits, out=logits) is logits
