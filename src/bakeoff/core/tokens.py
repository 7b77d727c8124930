"""Sequences of token ids of different lengths, one behind another in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Tokens:
    """N sequences of token ids.

    Args:
        ids: (T,) int32, all sequences one behind another.
        starts: (N + 1,) int64: sequence i is `ids[starts[i] : starts[i + 1]]`.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, sequences: Iterable[Sequence[int]]) -> "Tokens":
        """From sequences of ids."""
        arrays = [np.asarray(sequence, np.int32) for sequence in sequences]
        starts = np.zeros(len(arrays) + 1, np.int64)
        np.cumsum([len(array) for array in arrays], out=starts[1:])
        return cls(np.concatenate(arrays) if arrays else np.zeros(0, np.int32), starts)

    def __len__(self) -> int:
        """The number of sequences N."""
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> NDArray[np.int32]:
        """(L,) the ids of one sequence; a view.

        Raises:
            IndexError: where the index is outside -N..N-1.
        """
        row = range(len(self))[index]
        return self.ids[self.starts[row] : self.starts[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) tokens of each sequence."""
        return np.diff(self.starts)

    def take(self, rows: NDArray[np.intp]) -> "Tokens":
        """The sequences at `rows`, copied."""
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(self.lengths[rows], out=starts[1:])
        ids = np.empty(starts[-1], np.int32)
        for place, row in enumerate(rows):
            ids[starts[place] : starts[place + 1]] = self[int(row)]
        return Tokens(ids, starts)

    def padded(self, filling: int, width: int | None = None) -> NDArray[np.int32]:
        """(N, width) int32, each sequence from the left, then `filling`.

        Args:
            filling: The id that stands for no token.
            width: None: the longest sequence's; longer ones lose their end.
        """
        lengths = self.lengths
        width = int(lengths.max(initial=0)) if width is None else width
        out = np.full((len(self), width), filling, np.int32)
        kept = np.arange(width) < lengths[:, None]
        out[kept] = self._within(width)
        return out

    def _within(self, width: int) -> NDArray[np.int32]:
        """The ids whose place in their sequence is below `width`."""
        ids, lengths = self.ids[self.starts[0] : self.starts[-1]], self.lengths
        if lengths.max(initial=0) <= width:
            return ids
        places = np.arange(len(ids)) - np.repeat(self.starts[:-1] - self.starts[0], lengths)
        kept: NDArray[np.int32] = ids[places < width]
        return kept
