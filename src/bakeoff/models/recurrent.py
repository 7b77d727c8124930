"""A recurrent network over the words of a text: embedding, recurrent layers, pooling, output.

Cells: J. L. Elman 1990, "Finding structure in time"; S. Hochreiter, J. Schmidhuber 1997, "Long
short-term memory", with the forget gate of F. Gers, J. Schmidhuber, F. Cummins 2000, "Learning to
forget"; K. Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder". Two
directions: M. Schuster, K. Paliwal 1997, "Bidirectional recurrent neural networks".
"""

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bakeoff.models.settings import RecurrentSettings

CELLS: Mapping[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Direction(nn.Module):
    """One recurrent layer that reads in one direction, and never reads padding before a word.

    Args:
        kind: Of the cell.
        inputs: Numbers of an input.
        units: Of the state.
        backward: Whether it reads from the end to the beginning.
    """

    def __init__(self, kind: str, inputs: int, units: int, *, backward: bool) -> None:
        super().__init__()
        self.cell = CELLS[kind](inputs, units, batch_first=True)
        self.backward_ = backward

    def forward(self, inputs: Tensor, lengths: Tensor, packed: bool) -> Tensor:
        """(B, T, D) to states (B, T, H), each at the place of the word it was read with.

        Args:
            inputs: Every sequence from the left.
            lengths: (B,) of the sequences, at least 1.
            packed: Whether to leave the padding out of the computation; the numbers are the same.
        """
        if self.backward_:
            inputs = mirrored(inputs, lengths)
        if packed:
            together = pack_padded_sequence(
                inputs, lengths.cpu(), batch_first=True, enforce_sorted=False
            )
            states, _ = pad_packed_sequence(
                self.cell(together)[0], batch_first=True, total_length=inputs.shape[1]
            )
        else:
            states = self.cell(inputs)[0]
        return mirrored(states, lengths) if self.backward_ else states


class Recurrent(nn.Module):
    """Word ids to logits.

    Args:
        settings: Cell, sizes, directions, pooling.
        words: Different ids.
        classes: K.

    Attributes:
        packed: Whether training passes leave out the padding.
        vocabulary: Different ids.
    """

    def __init__(self, settings: RecurrentSettings, words: int, classes: int) -> None:
        super().__init__()
        self.pooling, self.units = settings.pooling, settings.hidden
        self.packed, self.vocabulary = False, words
        self.embedding = nn.Embedding(words, settings.embedding)
        directions = (False, True) if settings.bidirectional else (False,)
        width = settings.hidden * len(directions)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                Direction(
                    settings.cell,
                    width if depth else settings.embedding,
                    settings.hidden,
                    backward=backward,
                )
                for backward in directions
            )
            for depth in range(settings.layers)
        )
        self.dropouts = nn.ModuleList(nn.Dropout(settings.dropout) for _ in self.layers)
        self.last_dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) int64, every text from the left, then -1, to logits (B, K)."""
        outputs: Tensor = self.output(self.last_dropout(self.features(ids)))
        return outputs

    def features(self, ids: Tensor) -> Tensor:
        """(B, T) to (B, D): the pooled states of the last layer. A text without words has one."""
        words = ids >= 0
        lengths = words.sum(dim=1).clamp(min=1)
        states = self.embedding(ids.clamp(min=0))
        for layer, dropout in zip(self.layers, self.dropouts, strict=True):
            inputs = dropout(states)
            packed = self.packed and self.training
            read = [direction(inputs, lengths, packed) for direction in cast(nn.ModuleList, layer)]
            states = torch.cat(read, dim=2) if len(read) > 1 else read[0]
        return self._pooled(states, lengths)

    def _pooled(self, states: Tensor, lengths: Tensor) -> Tensor:
        if self.pooling == "last":
            last = lengths.sub(1)[:, None, None].expand(-1, 1, states.shape[2])
            ends = states.gather(1, last)[:, 0]
            # The backward direction has read everything when it is at the first word.
            return torch.cat([ends[:, : self.units], states[:, 0, self.units :]], dim=1)
        words = (torch.arange(states.shape[1], device=states.device) < lengths[:, None])[..., None]
        if self.pooling == "mean":
            return states.masked_fill(~words, 0).sum(dim=1) / lengths[:, None]
        return states.masked_fill(~words, -torch.inf).amax(dim=1)


def mirrored(sequences: Tensor, lengths: Tensor) -> Tensor:
    """(B, T, D) with the first `lengths` (B,) of each sequence turned round, padding in place."""
    places = torch.arange(sequences.shape[1], device=sequences.device)
    turned = lengths[:, None] - 1 - places
    index = torch.where(turned >= 0, turned, places)
    return sequences.gather(1, index[..., None].expand_as(sequences))
