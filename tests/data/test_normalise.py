"""Tests of normalisation."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.data import normalise
from bakeoff.data.normalise import SD_FLOOR, fit, resolve

Pixels = Callable[..., NDArray[np.uint8]]


def test_channel_gives_mean_0_and_sd_1(make_pixels: Pixels) -> None:
    images = make_pixels(50, 6, 5, 3)
    images[..., 1] //= 3
    out = fit("channel", images)(images)
    assert out.dtype == np.float32
    assert np.abs(out.mean(axis=(0, 1, 2))).max() < 1e-4
    assert np.abs(out.std(axis=(0, 1, 2)) - 1).max() < 1e-4


def test_feature_gives_it_for_every_pixel(make_pixels: Pixels) -> None:
    images = make_pixels(50, 4, 4, 1)
    normaliser = fit("feature", images)
    assert normaliser.mean.shape == (4, 4, 1)
    expected = images / 255.0
    assert np.allclose(normaliser.mean, expected.mean(axis=0), atol=1e-7)
    assert np.allclose(normaliser.sd, expected.std(axis=0), atol=1e-7)


@pytest.mark.parametrize("kind", ["channel", "feature"])
def test_constant_pixels_stay_finite(kind: normalise.Kind) -> None:
    images = np.zeros((10, 4, 4, 1), dtype=np.uint8)
    images[0, 0, 0] = 1  # varies by less than a grey level
    normaliser = fit(kind, images)
    assert np.all(normaliser.sd == np.float32(SD_FLOOR))
    assert np.abs(normaliser(np.full((1, 4, 4, 1), 255, dtype=np.uint8))).max() <= 255


def test_auto_and_none(make_pixels: Pixels) -> None:
    images = make_pixels(9, 4, 4, 3)
    assert fit("auto", images).mean.tolist() == fit("channel", images).mean.tolist()
    assert fit("none", images)(images).max() <= 1
    assert np.allclose(fit("none", images)(images), images / 255.0, atol=1e-6)


def test_chunks_and_order_do_not_matter(
    make_pixels: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = make_pixels(100, 5, 5, 3)
    whole = fit("feature", images)
    monkeypatch.setattr(normalise, "CHUNK", 7)
    parts = fit("feature", images[::-1])
    assert whole.mean.tobytes() == parts.mean.tobytes()
    assert whole.sd.tobytes() == parts.sd.tobytes()


def test_the_brightest_images_do_not_overflow() -> None:
    images = np.full((normalise.CHUNK + 1, 2, 2, 1), 255, dtype=np.uint8)
    assert fit("feature", images).mean.tolist() == np.ones((2, 2, 1)).tolist()


def test_auto_is_resolved_by_modality() -> None:
    assert resolve("auto", "image") == "channel"
    assert resolve("auto", "text") == resolve("none", "text") == "none"
    assert resolve("feature", "image") == "feature"
    with pytest.raises(InputError, match=r"data\.normalise: 'channel' is for images"):
        resolve("channel", "text")
