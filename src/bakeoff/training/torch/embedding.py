"""A network that turns items into vectors to be compared, from one that classifies."""

from typing import Any, cast

from torch import Tensor, nn
from torch.nn.functional import normalize


class Embedding(nn.Module):
    """The vectors of a trunk, perhaps on the unit sphere.

    Args:
        trunk: Gives vectors instead of logits; where `hidden`, its `features` do, and its layer
            `output`, where it has one, is taken off.
        normalise: Whether vectors have length 1 (Schroff et al. 2015, section 3.1).
        hidden: Whether the vectors are those of the trunk's last hidden layer.
    """

    def __init__(self, trunk: nn.Module, *, normalise: bool, hidden: bool) -> None:
        super().__init__()
        self.trunk, self.normalise, self.hidden = trunk, normalise, hidden
        if hidden and hasattr(trunk, "output"):
            trunk.output = nn.Identity()

    def forward(self, items: Tensor) -> Tensor:
        """(B, ...) to vectors (B, D) float32."""
        compute: Any = self.trunk.features if self.hidden else self.trunk
        vectors = cast(Tensor, compute(items))
        # Lengths in float32, whatever the trunk computes in: a sum of D squares.
        return normalize(vectors.float(), dim=1) if self.normalise else vectors

    def features(self, items: Tensor) -> Tensor:
        """The same."""
        vectors: Tensor = self(items)
        return vectors
