"""Mixup: partners and shares by example, blending and targets as in the paper's formula."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.examples import Examples
from bakeoff.core.streams import Streams
from bakeoff.training.torch.mixing import Mixing, blended, soft_targets

COUNT, SHAPE = 50, (4, 5, 3)
ITEMS = np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), np.uint8)
LABELS = np.random.default_rng(1).integers(0, 4, COUNT)
TRAIN = Examples(ITEMS, LABELS, np.arange(COUNT).astype(np.str_))


def mixing(seed: int = 0) -> Mixing:
    draws = Draws(AugmentationSettings(mixup=0.4), SHAPE, COUNT, Streams(seed))
    return Mixing(draws, TRAIN, torch.device("cpu"))


def test_partners_come_with_their_own_images_and_labels() -> None:
    partners, shares = mixing()(np.arange(COUNT), 0)
    assert np.array_equal(np.asarray(partners.items), ITEMS[partners.indices])
    assert np.array_equal(partners.labels, LABELS[partners.indices])
    assert shares.dtype == torch.float32
    assert shares.shape == (COUNT,)


def test_partners_may_come_without_their_images() -> None:
    """Where all images are on the device, they are found there by position."""
    draws = Draws(AugmentationSettings(mixup=0.4), SHAPE, COUNT, Streams(0))
    bare = Mixing(draws, TRAIN, torch.device("cpu"), gather=False)
    (partners, shares), (theirs, same) = mixing()(np.arange(9), 1), bare(np.arange(9), 1)
    assert len(np.asarray(theirs.items)) == 0
    assert np.array_equal(theirs.indices, partners.indices)
    assert np.array_equal(theirs.labels, partners.labels)
    assert torch.equal(same, shares)


def test_batches_and_order_do_not_matter() -> None:
    whole, shares = mixing()(np.arange(COUNT), 2)
    pieces, order = mixing(), np.random.default_rng(2).permutation(COUNT)
    for size in (1, 7):
        for start in range(0, COUNT, size):
            rows = order[start : start + size]
            some, own = pieces(rows, 2)
            assert np.array_equal(some.indices, whole.indices[rows])
            assert torch.equal(own, shares[rows])


def test_epochs_and_seeds_differ_and_come_back() -> None:
    rows, ours = np.arange(COUNT), mixing()
    first, shares = ours(rows, 0)
    second, others = ours(rows, 1)
    assert not np.array_equal(first.indices, second.indices)
    assert not torch.equal(shares, others)
    again, same = ours(rows, 0)
    assert np.array_equal(again.indices, first.indices)
    assert torch.equal(same, shares)
    assert not np.array_equal(mixing(1)(rows, 0)[0].indices, first.indices)


def test_blending() -> None:
    own, other = torch.full((2, 1, 2, 2), 4.0), torch.zeros(2, 1, 2, 2)
    out = blended(own, other, torch.tensor([0.25, 1.0]))
    assert torch.equal(out[0], torch.ones(1, 2, 2))
    assert torch.equal(out[1], own[1])


def test_targets_are_the_shares_of_both_labels() -> None:
    own, other = torch.tensor([0, 2, 1]), torch.tensor([1, 2, 0])
    targets = soft_targets(own, other, torch.tensor([0.25, 0.5, 1.0]), 3)
    expected = [[0.25, 0.75, 0], [0, 0, 1], [0, 1, 0]]
    assert torch.equal(targets, torch.tensor(expected))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_blend_of_both_losses(smoothing: float) -> None:
    """The two ways to write it in the paper are one for cross-entropy."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=generator)
    own, other = (torch.randint(0, 4, (6,), generator=generator) for _ in range(2))
    shares = torch.rand(6, generator=generator)
    targets = soft_targets(own, other, shares, 4)
    found = cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
    mine, theirs = (
        cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
        for labels in (own, other)
    )
    torch.testing.assert_close(found, shares * mine + (1 - shares) * theirs)
