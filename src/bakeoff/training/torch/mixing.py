"""Mixup: each training image and its label blended with another's (Zhang et al. 2018)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bakeoff.core.augmentation import Draws
from bakeoff.core.examples import Examples, Items
from bakeoff.core.protocols import Batch
from bakeoff.training.torch.transforms import to_device


class Mixing:
    """The partners of a batch's examples, drawn over the whole training set, and the shares.

    Both are a function of (seed, epoch, example): neither batch size nor order matters. In the
    paper's program one share is drawn a batch, and partners come from the same batch.

    Args:
        draws: Of the training examples.
        train: These examples.
        device: Where the shares go.
        gather: Whether partners come with their images; False: without, for a step that has all
            of them at hand and finds them by their positions.
    """

    def __init__(
        self, draws: Draws, train: Examples, device: torch.device, gather: bool = True
    ) -> None:
        self._draws, self._device, self._gather = draws, device, gather
        self._items, self._labels = np.asarray(train.items), train.labels
        self._epoch = -1
        self._partners: NDArray[np.int64] = np.arange(0)
        self._shares: NDArray[np.float32] = np.zeros(0, np.float32)

    def __call__(self, indices: NDArray[np.intp], epoch: int) -> tuple[Batch, Tensor]:
        """For the training examples `indices` (B,): their partners; their own shares (B,)."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._partners, self._shares = self._draws.partners(epoch), self._draws.shares(epoch)
        others = self._partners[indices]
        items: Items = self._items[others] if self._gather else []
        batch = Batch(items, self._labels[others], others)
        return batch, to_device(self._shares[indices], self._device)


def blended(own: Tensor, others: Tensor, shares: Tensor) -> Tensor:
    """`share own + (1 - share) other` of (B, ...) twice and (B,)."""
    return torch.lerp(others, own, shares.view(-1, *[1] * (own.dim() - 1)))


def soft_targets(own: Tensor, others: Tensor, shares: Tensor, classes: int) -> Tensor:
    """(B, K) float32: the share at each own label (B,), the rest at the other one (B,)."""
    targets = torch.zeros(len(own), classes, device=own.device)
    targets.scatter_add_(1, own[:, None], shares[:, None])
    return targets.scatter_add_(1, others[:, None], 1 - shares[:, None])
