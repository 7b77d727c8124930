"""Training images that stay on the device, so that an update copies nothing but positions."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bakeoff.core.examples import Examples

SHARE = 0.5
"""Of a GPU's free memory, what images may take: the rest is the network's."""


@dataclass(frozen=True, eq=False)
class Resident:
    """All N training examples on a device.

    Args:
        images: (N, H, W, C) uint8.
        labels: (N,) int64.
    """

    images: Tensor
    labels: Tensor


def reside(examples: Examples, device: torch.device) -> tuple[Resident | None, str | None]:
    """Bring training images to the device, once.

    On a CPU they share memory with the array, unless that must not be written to: torch has no
    tensors for such memory.

    Returns:
        The images, or None where there is no room for them; and then a sentence that says so.
    """
    images = np.asarray(examples.items)
    room = _room(device)
    if room is not None and images.nbytes > room:
        return None, (
            f"training images of {images.nbytes:,} bytes stayed in the host's memory: they may "
            f"take {room:,} bytes of the GPU's"
        )
    images = images if images.flags.writeable else images.copy()
    labels = torch.from_numpy(np.array(examples.labels))
    return Resident(torch.from_numpy(images).to(device), labels.to(device)), None


def _room(device: torch.device) -> int | None:
    """Bytes that images may take there; None: where they lie already."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return int(SHARE * free)
