"""Stratified selection: which examples go to test, to validation, or into a label budget."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.float64] | NDArray[np.uint64]
"""(N,) one sort key per example: random numbers, or digests of the items."""

Counts = Sequence[tuple[int, int]]
"""Classes of a group, and how many examples of each."""


def stratified_order(
    labels: NDArray[np.int64], keys: Keys, *, spare_last: bool = False
) -> NDArray[np.intp]:
    """An order of which every prefix holds the classes in their shares.

    Within a class, examples come in the order of their keys; the j-th of N_c is placed at
    (j + 1/2) / N_c, and the first of every class before all others. Prefixes are therefore nested,
    and a prefix at least as long as there are classes has all of them. (Placing by (j + 1/2) / N_c
    is Webster's method of apportionment; largest remainders would not be nested.)

    Args:
        labels: (N,) int64, non-negative.
        keys: (N,) sort keys; equal ones keep their order.
        spare_last: Put the last example of every class behind all others, so that a prefix that is
            not too long never takes a whole class.

    Returns:
        (N,) a permutation of 0..N-1.
    """
    count = len(labels)
    by_class = np.lexsort((keys, labels))
    sizes = np.bincount(labels) if count else np.zeros(0, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    sorted_labels = labels[by_class]
    rank = np.arange(count) - starts[sorted_labels]
    place = (rank + 0.5) / sizes[sorted_labels]
    place[rank == 0] = 0.0
    if spare_last:
        place[rank == sizes[sorted_labels] - 1] = 2.0
    return by_class[np.lexsort((keys[by_class], place))]


def carve(
    labels: NDArray[np.int64],
    share: float,
    keys: Keys,
    groups: NDArray[np.int64] | None = None,
) -> NDArray[np.intp]:
    """The examples that are set aside: stratified, whole groups, never all of a class.

    Without groups the result is in stratified order, and that of a smaller share is a prefix of
    that of a larger one.

    Args:
        labels: (N,) int64, non-negative.
        share: The share of the examples to set aside, in 0..1; at least one, if any class allows.
        keys: (N,) sort keys that decide who goes.
        groups: (N,) int64 or None: examples of one group go or stay together.

    Returns:
        (M,) positions in 0..N-1, each prefix stratified. A class with one example (or in one group)
        keeps it.
    """
    if groups is not None:
        chosen = _carve_groups(labels, share, keys, groups)
        return chosen[stratified_order(labels[chosen], keys[chosen])]
    order = stratified_order(labels, keys, spare_last=True)
    movable = len(labels) - np.count_nonzero(np.bincount(labels)) if len(labels) else 0
    return order[: min(max(round(share * len(labels)), 1), movable)]


def _carve_groups(
    labels: NDArray[np.int64], share: float, keys: Keys, groups: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Take groups in random order as long as each brings the class counts nearer their targets."""
    # Plain numbers: most groups are small, and NumPy is slow at a few numbers at a time.
    sizes: list[int] = np.bincount(labels).tolist()
    targets = [max(share * size, 1e-9) for size in sizes]
    taken = [0] * len(sizes)
    chosen: list[NDArray[np.intp]] = []
    left: list[tuple[NDArray[np.intp], Counts]] = []

    def empties_a_class(counts: Counts) -> bool:
        return any(taken[c] + n >= sizes[c] for c, n in counts)

    def take(group: NDArray[np.intp], counts: Counts) -> None:
        chosen.append(group)
        for c, n in counts:
            taken[c] += n

    for group in _members(groups, keys):
        counts: Counts = sorted(Counter(labels[group].tolist()).items())
        if empties_a_class(counts):
            continue
        if sum(n * (2 * (taken[c] - targets[c]) + n) / targets[c] for c, n in counts) < 0:
            take(group, counts)
        else:
            left.append((group, counts))
    # A class whose groups were all too large for the share still gets one, the smallest first.
    for group, counts in sorted(left, key=lambda item: len(item[0])):
        if any(taken[c] == 0 for c, _ in counts) and not empties_a_class(counts):
            take(group, counts)
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.intp)


def _members(groups: NDArray[np.int64], keys: Keys) -> list[NDArray[np.intp]]:
    """The positions of each group, groups in the order of their smallest key."""
    order = np.lexsort((keys, groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order[:1]] - 1))
    members = np.split(order, starts[1:])
    first = keys[order[starts]]
    return [members[i] for i in np.argsort(first, kind="stable")]
