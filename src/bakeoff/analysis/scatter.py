"""Very many points as a picture (PNG): each class in its colour, its name at its middle.

A report draws some hundred points that can be pointed at; tens of thousands are an image.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

Floats = NDArray[np.floating[Any]]
Colour = tuple[int, int, int]
SIDE, MARGIN = 1200, 40
"""Pixels of the square that holds the points, and around it."""
FINER = 2
"""Drawn so many times as large, then reduced: points with smooth edges."""
INK, PAPER, UNKNOWN = (27, 30, 35), (255, 255, 255), (139, 145, 154)
# Okabe and Ito's (2008), darkened for white paper, and more shades for more classes.
COLOURS: tuple[Colour, ...] = (
    (0, 114, 178), (213, 94, 0), (0, 140, 102), (181, 86, 142), (168, 116, 0),
    (36, 144, 207), (122, 116, 0), (120, 60, 190), (90, 60, 40), (200, 30, 70),
)  # fmt: skip
SHUFFLED = 0
"""Seed of the order of drawing, so that no class lies on all others."""
LEGIBLE = 30
"""Classes at most whose names are written."""


def scatter(places: Floats, labels: NDArray[np.int64], names: Sequence[str]) -> bytes:
    """Points on white ground, as a PNG of `SIDE + 2 * MARGIN` pixels a side.

    Args:
        places: (N, 2), finite; both axes have one scale.
        labels: (N,) an index into the names; -1: unknown, drawn grey.
        names: Of the K classes. From the eleventh on colours come again: names tell them apart.
    """
    from PIL import Image, ImageDraw, ImageFont

    spots = _pixels(places)
    size = FINER * (SIDE + 2 * MARGIN)
    image = Image.new("RGB", (size, size), PAPER)
    draw = ImageDraw.Draw(image)
    radius = FINER * float(np.clip(160 / max(len(spots), 1) ** 0.5, 1.1, 6.0))
    for row in np.random.default_rng(SHUFFLED).permutation(len(spots)):
        x, y = spots[row]
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, fill=colour(int(labels[row])))
    image = image.resize((size // FINER, size // FINER), Image.Resampling.LANCZOS)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(22)
    for index, name in enumerate(names[:LEGIBLE] if len(names) <= LEGIBLE else ()):
        own = spots[labels == index]
        if len(own):
            _name(draw, font, name, tuple(np.median(own, axis=0) / FINER), colour(index))
    stream = io.BytesIO()
    image.quantize(128, dither=Image.Dither.NONE).save(stream, "png", optimize=True)
    return stream.getvalue()


def colour(label: int) -> Colour:
    """Of a class; grey for an unknown one."""
    return UNKNOWN if label < 0 else COLOURS[label % len(COLOURS)]


def _pixels(places: Floats) -> Floats:
    """Places on the canvas as it is drawn, y upwards."""
    low, high = places.min(axis=0), places.max(axis=0)
    scale = (high - low).max() or 1.0
    unit = (places - (low + high) / 2) / scale + 0.5
    unit[:, 1] = 1 - unit[:, 1]
    spots: Floats = FINER * (MARGIN + SIDE * unit)
    return spots


def _name(
    draw: "ImageDraw",
    font: "FreeTypeFont | ImageFont",
    name: str,
    middle: tuple[float, ...],
    fill: Colour,
) -> None:
    """Write a name around its middle, with an edge of paper."""
    left, top, right, bottom = draw.textbbox((0, 0), name, font=font)
    wide, high = right - left, bottom - top
    most = SIDE + 2 * MARGIN
    x = min(max(middle[0] - wide / 2, 4), most - wide - 4)
    y = min(max(middle[1] - high / 2, 4), most - high - 4)
    # Darkened, so that it stands out from its own points.
    dark = (fill[0] * 3 // 5, fill[1] * 3 // 5, fill[2] * 3 // 5)
    draw.text((x - left, y - top), name, fill=dark, font=font, stroke_width=4, stroke_fill=PAPER)
