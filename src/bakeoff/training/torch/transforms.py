"""What happens to images on the device: augmentation and normalisation of whole batches."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bakeoff.core.augmentation import AugmentationDraws
from bakeoff.core.protocols import Normaliser
from bakeoff.core.streams import Streams


def to_device(values: NDArray[np.generic], device: torch.device) -> Tensor:
    """An array as a tensor on the device, without waiting for the device."""
    # torch warns of memory it may not write to, a memory-mapped file for instance.
    tensor = torch.from_numpy(values if values.flags.writeable else values.copy())
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Pixels:
    """uint8 images (B, H, W, C) to normalised float32 (B, C, H, W), channels last in memory.

    Mean and SD are laid out for a whole image: broadcasting along the few channels of a pixel
    takes more than twice the time.

    Args:
        normaliser: Fitted on training examples.
        shape: (H, W, C) of one image.
        device: Where the images are.
    """

    def __init__(
        self, normaliser: Normaliser, shape: tuple[int, int, int], device: torch.device
    ) -> None:
        self.normaliser, self.shape, self.device = normaliser, shape, device
        self._scale = self._whole(normaliser.scale)
        self._shift = self._whole(normaliser.shift)

    def _whole(self, values: NDArray[np.float32]) -> Tensor:
        flat = np.broadcast_to(values, self.shape).reshape(-1)
        return torch.from_numpy(flat.copy()).to(self.device)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, H, W, C) uint8 to (B, C, H, W) float32."""
        flat = images.reshape(len(images), -1).to(torch.float32)
        flat.mul_(self._scale).add_(self._shift)
        return flat.view(-1, *self.shape).permute(0, 3, 1, 2)


class Augmentation:
    """Mirrored and shifted images, drawn per (seed, epoch, example).

    A shift by up to `crop` pixels along each axis is
    a crop out of the image padded by reflection: padding with a constant would add an edge that no
    image has.

    Args:
        flip: Mirror left and right with probability 1/2.
        crop: Greatest shift in pixels, below H and W.
        examples: N.
        streams: The cell's.
        device: Where the images are.
    """

    def __init__(
        self, flip: bool, crop: int, examples: int, streams: Streams, device: torch.device
    ) -> None:
        self._flip, self._crop, self._device = flip, crop, device
        self._draws = AugmentationDraws(flip, crop, examples, streams)
        self._epoch = -1
        self._flips = self._shifts = torch.empty(0)

    def __call__(self, images: Tensor, indices: NDArray[np.intp], epoch: int) -> Tensor:
        """(B, H, W, C) uint8 images of the training examples `indices` (B,): the same shape."""
        if not (self._flip or self._crop):
            return images
        self._draw(epoch)
        chosen = to_device(indices, self._device)
        count, height, width, channels = images.shape
        rows = torch.arange(height, device=self._device).expand(count, height)
        columns = torch.arange(width, device=self._device).expand(count, width)
        if self._flip:
            flipped = self._flips.index_select(0, chosen)
            columns = torch.where(flipped[:, None], width - 1 - columns, columns)
        if self._crop:
            shifts = self._shifts.index_select(0, chosen)
            rows = _reflect(rows + shifts[:, :1], height)
            columns = _reflect(columns + shifts[:, 1:], width)
        first = torch.arange(count, device=self._device)[:, None] * height
        pixels = ((first + rows) * width)[:, :, None] + columns[:, None, :]  # (B, H, W)
        flat = images.reshape(-1, channels).index_select(0, pixels.view(-1))
        return flat.view(images.shape)

    def _draw(self, epoch: int) -> None:
        """Have the draws of this epoch on the device."""
        if epoch == self._epoch:
            return
        self._epoch = epoch
        if self._flip:
            self._flips = torch.from_numpy(self._draws.flips(epoch)).to(self._device)
        if self._crop:
            self._shifts = torch.from_numpy(self._draws.shifts(epoch)).to(self._device)


def _reflect(places: Tensor, size: int) -> Tensor:
    """Places outside 0 .. size - 1 mirrored at the first and the last pixel."""
    return (size - 1) - ((size - 1) - places.abs()).abs()
