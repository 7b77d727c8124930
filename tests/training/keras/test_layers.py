"""Layers of ours: formulas, and what they do in passes that do not learn.

Gradients are held against the scratch layers in the tests of `techniques.frameworks`.
"""

import numpy as np
import pytest

from bakeoff.training.keras.layers import BatchNorm, NamedDropout, Padding, Residual, Scaled
from bakeoff.training.keras.library import keras, tf

INPUTS = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def test_scaled() -> None:
    scale, shift = np.arange(4, dtype=np.float32), np.ones(4, np.float32)
    found = Scaled(scale, shift)(INPUTS)
    np.testing.assert_allclose(found, INPUTS * scale + shift, rtol=1e-6)


def test_padding() -> None:
    images = np.ones((2, 3, 2, 1), np.float32)
    found = Padding((1, 2), -np.inf)(images).numpy()
    assert found.shape == (2, 5, 6, 1)
    assert found[0, 1:4, 2:4].min() == 1
    assert np.isneginf(found).sum() == 2 * (5 * 6 - 3 * 2)


def test_dropout_takes_the_masks_it_is_given() -> None:
    kept = np.random.default_rng(1).random(INPUTS.shape) < 0.5
    shapes = []

    def mask(shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        shapes.append(shape)
        return kept

    layer = NamedDropout(0.75, mask)
    compiled = tf.function(lambda x: layer(x, training=True))
    np.testing.assert_allclose(compiled(INPUTS), INPUTS * kept * 4, rtol=1e-6)
    assert shapes == [(6, 4)]
    np.testing.assert_array_equal(layer(INPUTS, training=False), INPUTS)
    np.testing.assert_array_equal(NamedDropout(0.0, mask)(INPUTS, training=True), INPUTS)
    assert len(shapes) == 1


def test_batch_norm_keeps_the_unbiased_variance() -> None:
    layer = BatchNorm(momentum=0.25, epsilon=1e-3)
    outputs = layer(INPUTS, training=True).numpy()
    mean, variance = INPUTS.mean(axis=0), INPUTS.var(axis=0)
    np.testing.assert_allclose(outputs, (INPUTS - mean) / np.sqrt(variance + 1e-3), rtol=1e-4)
    np.testing.assert_allclose(layer.mean, 0.25 * mean, rtol=1e-5, atol=1e-7)
    unbiased = INPUTS.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.variance, 0.75 + 0.25 * unbiased, rtol=1e-5)
    before = layer.mean.numpy()
    outputs = layer(INPUTS[:1], training=True).numpy()
    expected = (INPUTS[:1] - before) / np.sqrt(layer.variance.numpy() + 1e-3)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)
    np.testing.assert_array_equal(layer.mean, before)


@pytest.mark.parametrize("projected", [False, True])
def test_residual(projected: bool) -> None:
    double = keras.Sequential(
        [keras.Input((4,)), Scaled(np.full(4, 2.0, np.float32), np.zeros(4, np.float32))]
    )
    layer = Residual(double, double if projected else None)
    np.testing.assert_allclose(layer(INPUTS), INPUTS * (4 if projected else 3), rtol=1e-6)
