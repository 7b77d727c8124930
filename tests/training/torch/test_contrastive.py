"""Tests of losses that compare: torch's and the papers' formulas, written out."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import TripletMarginWithDistanceLoss
from torch.nn.functional import normalize

from bakeoff.core.protocols import Position
from bakeoff.core.streams import Streams
from bakeoff.training.torch.contrastive import (
    ContrastiveLoss,
    Triplets,
    batch_hard,
    distances,
    drawn,
    pairs_of,
    semi_hard,
    supervised_contrast,
    triplet_losses,
)

LABELS = torch.tensor([0, 1, 0, 2, 1, 2, 0, 2, 1, 1])


def vectors(dtype: torch.dtype = torch.float64, size: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(LABELS), size, generator=generator, dtype=dtype)


def own(x: Tensor, labels: Tensor = LABELS) -> dict[str, Triplets]:
    table = distances(x)
    return {
        "batch-hard": batch_hard(table, labels),
        "semi-hard": semi_hard(table, labels),
        "random": drawn(labels, np.random.default_rng(0)),
    }


@pytest.mark.parametrize("mining", ["batch-hard", "semi-hard", "random"])
@pytest.mark.parametrize("margin", [0.2, 1.0, 50.0])
def test_losses_and_gradients_are_torchs(mining: str, margin: float) -> None:
    mine, theirs = vectors().requires_grad_(), vectors().requires_grad_()
    triplets = own(mine)[mining]
    ours = triplet_losses(mine, triplets, margin)
    reference = TripletMarginWithDistanceLoss(margin=margin, reduction="none")
    expected = reference(*(theirs[places] for places in triplets))
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)
    ours.sum().backward()  # type: ignore[no-untyped-call]
    expected.sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-10, atol=1e-12)


def test_distances_are_those_of_pairs() -> None:
    x = vectors()
    torch.testing.assert_close(distances(x), torch.cdist(x, x), atol=1e-6, rtol=1e-6)
    assert not distances(torch.ones(4, 3)).any()


def test_every_triplet_has_a_positive_and_a_negative() -> None:
    for triplets in own(vectors()).values():
        anchors, positives, negatives = triplets
        assert len(anchors)
        assert (LABELS[anchors] == LABELS[positives]).all()
        assert (LABELS[anchors] != LABELS[negatives]).all()
        assert (anchors != positives).all()


def test_batch_hard_is_the_farthest_and_the_nearest() -> None:
    x = vectors()
    table = distances(x)
    found = batch_hard(table, LABELS)
    assert found.anchors.tolist() == list(range(10))
    for a, p, n in zip(*found, strict=True):
        others = [i for i in range(10) if i != a and LABELS[i] == LABELS[a]]
        assert table[a, p] == max(table[a, i] for i in others)
        assert table[a, n] == min(table[a, i] for i in range(10) if LABELS[i] != LABELS[a])


def test_semi_hard_is_the_nearest_that_is_farther() -> None:
    x = vectors(size=2)
    table = distances(x)
    found = semi_hard(table, LABELS)
    pairs = [(a, p) for a in range(10) for p in range(10) if a != p and LABELS[a] == LABELS[p]]
    assert list(zip(found.anchors.tolist(), found.positives.tolist(), strict=True)) == pairs
    without = 0
    for (a, p), n in zip(pairs, found.negatives.tolist(), strict=True):
        negatives = [i for i in range(10) if LABELS[i] != LABELS[a]]
        farther = [i for i in negatives if table[a, i] > table[a, p]]
        without += not farther
        expected = min(farther, key=lambda i: table[a, i]) if farther else None
        assert n == (expected if farther else max(negatives, key=lambda i: table[a, i]))
    assert without, "the case without a farther negative is part of this"


def test_random_triplets_take_everybody() -> None:
    seen: set[tuple[int, int, int]] = set()
    for seed in range(300):
        found = drawn(LABELS, np.random.default_rng(seed))
        seen |= set(zip(*(places.tolist() for places in found), strict=True))
    positives, negatives = pairs_of(LABELS)
    assert len(seen) == int((positives.sum(dim=1) * negatives.sum(dim=1)).sum())


def test_supervised_contrast_is_equation_2_written_out() -> None:
    z, t = normalize(vectors(), dim=1), 0.3
    found = supervised_contrast(z, LABELS, t)
    for i in range(10):
        others = [a for a in range(10) if a != i]
        total = sum(math.exp(float(z[i] @ z[a]) / t) for a in others)
        positives = [p for p in others if LABELS[p] == LABELS[i]]
        terms = [math.log(math.exp(float(z[i] @ z[p]) / t) / total) for p in positives]
        assert float(found[i]) == pytest.approx(-sum(terms) / len(terms), rel=1e-10)


def test_an_anchor_without_a_positive_costs_nothing() -> None:
    z, labels = normalize(vectors(), dim=1), torch.tensor([0, 0, 1, 1, 1, 1, 1, 1, 1, 2])
    assert len(supervised_contrast(z, labels, 0.1)) == 9
    assert all((labels[found.anchors] != 2).all() for found in own(z, labels).values())


@pytest.mark.parametrize("mining", ["batch-hard", "semi-hard", "random"])
def test_a_batch_of_one_class_gives_no_triplets(mining: str) -> None:
    same = torch.zeros(10, dtype=torch.int64)
    loss = ContrastiveLoss(Streams(0), 1.0, mining)  # type: ignore[arg-type]
    x = vectors().requires_grad_()
    told = loss(x, same)
    told["loss"].backward()  # type: ignore[no-untyped-call]
    assert float(told["loss"].detach()) == 0
    assert torch.isfinite(x.grad if x.grad is not None else x).all()


def test_what_is_told_are_sums_over_the_batch() -> None:
    x = vectors()
    table, (positives, negatives) = distances(x), pairs_of(LABELS)
    told = ContrastiveLoss(Streams(0), 1.0, "batch-hard")(x, LABELS)
    losses = triplet_losses(x, batch_hard(table, LABELS), 1.0)
    assert float(told["loss"]) == pytest.approx(float(losses.sum()))
    assert float(told["positive_distance"]) == pytest.approx(10 * float(table[positives].mean()))
    assert float(told["negative_distance"]) == pytest.approx(10 * float(table[negatives].mean()))
    assert float(told["active"]) == int((losses > 0).sum())
    contrast = ContrastiveLoss(Streams(0), None, temperature=0.5)(normalize(x, dim=1), LABELS)
    assert set(contrast) == {"loss", "positive_distance", "negative_distance"}


def test_random_triplets_are_drawn_by_the_step() -> None:
    def at(step: int, seed: int = 0) -> float:
        loss = ContrastiveLoss(Streams(seed), 1.0, "random")
        loss.begin(Position(step, 0, 0.1))
        return float(loss(vectors(), LABELS)["loss"])

    assert at(3) == at(3)
    assert len({at(3), at(4), at(3, seed=1)}) == 3
