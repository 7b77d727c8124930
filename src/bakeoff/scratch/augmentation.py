"""Mirrored and shifted training images."""

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.augmentation import AugmentationDraws

Pixels = NDArray[np.uint8]


class Augmentation:
    """Mirrors and shifts images as drawn for each training example and epoch.

    A shift is a crop out of the image padded by reflection: padding with a constant would add an
    edge that no image has.

    Args:
        draws: Of the N training examples; `crop` below H and W.
    """

    def __init__(self, draws: AugmentationDraws) -> None:
        self._draws = draws
        self._epoch = -1
        self._flips: NDArray[np.bool_] = np.empty(0, np.bool_)
        self._shifts: NDArray[np.int64] = np.empty((0, 2), np.int64)

    def __call__(self, images: Pixels, indices: NDArray[np.intp], epoch: int) -> Pixels:
        """(B, H, W, C) uint8 images of the training examples `indices` (B,): the same shape."""
        if not (self._draws.flip or self._draws.crop):
            return images
        self._draw(epoch)
        count, height, width, channels = images.shape
        rows = np.broadcast_to(np.arange(height), (count, height))
        columns = np.broadcast_to(np.arange(width), (count, width))
        if self._draws.flip:
            columns = np.where(self._flips[indices, None], width - 1 - columns, columns)
        if self._draws.crop:
            shifts = self._shifts[indices]
            rows = _reflect(rows + shifts[:, :1], height)
            columns = _reflect(columns + shifts[:, 1:], width)
        first = np.arange(count)[:, None] * height
        places = ((first + rows) * width)[:, :, None] + columns[:, None, :]  # (B, H, W)
        flat = images.reshape(-1, channels)
        changed: Pixels = flat.take(places.reshape(-1), axis=0).reshape(images.shape)
        return changed

    def _draw(self, epoch: int) -> None:
        """Have the draws of this epoch at hand."""
        if epoch == self._epoch:
            return
        self._epoch = epoch
        if self._draws.flip:
            self._flips = self._draws.flips(epoch)
        if self._draws.crop:
            self._shifts = self._draws.shifts(epoch)


def _reflect(places: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Places outside 0 .. size - 1 mirrored at the first and the last pixel."""
    inside: NDArray[np.int64] = (size - 1) - np.abs((size - 1) - np.abs(places))
    return inside
