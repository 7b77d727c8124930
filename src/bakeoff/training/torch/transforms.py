"""What happens to images on the device: augmentation and normalisation of whole batches."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bakeoff.core.augmentation import Draws
from bakeoff.core.protocols import Normaliser


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
        flat = torch.mul(images.reshape(len(images), -1), self._scale).add_(self._shift)
        return flat.view(-1, *self.shape).permute(0, 3, 1, 2)


class Augmentation:
    """Changes batches of training images on the device, as `core.augmentation` draws it.

    An epoch's draws are made for all N training examples at once and looked up by index, so that
    neither the batch size nor the order matters. A shift by up to `crop` pixels along each axis is
    a crop out of the image padded by reflection: padding with a constant would add an edge that no
    image has.

    Args:
        draws: Of the training examples.
        mean: (C,) or (H, W, C) float32 in 0..1: what a blank square is filled with.
        device: Where the images are.
    """

    def __init__(self, draws: Draws, mean: NDArray[np.float32], device: torch.device) -> None:
        self._draws, self._settings, self._device = draws, draws.settings, device
        fill = np.broadcast_to(np.rint(255 * mean).astype(np.uint8), draws.shape)
        self._fill = torch.from_numpy(fill.copy()).to(device)
        self._epoch = -1
        self._drawn: dict[str, Tensor] = {}

    def __call__(
        self, images: Tensor, indices: NDArray[np.intp], epoch: int, whole: bool = False
    ) -> Tensor:
        """The training examples `indices` (B,), changed: (B, H, W, C) uint8.

        Args:
            images: They themselves, (B, H, W, C) uint8; or, where `whole`, all N training images,
                of which a move and a choice of some are one pass over memory.
            indices: Their positions among all.
            epoch: Number of the epoch.
            whole: Whether `images` are all.
        """
        settings = self._settings
        if not (whole or settings.moves or settings.jitters or settings.cutout):
            return images
        self._draw(epoch)
        chosen = to_device(indices, self._device)
        drawn = {name: values.index_select(0, chosen) for name, values in self._drawn.items()}
        if settings.moves:
            rows = chosen if whole else torch.arange(len(images), device=self._device)
            images = self._moved(images, rows, drawn)
        elif whole:
            images = images.index_select(0, chosen)
        if settings.jitters:
            images = _jittered(images, drawn["factors"])
        if settings.cutout:
            blank = self._blank(drawn["corners"])
            images = torch.where(blank[..., None], self._fill, images)
        return images

    def _draw(self, epoch: int) -> None:
        """The draws of all examples for an epoch."""
        if epoch == self._epoch:
            return
        draws, wanted = self._draws, self._settings
        made: dict[str, NDArray[np.generic]] = {}
        if wanted.flip:
            made["mirrored"] = draws.mirrored(epoch)
        if wanted.crop:
            made["shifts"] = draws.shifts(epoch)
        if wanted.cutout:
            made["corners"] = draws.corners(epoch)
        if wanted.jitters:
            made["factors"] = draws.factors(epoch)
        self._drawn = {name: to_device(values, self._device) for name, values in made.items()}
        self._epoch = epoch

    def _moved(self, images: Tensor, chosen: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """Those of the images that are chosen (B,), mirrored and shifted."""
        height, width, channels = self._draws.shape
        count = len(chosen)
        rows = torch.arange(height, device=self._device).expand(count, height)
        columns = torch.arange(width, device=self._device).expand(count, width)
        if "mirrored" in drawn:
            columns = torch.where(drawn["mirrored"][:, None], width - 1 - columns, columns)
        if "shifts" in drawn:
            rows = reflected(rows + drawn["shifts"][:, :1], height)
            columns = reflected(columns + drawn["shifts"][:, 1:], width)
        first = chosen[:, None] * height
        pixels = ((first + rows) * width)[:, :, None] + columns[:, None, :]  # (B, H, W)
        flat = images.reshape(-1, channels).index_select(0, pixels.view(-1))
        return flat.view(count, height, width, channels)

    def _blank(self, corners: Tensor) -> Tensor:
        """(B, H, W) bool: the pixels of each image's square."""
        height, width, _ = self._draws.shape
        inside = []
        for axis, size in enumerate((height, width)):
            place, first = torch.arange(size, device=self._device), corners[:, axis, None]
            inside.append((place >= first) & (place < first + self._settings.cutout))
        return inside[0][:, :, None] & inside[1][:, None, :]


def reflected(places: Tensor, size: int) -> Tensor:
    """Places outside 0 .. size - 1 mirrored at the first and the last pixel."""
    return (size - 1) - ((size - 1) - places.abs()).abs()


def _jittered(images: Tensor, factors: Tensor) -> Tensor:
    """(B, H, W, C) uint8 in other colours: `scratch.augmentation.jittered`, on the device."""
    brightness, contrast, saturation = factors.t()[:, :, None, None, None]
    x = images * brightness
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = mean + contrast * (x - mean)
    grey = x.mean(dim=3, keepdim=True)
    x = grey + saturation * (x - grey)
    pixels: Tensor = x.round().clamp(0, 255).to(torch.uint8)
    return pixels
