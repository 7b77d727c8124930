"""Pictures of many points: every point in its place and colour, names on them."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bakeoff.analysis.scatter import COLOURS, MARGIN, SIDE, UNKNOWN, colour, scatter

CORNERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def opened(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def near(pixel: NDArray[np.uint8], expected: tuple[int, int, int]) -> bool:
    """The palette of the file rounds colours."""
    return bool(np.abs(pixel.astype(int) - expected).max() < 12)


def test_points_are_where_they_belong_with_y_upwards() -> None:
    pixels = opened(scatter(CORNERS, np.array([0, 1, 2, -1]), []))
    assert pixels.shape == (SIDE + 2 * MARGIN, SIDE + 2 * MARGIN, 3)
    low, high = MARGIN, MARGIN + SIDE - 1
    assert near(pixels[high, low], COLOURS[0])
    assert near(pixels[high, high], COLOURS[1])
    assert near(pixels[low, low], COLOURS[2])
    assert near(pixels[low, high], UNKNOWN)
    assert near(pixels[pixels.shape[0] // 2, pixels.shape[1] // 2], (255, 255, 255))


def test_one_scale_for_both_axes() -> None:
    pixels = opened(scatter(CORNERS * [1.0, 0.1], np.zeros(4, np.int64), []))
    drawn = pixels.min(axis=2) < 250
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    assert np.ptp(columns) > 5 * np.ptp(rows)


def test_names_are_written_only_where_there_are_points() -> None:
    labels = np.zeros(4, np.int64)
    plain, named, absent = (
        scatter(CORNERS, labels, names) for names in ([], ["frog"], ["", "frog"])
    )
    assert named != plain
    assert absent == plain


def test_equal_points_and_more_classes_than_colours() -> None:
    pixels = opened(scatter(np.ones((5, 2)), np.arange(5) + 10, []))
    assert (pixels < 200).any()
    assert colour(10) == colour(0)
