"""Pixels to mean 0 and standard deviation 1, fitted on training examples."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Modality
from bakeoff.core.protocols import Normaliser

Kind = Literal["auto", "none", "channel", "feature"]
SD_FLOOR = 1 / 255
"""One grey level. A pixel that is (almost) constant while training would otherwise be blown up
without bound when it differs while testing."""
CHUNK = 4096


def resolve(kind: Kind, modality: Modality) -> Kind:
    """`auto` is `channel` for images and `none` for all else.

    Raises:
        InputError: where texts or numbers are to be normalised like pixels.
    """
    if kind == "auto":
        return "channel" if modality == "image" else "none"
    if modality != "image" and kind != "none":
        what = "texts" if modality == "text" else "numbers"
        raise InputError(f"data.normalise: '{kind}' is for images; {what} allow auto and none")
    return kind


def fit(kind: Kind, images: NDArray[np.uint8]) -> Normaliser:
    """The normaliser for a set of images.

    Sums are exact integers, so the result depends neither on the order of the images nor on how
    they are cut into chunks.

    Args:
        kind: `channel`: one mean and SD for each channel; `feature`: for each pixel and channel;
            `none`: scale to 0..1 and no more; `auto`: as `channel`.
        images: (N, H, W, C) uint8, N > 0.

    Returns:
        Mean and SD, (C,) or for `feature` (H, W, C), float32; SD at least 1/255.
    """
    shape = images.shape[1:]
    if kind == "none":
        return Normaliser(np.zeros(shape[-1], np.float32), np.ones(shape[-1], np.float32))
    total = np.zeros(shape, dtype=np.uint64)
    squares = np.zeros(shape, dtype=np.uint64)
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        # 4096 * 255^2 fits into 32 bits, which sum twice as fast as 64.
        total += chunk.sum(axis=0, dtype=np.uint32)
        squares += np.multiply(chunk, chunk, dtype=np.uint16).sum(axis=0, dtype=np.uint32)
    count = len(images)
    if kind != "feature":
        count *= shape[0] * shape[1]
        total, squares = total.sum(axis=(0, 1)), squares.sum(axis=(0, 1))
    mean = total / (255.0 * count)
    variance = np.maximum(squares / (255.0**2 * count) - mean**2, 0.0)
    sd = np.maximum(np.sqrt(variance), SD_FLOOR)
    return Normaliser(mean.astype(np.float32), sd.astype(np.float32))
