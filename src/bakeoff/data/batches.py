"""Batches of examples, in an order that is a function of seed and epoch alone."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, Items
from bakeoff.core.protocols import Batch
from bakeoff.core.streams import Streams


class TrainingBatches:
    """Training batches; implements `core.protocols.Batches`.

    The order of epoch e is drawn from the stream ("order", e): one permutation of all examples,
    from which batches are cut, so that another batch size sees the examples in the same order, and
    an epoch can be entered at any batch without the ones before.

    Args:
        examples: N examples. They are not copied; items are gathered batch by batch.
        batch_size: Examples in a batch.
        streams: Of the replicate.
        sampling: `shuffle`: every example once an epoch, the last batch shorter where N is no
            multiple; `random`: drawn with replacement, all batches full; `sequence`: as
            `shuffle`, in their own order every epoch.
        gather: Whether batches hold items; False: none, for a step that has all of them at hand
            and finds them by their positions.

    Raises:
        InputError: where there are no examples, or the batch size is below 1.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        streams: Streams,
        sampling: Literal["shuffle", "random", "sequence"] = "shuffle",
        gather: bool = True,
    ) -> None:
        _check(examples, batch_size)
        self.examples = examples
        self.batch_size = batch_size
        self.sampling = sampling
        self.per_epoch = -(-len(examples) // batch_size)
        self._streams, self._gather = streams, gather

    def order(self, number: int) -> NDArray[np.int64]:
        """Positions of epoch `number` in order: (N,), or (per_epoch * batch_size,) if random."""
        count = len(self.examples)
        if self.sampling == "sequence":
            return np.arange(count)
        generator = self._streams.generator("order", number)
        if self.sampling == "shuffle":
            return generator.permutation(count)
        return generator.integers(count, size=self.per_epoch * self.batch_size)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `start`-th on.

        Yields:
            Batches of fresh arrays: images (B, H, W, C) uint8, numbers (B, D) float64 or B texts,
            labels (B,) and positions (B,) in the training set.
        """
        order = self.order(number)
        for first in range(start * self.batch_size, len(order), self.batch_size):
            chosen = order[first : first + self.batch_size]
            items = _gather(self.examples.items, chosen) if self._gather else []
            yield Batch(items, self.examples.labels[chosen], chosen)


def evaluation_batches(examples: Examples, batch_size: int) -> Iterator[Batch]:
    """All examples once, in their own order. Images are views: do not write into them.

    Raises:
        InputError: where the batch size is below 1.
    """
    if batch_size < 1:
        raise InputError(f"batch_size: must be at least 1 (received {batch_size})")
    return _slices(examples, batch_size)


def _slices(examples: Examples, batch_size: int) -> Iterator[Batch]:
    positions = np.arange(len(examples))
    for first in range(0, len(examples), batch_size):
        part = slice(first, first + batch_size)
        yield Batch(examples.items[part], examples.labels[part], positions[part])


def _gather(items: Items, chosen: NDArray[np.int64]) -> Items:
    if isinstance(items, np.ndarray):
        return items.take(chosen, axis=0)
    return [items[i] for i in chosen.tolist()]


def _check(examples: Examples, batch_size: int) -> None:
    if len(examples) == 0:
        raise InputError("there are no examples to make batches of")
    if batch_size < 1:
        raise InputError(f"batch_size: must be at least 1 (received {batch_size})")
