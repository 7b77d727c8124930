"""Losses that compare the vectors of a batch: triplets, and supervised contrast.

They see vectors and labels alone, whatever the items were.
"""

from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bakeoff.core.protocols import Position
from bakeoff.core.streams import Streams

Mining = Literal["random", "semi-hard", "batch-hard"]
EPSILON = 1e-6
"""Added to every difference before its length is taken, as torch's `PairwiseDistance` does: the
length of 0 has no gradient."""


class Triplets(NamedTuple):
    """Places in a batch (T,): anchors, examples of their classes, examples of other classes."""

    anchors: Tensor
    positives: Tensor
    negatives: Tensor


def distances(vectors: Tensor) -> Tensor:
    """(B, B) the Euclidean distances of vectors (B, D), without gradients; 0 on the diagonal."""
    with torch.no_grad():
        squares = vectors.square().sum(dim=1)
        table = squares[:, None] + squares[None, :] - 2 * vectors @ vectors.t()
        return table.clamp(min=0).sqrt().fill_diagonal_(0)


def pairs_of(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(B, B) bool: whether two are of one class, oneself apart; and whether they are of two."""
    same = labels[:, None] == labels[None, :]
    return same.clone().fill_diagonal_(False), ~same


def drawn(labels: Tensor, generator: np.random.Generator) -> Triplets:
    """A triplet for each example as anchor: any other one of its class, any one of another."""
    positives, negatives = pairs_of(labels)
    anchors = _with_both(positives, negatives)
    lots = torch.from_numpy(generator.random((2, len(labels), len(labels)))).to(labels.device)
    nearest = (lots[0].masked_fill(~positives, -1), lots[1].masked_fill(~negatives, -1))
    return Triplets(anchors, *(lot[anchors].argmax(dim=1) for lot in nearest))


def batch_hard(table: Tensor, labels: Tensor) -> Triplets:
    """A triplet for each example as anchor: the farthest of its class, the nearest of another.

    Source: Hermans, Beyer and Leibe 2017, "In defense of the triplet loss for person
    re-identification", eq. 5.

    Args:
        table: (B, B), the distances.
        labels: (B,).
    """
    positives, negatives = pairs_of(labels)
    anchors = _with_both(positives, negatives)
    far = table.masked_fill(~positives, -1)[anchors].argmax(dim=1)
    near = table.masked_fill(~negatives, torch.inf)[anchors].argmin(dim=1)
    return Triplets(anchors, far, near)


def semi_hard(table: Tensor, labels: Tensor) -> Triplets:
    """A triplet for each pair of a class: the nearest negative that is farther than the positive.

    Where there is none, the farthest negative. Source: Schroff, Kalenichenko and Philbin 2015,
    "FaceNet: a unified embedding for face recognition and clustering", section 3.2, eq. 4; where we
    differ: distances are not squared, and the negative need not lie within the margin, beyond
    which it costs nothing.

    Args:
        table: (B, B), the distances.
        labels: (B,).
    """
    positives, negatives = pairs_of(labels)
    positives &= negatives.any(dim=1)[:, None]
    anchors, others = positives.nonzero(as_tuple=True)
    # Every row is sorted once: a table of all pairs beside all others would have B times the size.
    ordered, order = table.masked_fill(~negatives, torch.inf).sort(dim=1, stable=True)
    place = torch.searchsorted(ordered, table, right=True)[anchors, others]
    nearest = order[anchors, place.clamp(max=len(labels) - 1)]
    farthest = table.masked_fill(~negatives, -1).argmax(dim=1)[anchors]
    found = place < negatives.sum(dim=1)[anchors]
    return Triplets(anchors, others, torch.where(found, nearest, farthest))


def _with_both(positives: Tensor, negatives: Tensor) -> Tensor:
    """The places of examples that have a positive and a negative."""
    return (positives.any(dim=1) & negatives.any(dim=1)).nonzero().squeeze(1)


def triplet_losses(vectors: Tensor, triplets: Triplets, margin: float) -> Tensor:
    """(T,) `max(|a - p| - |a - n| + margin, 0)`: torch's `TripletMarginWithDistanceLoss`.

    Source: Schroff et al. 2015, eq. 3, with distances that are not squared.
    """
    anchors = vectors[triplets.anchors]
    near = (anchors - vectors[triplets.positives] + EPSILON).norm(dim=1)
    far = (anchors - vectors[triplets.negatives] + EPSILON).norm(dim=1)
    losses: Tensor = (near - far + margin).clamp(min=0)
    return losses


def supervised_contrast(vectors: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """(A,) the losses of the anchors that have positives.

    Source: Khosla et al. 2020, "Supervised contrastive learning", eq. 2 (the sum over positives
    outside of the logarithm). Where we differ: one view of each image, not two.

    Args:
        vectors: (B, D) of length 1.
        labels: (B,).
        temperature: Similarities are divided by it.
    """
    positives, _ = pairs_of(labels)
    similar = vectors @ vectors.t() / temperature
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    logarithms = similar - similar.masked_fill(itself, -torch.inf).logsumexp(dim=1, keepdim=True)
    counts = positives.sum(dim=1)
    anchors = counts > 0
    sums = torch.where(positives, logarithms, 0).sum(dim=1)
    return -sums[anchors] / counts[anchors]


class ContrastiveLoss:
    """The loss of a batch's vectors, with what is told beside it: `TorchStep`'s `loss`.

    Args:
        streams: The cell's: random triplets are drawn from ("mining", step).
        margin: Of triplets; None: supervised contrast.
        mining: Of triplets.
        temperature: Of supervised contrast.
    """

    def __init__(
        self,
        streams: Streams,
        margin: float | None,
        mining: Mining = "semi-hard",
        temperature: float = 0.1,
    ) -> None:
        self._streams, self._margin = streams, margin
        self._mining, self._temperature = mining, temperature
        self._step = 0

    def begin(self, at: Position) -> None:
        """The next batch is that of this position."""
        self._step = at.step

    def __call__(
        self, vectors: Tensor, labels: Tensor, rows: NDArray[np.intp] | None = None
    ) -> dict[str, Tensor]:
        """Sums over the B examples, so that means come out of them.

        Args:
            vectors: (B, D).
            labels: (B,).
            rows: Positions (B,) in the training set; nothing is asked of them.

        Returns:
            `loss` (B times the mean over triplets or anchors), `positive_distance` and
            `negative_distance` (B times the means over all pairs of the batch that are of one
            class, and of two), and with triplets `active`: B times the share of them that cost
            something.
        """
        count, table = len(labels), distances(vectors)
        positives, negatives = pairs_of(labels)
        told = {
            "positive_distance": count * _mean(table, positives),
            "negative_distance": count * _mean(table, negatives),
        }
        if self._margin is None:
            losses = supervised_contrast(vectors, labels, self._temperature)
        else:
            losses = triplet_losses(vectors, self._mine(table, labels), self._margin)
            told["active"] = count * (losses.detach() > 0).double().sum() / max(1, len(losses))
        return {"loss": count * losses.sum() / max(1, len(losses)), **told}

    def _mine(self, table: Tensor, labels: Tensor) -> Triplets:
        if self._mining == "batch-hard":
            return batch_hard(table, labels)
        if self._mining == "semi-hard":
            return semi_hard(table, labels)
        return drawn(labels, self._streams.generator("mining", self._step))


def _mean(table: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the chosen numbers; 0 where there are none."""
    return torch.where(chosen, table, 0).sum(dtype=torch.float64) / chosen.sum().clamp(min=1)
