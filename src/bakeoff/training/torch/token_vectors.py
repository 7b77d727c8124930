"""A network at work on the vectors of tokens, which are looked up or computed batch by batch."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.training.torch.numerics import Precision
from bakeoff.training.torch.token_inference import STEP, TokenInference


class VectorSource(Protocol):
    """What stands for the vectors of tokens."""

    def __call__(self, ids: Tensor) -> Tensor:
        """(B, T) int64, -1 where there is no token, to (B, T, D) float32, anything there."""
        ...


class Table:
    """Vectors that were computed before: an id is a row.

    Args:
        rows: (R, D) float16.
        device: Where they are kept.
    """

    def __init__(self, rows: NDArray[np.float16], device: torch.device) -> None:
        blank = np.zeros((1, rows.shape[1]), np.float16)  # a pass of no texts looks up, too
        self.rows = torch.from_numpy(rows if len(rows) else blank).to(device)

    def __call__(self, ids: Tensor) -> Tensor:
        """(B, T) to (B, T, D); ids that are no rows, as a pass on trial has them, are some row."""
        return self.rows[ids % len(self.rows)].float()


class Computed:
    """Vectors as an encoder that learns nothing gives them, in the precision of a table.

    They come to the device of the ids, wherever the encoder computes.

    Args:
        encoder: Ids to the vectors of all tokens.
    """

    def __init__(self, encoder: TokenInference) -> None:
        self.encoder = encoder

    def __call__(self, ids: Tensor) -> Tensor:
        """(B, T) to (B, T, D)."""
        module = self.encoder.module.eval()
        with torch.no_grad(), self.encoder.autocast():
            vectors: Tensor = module(ids.to(self.encoder.device))
        return vectors.half().float().to(ids.device)


class TokenVectorInference(TokenInference):
    """A network on the vectors of tokens, with its passes.

    Args:
        module: (B, T, D + 1), as `models.token_cnn` describes it, to outputs (B, ...).
        device: Where it computes.
        precision: Of matrix products.
        source: Of the vectors.
    """

    def __init__(
        self, module: nn.Module, device: torch.device, precision: Precision, source: VectorSource
    ) -> None:
        super().__init__(module, device, precision, multiple=STEP)
        self.source = source

    def of(self, module: nn.Module) -> "TokenVectorInference":
        """The same with another module of the same kind."""
        made = TokenVectorInference(module, self.device, self.precision, self.source)
        made.cut_passes(self.cuts)
        return made

    def on(self, source: VectorSource) -> "TokenVectorInference":
        """The same network on other vectors."""
        made = self.of(self.module)
        made.source = source
        return made

    def inputs(self, items: Tensor) -> Tensor:
        """(B, T, D + 1) float32 of ids (B, T): the vectors, and 1 where there is a token."""
        ids = items.long()
        return torch.cat([self.source(ids), (ids >= 0)[..., None].float()], dim=2)
