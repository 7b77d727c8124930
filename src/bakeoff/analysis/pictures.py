"""First filters and feature maps as pictures (PNG), for the report.

Source: Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional
neural networks", figure 3 (filters); Zeiler and Fergus 2014, "Visualizing and understanding
convolutional networks" (feature maps).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.analysis.disagreements import png
from bakeoff.core.examples import Items
from bakeoff.core.protocols import Inside

Floats = NDArray[np.floating[Any]]
Pixels = NDArray[np.uint8]
MOST_FILTERS = 32
MOST_LARGE = 16
"""Filters of more than `LARGE` pixels a side: they take more room, in bytes too."""
LARGE = 12
ACROSS = 8
"""Filters in a row."""
MAPS = 10
"""Channels of a stage."""
STAGES = 3
LARGEST = 64
"""Pixels a side of a tile; larger maps and images are thinned out."""
POSITIVE, NEGATIVE = (0, 114, 178), (213, 94, 0)
"""Colours of Okabe and Ito (2008), of weights of one channel; white is 0."""
SMALLEST = 24
"""Pixels a side of a tile, about: smaller ones are enlarged, or frames would be as wide as they."""
FRAME = (128, 128, 128, 110)
"""Between tiles and around them: seen on light and on dark ground."""
LEVELS = 32
"""Shades of a colour, to save bytes."""


def covers(filters: Floats, images: Items) -> bool:
    """Whether each of the filters (units, h, w, C) is as large as an image: no convolution's is."""
    return filters.shape[1:] == np.shape(images)[1:]


def write_filters(path: Path, filters: Floats) -> dict[str, Any]:
    """Write a picture of the first filters, and say what is on it.

    Args:
        path: Of the file; its folder is there.
        filters: (units, h, w, C).

    Returns:
        `shown` of `units`, `side` (h, w), tiles in a row, and pixels that one takes with its gap.
    """
    height, width = filters.shape[1:3]
    shown = filters[: MOST_LARGE if max(height, width) > LARGE else MOST_FILTERS]
    thin = -(-max(height, width) // LARGEST)
    tiles = [shaded(one[::thin, ::thin]) for one in shown]
    path.write_bytes(_png(grid([tiles[i : i + ACROSS] for i in range(0, len(tiles), ACROSS)])))
    return {
        "file": path.name,
        "shown": len(shown),
        "units": len(filters),
        "side": [height, width],
        "tile": tiles[0].shape[1] * enlarged(tiles[0].shape) + 1,
        "across": min(ACROSS, len(tiles)),
    }


def shaded(weights: Floats) -> Pixels:
    """Weights (h, w, C) as colours (h, w, 3), scaled to the largest of them.

    Three channels are red, green and blue around a grey that is 0; one channel, or the mean of
    another number, is blue where positive and orange where negative, white where 0.
    """
    finite = np.nan_to_num(weights.astype(np.float64))
    if weights.shape[2] != 3:
        finite = finite.mean(axis=2, keepdims=True)
    scaled = finite / (np.abs(finite).max() or 1.0)  # -1..1
    scaled = np.round(scaled * (LEVELS / 2)) / (LEVELS / 2)
    if weights.shape[2] == 3:
        return np.round(127.5 + 127.5 * scaled).astype(np.uint8)
    ends = np.where(scaled > 0, POSITIVE, NEGATIVE)
    return np.round(255 + (ends - 255) * np.abs(scaled)).astype(np.uint8)


def write_maps(path: Path, network: Inside, images: Items, labels: Sequence[str]) -> Any:
    """Write a picture of the feature maps of some images, and say what is on it.

    Every row is an image at a stage: at the first the image itself, then the first channels behind
    the last activation of the stage. A stage is all layers whose maps have the same size.

    Args:
        path: Of the file; its folder is there.
        network: Opened.
        images: A few (B, H, W, C) uint8.
        labels: What they show.

    Returns:
        None where the network has no feature maps.
    """
    stages: dict[tuple[int, ...], tuple[str, Floats]] = {}

    def watch(layer: str, kind: str, outputs: Floats) -> None:
        if outputs.ndim == 4 and min(outputs.shape[1:3]) > 1:
            stages[outputs.shape[1:3]] = (layer, outputs[..., :MAPS].copy())

    network.outputs(images, watch)
    if not stages:
        return None
    chosen = list(stages.values())
    if len(chosen) > STAGES:
        chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, STAGES).round().astype(int)]
    pictures = np.asarray(images)
    thin = -(-max(pictures.shape[1:3]) // LARGEST)
    small = pictures[:, ::thin, ::thin]
    side = small.shape[1:3]
    rows = []
    for index, image in enumerate(small):
        for place, (_, maps) in enumerate(chosen):
            first = _coloured(image) if place == 0 else None
            rows.append([first, *(_grey(maps[index, ..., k], side) for k in range(maps.shape[3]))])
    path.write_bytes(_png(grid(rows, side)))
    named = [{"layer": layer, "side": list(maps.shape[1:3])} for layer, maps in chosen]
    return {
        "file": path.name,
        "tile": side[1] * enlarged(side) + 1,
        "across": max(map(len, rows)),
        "stages": named,
        "labels": list(labels),
    }


def enlarged(side: tuple[int, ...]) -> int:
    """How many pixels a side `grid` makes of one, of tiles (h, w)."""
    return max(1, SMALLEST // max(side[:2]))


def grid(rows: Sequence[Sequence[Pixels | None]], side: tuple[int, ...] = ()) -> Pixels:
    """Tiles (h, w, 3) in rows, each in a frame of a pixel, as (H, W, 4); None is transparent.

    Args:
        rows: Of tiles of one size.
        side: (h, w); else that of the first tile.
    """
    height, width = side or next(t.shape[:2] for row in rows for t in row if t is not None)
    times = enlarged((height, width))
    height, width = height * times, width * times
    longest = max(map(len, rows))
    canvas = np.zeros((len(rows) * (height + 1) + 1, longest * (width + 1) + 1, 4), np.uint8)
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            if tile is not None:
                place = canvas[i * (height + 1) :, j * (width + 1) :]
                framed = place[: height + 2, : width + 2]
                framed[framed[..., 3] < 255] = FRAME
                framed[1:-1, 1:-1, :3] = tile.repeat(times, axis=0).repeat(times, axis=1)
                framed[1:-1, 1:-1, 3] = 255
    return canvas


def _grey(values: Floats, side: tuple[int, ...]) -> Pixels:
    """A map (h, w) as (*side, 3): black is 0 or its least value, white its greatest."""
    finite = np.nan_to_num(values.astype(np.float64))
    low = min(0.0, float(finite.min()))
    scaled = (finite - low) / ((float(finite.max()) - low) or 1.0)
    shades = np.round(scaled * (LEVELS - 1)) * (255 / (LEVELS - 1))
    rows, columns = (np.arange(n) * m // n for n, m in zip(side, values.shape, strict=True))
    tile = shades.round().astype(np.uint8)[np.ix_(rows, columns)]
    return np.repeat(tile[..., np.newaxis], 3, axis=2)


def _coloured(image: Pixels) -> Pixels:
    """(h, w, C) as (h, w, 3)."""
    return image if image.shape[2] == 3 else np.repeat(image[..., :1], 3, axis=2)


def _png(canvas: Pixels) -> bytes:
    return png(canvas[np.newaxis], 0)
