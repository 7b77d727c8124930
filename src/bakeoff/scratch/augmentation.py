"""Training images changed with NumPy."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.augmentation import Draws


class Augmentation:
    """Changes batches of training images, with NumPy.

    Args:
        draws: Of the training examples.
        mean: (C,) or (H, W, C) float32 in 0..1: what a blank square is filled with.

    Raises:
        InputError: where images are to be blended: their labels are out of reach here.
    """

    def __init__(self, draws: Draws, mean: NDArray[np.float32]) -> None:
        draws.settings.check_unblended("what changes images alone")
        self.draws, self.mean, self._settings = draws, mean, draws.settings
        fill = np.rint(255 * mean).astype(np.uint8)
        self._fill = np.broadcast_to(fill, draws.shape)
        self._epoch = -1

    def __call__(
        self, images: NDArray[np.uint8], indices: NDArray[np.intp], epoch: int
    ) -> NDArray[np.uint8]:
        """(B, H, W, C) uint8 images of the training examples `indices` (B,): the same shape."""
        settings = self._settings
        self._begin(epoch)
        if settings.moves:
            images = self._moved(images, indices)
        if settings.jitters:
            images = jittered(images, self._factors[indices])
        if settings.cutout:
            blank = self._blank(indices)
            images = np.where(blank[..., None], self._fill, images)
        return images

    def _begin(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        self._epoch = epoch
        if self._settings.flip:
            self._mirrored = self.draws.mirrored(epoch)
        if self._settings.crop:
            self._shifts = self.draws.shifts(epoch)
        if self._settings.cutout:
            self._corners = self.draws.corners(epoch)
        if self._settings.jitters:
            self._factors = self.draws.factors(epoch)

    @cached_property
    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        height, width, _ = self.draws.shape
        return np.arange(height), np.arange(width)

    def _moved(self, images: NDArray[np.uint8], indices: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Mirrored, then shifted: a crop of the image padded by reflection."""
        height, width, channels = self.draws.shape
        rows, columns = (np.tile(p, (len(images), 1)) for p in self._places)
        if self._settings.flip:
            flipped = self._mirrored[indices]
            columns[flipped] = width - 1 - columns[flipped]
        if self._settings.crop:
            shifts = self._shifts[indices]
            rows = reflected(rows + shifts[:, :1], height)
            columns = reflected(columns + shifts[:, 1:], width)
        first = np.arange(len(images))[:, None] * height
        pixels = ((first + rows) * width)[:, :, None] + columns[:, None, :]  # (B, H, W)
        return images.reshape(-1, channels).take(pixels.reshape(-1), axis=0).reshape(images.shape)

    def _blank(self, indices: NDArray[np.intp]) -> NDArray[np.bool_]:
        """(B, H, W) bool: the pixels of each image's square."""
        corners, side = self._corners[indices], self._settings.cutout
        inside = [
            (place >= corners[:, axis, None]) & (place < corners[:, axis, None] + side)
            for axis, place in enumerate(self._places)
        ]
        blank: NDArray[np.bool_] = inside[0][:, :, None] & inside[1][:, None, :]
        return blank


def reflected(places: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Places outside 0 .. size - 1 mirrored at the first and the last pixel."""
    mirrored: NDArray[np.int64] = (size - 1) - np.abs((size - 1) - np.abs(places))
    return mirrored


def jittered(images: NDArray[np.uint8], factors: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Images with other colours, cut to 0..255 at the end.

    Args:
        images: (B, H, W, C) uint8.
        factors: (B, 3) float32: of brightness, then contrast, then saturation.
    """
    brightness, contrast, saturation = factors.T[:, :, None, None, None]
    x = images * brightness
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    x = mean + contrast * (x - mean)
    grey = x.mean(axis=3, keepdims=True)
    x = grey + saturation * (x - grey)
    pixels: NDArray[np.uint8] = np.rint(x).clip(0, 255).astype(np.uint8)
    return pixels
