"""Batches with as many examples of each of their classes, for losses that compare examples."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Batch
from bakeoff.core.streams import Streams

Rows = NDArray[np.intp]
FEWEST = 2
"""Classes of a batch, and examples of each: an anchor needs a positive and a negative."""


class BalancedBatches:
    """Training batches of P classes with S examples each; implements `core.protocols.Batches`.

    In epoch e the stream ("balanced", e) orders the examples of every class, which are used in that
    order and, once all were, in another one; the classes of a batch are those used least so far,
    chosen by lot among equals. An epoch has about as many examples as there are, whatever they
    are: images, numbers or tokens. A class of fewer than S examples gives all it has, none twice.
    Source of the scheme: Hermans, Beyer and Leibe 2017, "In defense of the triplet loss for person
    re-identification", section 2.

    Args:
        labels: (N,) int64 of the training examples.
        names: Of the classes.
        take: The batch of the examples at some rows.
        batch_size: P * S at most.
        streams: Of the replicate.
        classes: P; None: all, or half as many as there are examples in a batch.

    Attributes:
        classes: P.
        samples: S.

    Raises:
        InputError: as `check_balance`.
    """

    def __init__(
        self,
        labels: NDArray[Any],
        names: Sequence[str],
        take: Callable[[Rows], Batch],
        batch_size: int,
        streams: Streams,
        classes: int | None = None,
    ) -> None:
        known, counts = np.unique(labels, return_counts=True)
        by_class = {names[label]: count for label, count in zip(known, counts, strict=True)}
        self.classes = check_balance(batch_size, classes, by_class)
        self.samples = batch_size // self.classes
        self.per_epoch = max(1, len(labels) // (self.classes * self.samples))
        self._take, self._streams = take, streams
        self._members = [np.flatnonzero(labels == label) for label in known]

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `start`-th on."""
        for place, rows in enumerate(self._rows(number)):
            if place >= start:
                yield self._take(rows)

    def _rows(self, number: int) -> Iterator[Rows]:
        """The rows of every batch of an epoch."""
        generator = self._streams.generator("balanced", number)
        used = np.zeros(len(self._members), np.int64)
        left: list[Rows] = [members[:0] for members in self._members]
        for _ in range(self.per_epoch):
            lots = generator.random(len(used))
            chosen = np.lexsort((lots, used))[: self.classes]
            used[chosen] += 1
            parts = []
            for place in np.sort(chosen):
                members = self._members[place]
                count = min(self.samples, len(members))
                if len(left[place]) < count:
                    left[place] = generator.permutation(members)
                parts.append(left[place][:count])
                left[place] = left[place][count:]
            yield np.concatenate(parts)


def check_balance(batch_size: int, classes: int | None, by_class: Mapping[str, int]) -> int:
    """How many classes a batch has.

    Args:
        batch_size: Examples.
        classes: As asked for; None: as many as fit.
        by_class: How many training examples there are of each class.

    Raises:
        InputError: where there are fewer than two classes, one has a single example, which has no
            positive, or a batch cannot hold two examples of each of two classes, or of as many as
            asked for.
    """
    if batch_size < FEWEST**2:
        raise InputError(
            f"training.batch_size: {batch_size} received, but a batch compares two examples of two "
            f"classes at least (allowed: {FEWEST**2} and more)"
        )
    if len(by_class) < FEWEST:
        raise InputError(
            f"{len(by_class)} class received: without a second one there is no negative to compare"
            " with (allowed: examples of two classes and more)"
        )
    if alone := [name for name, count in by_class.items() if count < FEWEST]:
        raise InputError(
            f"1 training example received of {', '.join(alone)}: it has no positive to compare "
            f"with (allowed: {FEWEST} and more of each class)"
        )
    most = min(len(by_class), batch_size // FEWEST)
    if classes is not None and classes > most:
        raise InputError(
            f"training.classes_per_batch: {classes} received (allowed: {FEWEST} to {most}, two "
            f"examples of each in a batch of {batch_size}, of {len(by_class)} classes)"
        )
    return classes or most
