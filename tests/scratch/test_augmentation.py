"""Images changed by NumPy are those made by hand, example by example."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.streams import Streams
from bakeoff.scratch.augmentation import Augmentation, jittered, reflected

COUNT, SHAPE = 30, (7, 9, 3)
MEAN = np.array([0.2, 0.5, 0.7], np.float32)


def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), np.uint8)


def draws(**settings: Any) -> Draws:
    return Draws(AugmentationSettings(**settings), SHAPE, COUNT, Streams(0))


def by_hand(image: NDArray[np.uint8], drawn: Draws, example: int, epoch: int) -> NDArray[np.uint8]:
    """One image, mirrored or shifted, then blanked."""
    settings = drawn.settings
    if settings.flip and drawn.mirrored(epoch)[example]:
        image = image[:, ::-1]
    if settings.crop:
        pad = settings.crop
        down, right = drawn.shifts(epoch)[example]
        padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
        image = padded[pad + down :, pad + right :][: SHAPE[0], : SHAPE[1]]
    if settings.cutout:
        image = image.copy()
        row, column = drawn.corners(epoch)[example]
        rows = slice(max(row, 0), max(row + settings.cutout, 0))
        columns = slice(max(column, 0), max(column + settings.cutout, 0))
        image[rows, columns] = np.rint(255 * MEAN)
    return image


@pytest.mark.parametrize(
    "settings",
    [{"flip": True}, {"flip": "alternating"}, {"crop": 3}, {"cutout": 4}, {"crop": 2, "cutout": 3}],
    ids=str,
)
@pytest.mark.parametrize("epoch", [0, 1])
def test_by_hand(settings: dict[str, Any], epoch: int) -> None:
    drawn = draws(**settings)
    rows = np.random.default_rng(1).permutation(COUNT)[:20]
    out = Augmentation(drawn, MEAN)(images()[rows], rows, epoch)
    assert out.dtype == np.uint8
    for after, example in zip(out, rows.tolist(), strict=True):
        np.testing.assert_array_equal(after, by_hand(images()[example], drawn, example, epoch))


def test_colours() -> None:
    x = images()[:4]
    factors = np.array([[1.5, 1, 1], [1, 0.5, 1], [1, 1, 0], [1, 1, 1]], np.float32)
    out = jittered(x, factors).astype(float)
    np.testing.assert_allclose(out[0], np.minimum(1.5 * x[0], 255), atol=0.5)
    mean = x[1].mean()
    np.testing.assert_allclose(out[1], mean + 0.5 * (x[1] - mean), atol=0.51)
    np.testing.assert_allclose(out[2], np.repeat(x[2].mean(2, keepdims=True), 3, 2), atol=0.51)
    np.testing.assert_array_equal(out[3], x[3])


def test_nothing_to_do_changes_nothing() -> None:
    x = images()
    assert Augmentation(draws(), MEAN)(x, np.arange(COUNT), 0) is x


def test_reflection_does_not_repeat_the_edge() -> None:
    places = np.arange(-3, 8)
    assert reflected(places, 5).tolist() == [3, 2, 1, 0, 1, 2, 3, 4, 3, 2, 1]
