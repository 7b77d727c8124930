"""Folds: the training part cut into k pieces, each of which is held out once.

The cut is a function of the data, the number of folds, their seed and the repeat's number alone,
so all recipes share it. It is drawn over all training examples with a known label, whatever classes
or label budget a recipe asks for besides; published validation and test examples are no part of it.
Groups stay whole, and so do copies: equal items would be learnt in one fold, asked for in another.
Source: Kohavi 1995, "A study of cross-validation and bootstrap for accuracy estimation and model
selection", which recommends stratified folds.
"""

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Folds, Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.streams import Streams
from bakeoff.data.dataset import Dataset, strata_of


def held_out(dataset: Dataset, folds: Folds, replicate: Replicate) -> NDArray[np.intp]:
    """Positions in `dataset.train` of the fold that a replicate holds out, ascending.

    Raises:
        ValueError: where the replicate has no such fold.
        InputError: where there are fewer examples, or groups of them, than folds.
    """
    if replicate.fold is None or replicate.fold >= folds.count:
        raise ValueError(f"no fold {replicate.fold} of {folds.count}")
    if dataset.ordered:
        raise InputError(
            f"resampling: {dataset.name} is in the order of time; folds would learn from what came "
            "after the examples they hold out"
        )
    strata = strata_of(dataset.train)
    known = np.flatnonzero(strata >= 0)
    streams = Streams(folds.seed, "folds", replicate.repeat)
    # Drawn for all, so that it does not depend on which labels are known.
    keys = streams.generator("order").random(len(dataset.train))[known]
    groups = None if dataset.together is None else dataset.together[known]
    count = len(known) if groups is None else len(np.unique(groups))
    if count < folds.count:
        what = "labelled training examples" if groups is None else "groups of training examples"
        raise InputError(
            f"resampling.folds: {folds.count} received, but {dataset.name} has {count} {what}"
        )
    fold = assign(strata[known], folds.count, keys, groups)
    return np.asarray(known[fold == replicate.fold], np.intp)


def assign(
    labels: NDArray[np.int64],
    count: int,
    keys: NDArray[np.float64],
    groups: NDArray[np.int64] | None = None,
) -> NDArray[np.intp]:
    """Which fold holds each example: stratified, groups whole.

    Without groups, the sizes of the folds differ by at most one example, and so do the numbers of
    each class in them. With groups, the largest are dealt first, each to the fold that has the
    fewest examples of its classes; examples that stand alone even out what is left.

    Args:
        labels: (N,) int64, non-negative.
        count: k.
        keys: (N,) random numbers that decide who goes where.
        groups: (N,) int64 or None.

    Returns:
        (N,) folds 0..k-1.
    """
    if groups is None:
        return _deal(labels, count, keys, np.zeros((count, 1), np.intp))
    classes = np.unique(labels, return_inverse=True)[1].ravel()
    sizes = np.bincount(classes)
    names, place, members = np.unique(groups, return_inverse=True, return_counts=True)
    place = place.ravel()
    first = np.full(len(names), np.inf)
    np.minimum.at(first, place, keys)
    folds = np.full(len(labels), -1, np.intp)
    taken = np.zeros((count, len(sizes)))
    rows_of = np.split(np.argsort(place, kind="stable"), np.cumsum(members)[:-1])
    for group in np.lexsort((first, -members)):
        if members[group] == 1:
            break
        rows = rows_of[group]
        holds = np.bincount(classes[rows], minlength=len(sizes))
        # What the squared excess over an even share grows by, each class by its own size.
        grows = ((2 * taken + holds) * holds / sizes).sum(axis=1)
        fold = np.lexsort((taken.sum(axis=1), grows.round(9)))[0]
        folds[rows] = fold
        taken[fold] += holds
    alone = folds < 0
    folds[alone] = _deal(classes[alone], count, keys[alone], taken.astype(np.intp))
    return folds


def _deal(
    classes: NDArray[np.int64], count: int, keys: NDArray[np.float64], taken: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Deal examples that stand alone, class by class, to the folds that have the fewest of it.

    Args:
        classes: (N,).
        count: k.
        keys: (N,).
        taken: (k, K) what the folds hold of each class; (k, 1) zeros: nothing.
    """
    folds = np.empty(len(classes), np.intp)
    totals = taken.sum(axis=1)
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        rows = rows[np.argsort(keys[rows], kind="stable")]
        had = taken[:, label] if taken.shape[1] > 1 else np.zeros(count, np.intp)
        share = _fill(had, totals, len(rows))
        folds[rows] = np.repeat(np.arange(count), share)
        totals = totals + share
    return folds


def _fill(had: NDArray[np.intp], totals: NDArray[np.intp], number: int) -> NDArray[np.intp]:
    """(k,) how many of `number` examples of a class each fold gets: the emptiest first."""
    share = np.zeros(len(had), np.intp)
    level = np.sort(had)
    # As far as the folds can be brought to one height, at once; the rest one by one.
    heights = np.arange(1, len(level)) * level[1:] - np.cumsum(level)[:-1]
    lowest = int(np.searchsorted(heights, number, side="right")) + 1
    height = (number + int(level[:lowest].sum())) // lowest
    share = np.maximum(height - had, 0)
    left = number - int(share.sum())
    order = np.lexsort((totals + share, had + share))
    share[order[:left]] += 1
    return share
