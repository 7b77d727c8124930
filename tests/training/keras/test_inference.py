"""Pixels as the normaliser has them; probabilities that no batching changes."""

from itertools import pairwise

import numpy as np
from tests.training.keras.small import IMAGES, NORMALISER, SHAPE, inference

from bakeoff.training.keras.inference import Inference
from bakeoff.training.keras.library import tf


def test_pixels_are_normalised_as_everywhere() -> None:
    made = inference()
    found = made.pixels(tf.constant(IMAGES[:5])).numpy()
    np.testing.assert_allclose(found, NORMALISER(IMAGES[:5]), rtol=1e-6, atol=1e-6)
    raw = Inference(made.model, None, SHAPE).pixels(tf.constant(IMAGES[:5])).numpy()
    np.testing.assert_array_equal(raw, IMAGES[:5].astype(np.float32))


def test_probabilities_are_the_softmax_of_the_outputs() -> None:
    made = inference()
    logits = made.outputs(IMAGES).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made.probabilities(IMAGES), expected, rtol=1e-5)


def test_no_batching_changes_a_bit() -> None:
    made = inference()
    assert made.pass_size == 128
    whole = made.probabilities(IMAGES)
    cuts = [0, 1, 128, 129, 300]
    parts = [made.probabilities(IMAGES[a:b]) for a, b in pairwise(cuts)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert made.probabilities(IMAGES[:0]).shape == (0, 3)


def test_large_images_pass_in_smaller_numbers() -> None:
    assert Inference(None, None, (512, 512, 3)).pass_size == 4
    assert Inference(None, None, (2048, 2048, 3)).pass_size == 1
