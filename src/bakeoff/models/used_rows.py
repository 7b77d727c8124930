"""An embedding of which the rows learn that training texts reach, and no others.

Where nothing but gradients moves a weight, a row that no training text reaches stays as it is. A
small set reaches a fraction of a pretrained vocabulary: without the rest, an update neither fills,
nor measures, nor moves millions of numbers that are 0, and an optimiser remembers none of them. The
numbers are those of the whole table but for the rounding of the gradients' norm.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call


class UsedRows(nn.Module):
    """Some rows of an embedding, which learn, and all the others, which do not.

    Args:
        whole: The embedding, with V rows; it is frozen.
        used: (U,) int64, the ids that training texts hold, ascending.
    """

    def __init__(self, whole: nn.Embedding, used: Tensor) -> None:
        super().__init__()
        self.whole = whole.requires_grad_(False)
        self.weight = nn.Parameter(whole.weight.detach()[used].clone())
        # No buffer: those are saved with the weights.
        self.place = torch.full((whole.num_embeddings,), -1, device=used.device)
        self.place[used] = torch.arange(len(used), device=used.device)
        self._padding = whole.padding_idx
        found = -1 if self._padding is None else int(self.place[self._padding])
        whole.padding_idx = None if found < 0 else found  # of `weight`; gradients alone read it

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) int64 to (B, T, D); while it trains, of used ids alone."""
        at = self.place[ids]
        if self.training:
            return self._learnt(at)
        known = (at >= 0)[..., None]
        return torch.where(known, self._learnt(at.clamp(min=0)), self.whole(ids))

    def _learnt(self, at: Tensor) -> Tensor:
        """Rows that learn, read as the embedding reads its own: Gemma's scales them."""
        return cast(Tensor, functional_call(self.whole, {"weight": self.weight}, (at,)))

    def merged(self) -> nn.Embedding:
        """The whole embedding with what was learnt."""
        with torch.no_grad():
            self.whole.weight[self.place >= 0] = self.weight
        self.whole.padding_idx = self._padding
        return self.whole.requires_grad_()


def learn_used_rows(body: nn.Module, ids: Tensor) -> None:
    """Put a body's embedding of tokens into a `UsedRows`.

    Args:
        body: Of Transformers, whose embedding's weights learn.
        ids: (N,) int64, all that training shows it.
    """
    place = cast(Any, body)
    whole = place.get_input_embeddings()
    made = UsedRows(whole, torch.unique(ids).to(whole.weight.device))
    vars(made.weight).update(vars(whole.weight))  # its share of the rate, where it has one
    place.set_input_embeddings(made)


def merge_used_rows(body: nn.Module) -> None:
    """Put the whole embedding back, with what was learnt."""
    place = cast(Any, body)
    place.set_input_embeddings(place.get_input_embeddings().merged())
