"""Batches of token sequences, of similar lengths, in an order that seed and epoch alone decide."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Batch
from bakeoff.core.streams import Streams
from bakeoff.core.tokens import Tokens

STEPS = 8
"""Widths an octave, at the least."""
POOL_BATCHES = 64
"""Batches whose examples are sorted by length together: what is padded is a few percent then."""


@dataclass(frozen=True, eq=False)
class TokenExamples:
    """Token sequences with their labels.

    Args:
        tokens: N sequences.
        labels: (N,).
    """

    tokens: Tokens
    labels: NDArray[Any]

    def __len__(self) -> int:
        """The number of examples N."""
        return len(self.labels)

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """The examples at `rows`, as a batch whose items are `Tokens`."""
        return Batch(self.tokens.take(rows), self.labels[rows], rows)


class TokenBatches:
    """Training batches of token sequences; implements `core.protocols.Batches`.

    Epoch e goes through the permutation that the stream ("order", e) draws, the same as for every
    other technique. With buckets, pools of `POOL_BATCHES` batches of it are sorted by length and
    cut into batches, whose order the stream ("buckets", e) draws: a batch holds sequences of
    about one length, and every example still comes once an epoch. The batch of the longest comes
    first: where memory does not suffice, that shows at once, and where it does, all that follows
    fits into what that one has freed.

    Args:
        examples: N token sequences with labels.
        batch_size: Examples in a batch.
        streams: Of the replicate.
        buckets: Whether batches hold sequences of similar lengths.

    Raises:
        InputError: where there are no examples, or the batch size is below 1.
    """

    def __init__(
        self, examples: TokenExamples, batch_size: int, streams: Streams, *, buckets: bool = True
    ) -> None:
        if len(examples) == 0:
            raise InputError("there are no examples to make batches of")
        if batch_size < 1:
            raise InputError(f"batch_size: must be at least 1 (received {batch_size})")
        self.examples, self.batch_size = examples, batch_size
        self.per_epoch = -(-len(examples) // batch_size)
        self._streams, self._buckets = streams, buckets

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `start`-th on; their items are `Tokens`."""
        for rows in self._rows(number)[start:]:
            yield self.examples.batch(rows)

    def _rows(self, number: int) -> list[NDArray[np.intp]]:
        order = self._streams.generator("order", number).permutation(len(self.examples))
        if not self._buckets:
            return _cut(order, self.batch_size)
        lengths = self.examples.tokens.lengths
        batches = [
            rows
            for pool in _cut(order, POOL_BATCHES * self.batch_size)
            for rows in _cut(pool[np.argsort(lengths[pool], kind="stable")], self.batch_size)
        ]
        shuffled = self._streams.generator("buckets", number).permutation(len(batches))
        longest = max(shuffled, key=lambda i: lengths[batches[i]].max())
        return [batches[longest], *(batches[i] for i in shuffled if i != longest)]


class PaddedBatches:
    """Batches whose items are arrays (B, T) int32: every sequence from the left, then -1.

    Args:
        batches: Of token sequences.
        width: T of every batch; None: as its longest sequence needs (`padded_width`), and never
            more than the longest sequence of all has.
    """

    def __init__(self, batches: TokenBatches, width: int | None = None) -> None:
        self._batches, self.per_epoch = batches, batches.per_epoch
        self._width, self._most = width, int(batches.examples.tokens.lengths.max())

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `start`-th on."""
        for batch in self._batches.epoch(number, start):
            tokens = cast(Tokens, batch.items)
            needed = min(padded_width(int(tokens.lengths.max())), self._most)
            yield replace(batch, items=tokens.padded(-1, self._width or needed))


def padded_width(longest: int) -> int:
    """The next of eight to sixteen widths an octave.

    Blocks of memory of a few sizes take each other's place; of a thousand sizes they do not, and a
    process that keeps freed memory grows with every new one (an LSTM on IMDB to 7 GiB, where
    the largest batch needs 1). It costs 5 % of padding.
    """
    step = 1
    while longest > 2 * STEPS * step:
        step *= 2
    return -(-longest // step) * step


class VectorBatches:
    """The same examples in the same batches, with vectors in place of their tokens.

    Args:
        batches: Of N token sequences.
        vectors: (N, D) of the sequences.
    """

    def __init__(self, batches: TokenBatches, vectors: NDArray[np.float32]) -> None:
        self._batches, self.per_epoch = batches, batches.per_epoch
        self._vectors = vectors

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `start`-th on; their items are (B, D) float32."""
        for batch in self._batches.epoch(number, start):
            yield replace(batch, items=self._vectors[batch.indices])


def _cut(rows: NDArray[np.intp], size: int) -> list[NDArray[np.intp]]:
    return [rows[first : first + size] for first in range(0, len(rows), size)]
