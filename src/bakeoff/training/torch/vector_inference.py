"""A network at work on vectors: the head of an encoder that learns nothing, which speaks once."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bakeoff.core.passes import PassSize
from bakeoff.training.torch.inference import Network

Vectors = NDArray[np.float32]
"""(N, D)."""


class VectorInference(Network):
    """A network with its passes; the module reads vectors (B, D) float32.

    Passes are all as long (`core.passes`), so that what is beside a vector changes no bit.
    """

    def cut_passes(self, cuts: int) -> None:
        """Pass at most `pass_size / cuts` vectors at once from now on."""
        super().cut_passes(cuts)
        self._pass_size = PassSize(max(1, self.pass_size // cuts))

    def outputs(self, items: Vectors) -> NDArray[np.float32]:
        """(N, ...) float32 of N vectors."""
        self.module.eval()
        width = items.shape[1]
        with torch.inference_mode(), self.autocast():
            size = self._pass_size(
                lambda x: self._pass(x).cpu().numpy(), lambda count: _drawn(count, width)
            )
            return self.in_passes(items, size, self._pass)

    def _pass(self, items: Vectors) -> Tensor:
        outputs: Tensor = self.module(torch.from_numpy(items).to(self.device))
        return outputs.float()


def _drawn(count: int, width: int) -> Vectors:
    """That many vectors that differ."""
    return np.random.default_rng(0).standard_normal((count, width), np.float32)
