"""Views of images on the device, and the mean of what a network says of them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bakeoff.core.views import View
from bakeoff.training.torch.transforms import reflected


def seen(images: Tensor, view: View) -> Tensor:
    """(B, H, W, C) uint8 images as a view shows them: the same shape."""
    if view.shift:
        for axis in (1, 2):
            size = images.shape[axis]
            places = torch.arange(size, device=images.device) - view.shift
            images = images.index_select(axis, reflected(places, size))
    return images.flip(2) if view.mirrored else images


def averaged(compute: Callable[[Tensor], Tensor], images: Tensor, views: Sequence[View]) -> Tensor:
    """The weighted mean of the outputs of all views of a batch.

    Args:
        compute: Outputs (B, ...) float32 of images (B, H, W, C) uint8.
        images: (B, H, W, C) uint8.
        views: With weights that add up to 1; of a single one, the outputs are left as they are.
    """
    first, *others = views
    out = compute(seen(images, first))
    if others:
        out = first.weight * out
        for view in others:
            out = out + view.weight * compute(seen(images, view))
    return out
