"""First filters and feature maps, as pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bakeoff.analysis.pictures import (
    FRAME,
    MAPS,
    MOST_FILTERS,
    MOST_LARGE,
    NEGATIVE,
    POSITIVE,
    covers,
    enlarged,
    grid,
    shaded,
    write_filters,
    write_maps,
)
from bakeoff.core.examples import Items
from bakeoff.core.protocols import Arrays, Batch, Watch

GENERATOR = np.random.default_rng(0)


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.array(image)


def test_one_channel_is_blue_and_orange_around_white() -> None:
    found = shaded(np.array([[[2.0], [-2.0], [0.0], [1.0]]]))
    assert found[0, 0].tolist() == list(POSITIVE)
    assert found[0, 1].tolist() == list(NEGATIVE)
    assert found[0, 2].tolist() == [255, 255, 255]
    assert POSITIVE[0] < found[0, 3, 0] < 255


def test_three_channels_are_colours_around_grey() -> None:
    found = shaded(np.array([[[1.0, 0.0, -1.0]]]))
    assert found.tolist() == [[[255, 128, 0]]]


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_zeros_and_what_is_no_number_have_a_colour(channels: int) -> None:
    grey = 128 if channels == 3 else 255
    weights = np.zeros((2, 2, channels))
    assert (shaded(weights) == grey).all()
    weights[0, 0] = np.nan
    assert (shaded(weights) == grey).all()


def test_the_scale_of_weights_does_not_matter() -> None:
    weights = GENERATOR.standard_normal((3, 3, 3))
    np.testing.assert_array_equal(shaded(weights), shaded(1e-6 * weights))


def test_tiles_stand_in_frames() -> None:
    tile = np.full((24, 24, 3), 7, np.uint8)
    canvas = grid([[tile, tile], [None, tile]])
    assert canvas.shape == (51, 51, 4)
    assert canvas[1, 1].tolist() == [7, 7, 7, 255]
    assert canvas[0, 0].tolist() == canvas[25, 25].tolist() == list(FRAME)
    assert canvas[40, 10].tolist() == [0, 0, 0, 0]


def test_small_tiles_are_enlarged() -> None:
    assert [enlarged((side, side)) for side in (3, 5, 8, 24, 32)] == [8, 4, 3, 1, 1]
    tile = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    canvas = grid([[tile]])
    assert canvas.shape == (26, 26, 4)
    np.testing.assert_array_equal(canvas[1:-1:8, 1:-1:8, :3], tile)
    np.testing.assert_array_equal(canvas[8:-1:8, 8:-1:8, :3], tile)


def test_filters(tmp_path: Path) -> None:
    filters = GENERATOR.standard_normal((40, 5, 5, 3))
    found = write_filters(tmp_path / "f.png", filters)
    assert found == {
        "file": "f.png", "shown": MOST_FILTERS, "units": 40, "side": [5, 5], "tile": 21,
        "across": 8,
    }  # fmt: skip
    picture = pixels(tmp_path / "f.png")
    assert picture.shape == (4 * 21 + 1, 8 * 21 + 1, 4)
    ninth = picture[22:43, 1:22, :3][:20:4, :20:4]  # the first of the second row
    np.testing.assert_array_equal(ninth, shaded(filters[8]))


def test_large_filters_are_fewer(tmp_path: Path) -> None:
    filters = GENERATOR.standard_normal((40, 32, 32, 3))
    assert write_filters(tmp_path / "f.png", filters)["shown"] == MOST_LARGE
    assert (tmp_path / "f.png").stat().st_size < 60_000


def test_same_filters_same_bytes(tmp_path: Path) -> None:
    filters = GENERATOR.standard_normal((4, 9, 7, 1))
    for name in ("a", "b"):
        write_filters(tmp_path / name, filters)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_filters_as_large_as_images() -> None:
    images = np.zeros((5, 8, 6, 3), np.uint8)
    assert covers(np.zeros((10, 8, 6, 3)), images)
    assert not covers(np.zeros((10, 3, 3, 3)), images)


class Staged:
    """Two layers of 8 x 6, one of 4 x 3, one without maps."""

    def weights(self) -> Arrays:
        return {}

    def filters(self) -> NDArray[np.float32] | None:
        return None

    def gradients(self, batch: Batch) -> Arrays:
        return {}

    def outputs(self, items: Items, watch: Watch) -> None:
        count = len(items)
        watch("first", "relu", np.ones((count, 8, 6, 2)))
        ramp = np.linspace(0, 1, 48).reshape(1, 8, 6, 1) * np.ones((count, 1, 1, 12))
        watch("second", "relu", ramp)
        watch("third", "tanh", np.full((count, 4, 3, 3), -0.5))
        watch("last", "relu", np.ones((count, 5)))


def test_maps_of_the_last_activation_of_each_size(tmp_path: Path) -> None:
    images = GENERATOR.integers(0, 256, (2, 8, 6, 3), np.uint8)
    found: dict[str, Any] = write_maps(tmp_path / "m.png", Staged(), images, ["cat", "dog"])
    times = enlarged((8, 6))
    assert found["stages"] == [
        {"layer": "second", "side": [8, 6]},
        {"layer": "third", "side": [4, 3]},
    ]
    assert (found["across"], found["tile"]) == (MAPS + 1, 6 * times + 1)
    assert found["labels"] == ["cat", "dog"]
    picture = pixels(tmp_path / "m.png")
    tall, wide = 8 * times + 1, 6 * times + 1
    assert picture.shape == (4 * tall + 1, 11 * wide + 1, 4)
    np.testing.assert_array_equal(picture[1:tall:times, 1:wide:times, :3], images[0])
    assert not picture[tall + 1 : 2 * tall, 1:wide, 3].any()  # no image beside the second stage
    first_map = picture[1:tall, wide + 1 : 2 * wide, 0]
    assert first_map[0, 0] == 0
    assert first_map[-1, -1] == 255
    assert (np.diff(first_map[0].astype(int)) >= 0).all()
    assert not picture[tall + 1 : 2 * tall, wide + 1 : 2 * wide, :3].any()  # one value: black


def test_networks_without_maps_have_no_picture(tmp_path: Path) -> None:
    class Flat(Staged):
        def outputs(self, items: Items, watch: Watch) -> None:
            watch("last", "relu", np.ones((len(items), 5)))

    images = np.zeros((2, 8, 6, 1), np.uint8)
    assert write_maps(tmp_path / "m.png", Flat(), images, ["a", "b"]) is None
    assert not (tmp_path / "m.png").exists()
