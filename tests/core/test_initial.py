"""Initial weights: functions of seed, path and shape alone, with the variance of their source."""

import math

import numpy as np
import pytest

from bakeoff.core.initial import Scheme, initial_weights
from bakeoff.core.streams import Streams

SHAPE, FAN = (400, 300), (300, 400)


@pytest.mark.parametrize(
    ("scheme", "variance"), [("he", 2 / 300), ("lecun", 1 / 300), ("glorot", 2 / 700)]
)
def test_variances(scheme: Scheme, variance: float) -> None:
    weights = initial_weights(Streams(0), "w", SHAPE, FAN, scheme)
    assert (weights.dtype, weights.shape) == (np.dtype(np.float32), SHAPE)
    # 120,000 draws: the variance's standard error is at most 0.41 %, the mean's 0.29 % of the SD.
    assert weights.var() == pytest.approx(variance, rel=0.02)
    assert abs(weights.mean()) < 0.015 * math.sqrt(variance)


def test_glorot_is_uniform_and_he_is_not() -> None:
    limit = math.sqrt(6 / 700)
    glorot = initial_weights(Streams(0), "w", SHAPE, FAN, "glorot")
    assert 0.999 * limit < np.abs(glorot).max() <= np.float32(limit)
    he = initial_weights(Streams(0), "w", SHAPE, FAN)
    assert np.abs(he).max() > 4 * he.std()


def test_zero() -> None:
    assert not initial_weights(Streams(0), "w", SHAPE, FAN, "zero").any()


def test_weights_depend_on_seed_path_and_shape_alone() -> None:
    streams = Streams(3)
    first = initial_weights(streams, "conv1.weight", (4, 3), (3, 4))
    initial_weights(streams, "new.weight", (40, 30), (30, 40))
    assert np.array_equal(initial_weights(streams, "conv1.weight", (4, 3), (3, 4)), first)
    assert not np.array_equal(initial_weights(streams, "conv2.weight", (4, 3), (3, 4)), first)
    assert not np.array_equal(initial_weights(Streams(4), "conv1.weight", (4, 3), (3, 4)), first)


def test_schemes_differ_by_scale_where_both_are_normal() -> None:
    he, lecun = (
        initial_weights(Streams(0), "w", (5, 4), (4, 5), scheme) for scheme in ("he", "lecun")
    )
    assert he == pytest.approx(lecun * math.sqrt(2), rel=1e-6)


def test_weights_never_change() -> None:
    """Results that were published depend on these numbers."""
    weights = initial_weights(Streams(0), "layer1.weight", (3,), (4, 3))
    assert weights.tolist() == [1.436801791191101, -0.879307210445404, -0.2916639447212219]
