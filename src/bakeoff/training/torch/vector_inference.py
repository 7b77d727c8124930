"""A network at work on vectors: the head of an encoder that learns nothing, which speaks once."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bakeoff.training.torch.inference import Network

Vectors = NDArray[np.float32]
"""(N, D)."""


class VectorInference(Network):
    """A network with its passes; the module reads vectors (B, D) float32."""

    def outputs(self, items: Vectors) -> NDArray[np.float32]:
        """(N, ...) float32 of N vectors."""
        self.module.eval()
        size = max(1, self.pass_size // self.cuts)
        starts = range(0, max(1, len(items)), size)  # no items: a pass tells how wide it is
        with torch.inference_mode(), self.autocast():
            found = [self._pass(items[start : start + size]) for start in starts]
        return torch.cat(found).cpu().numpy()

    def _pass(self, items: Vectors) -> Tensor:
        outputs: Tensor = self.module(torch.from_numpy(items).to(self.device))
        return outputs.float()
