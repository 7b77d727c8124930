"""Mirrored and shifted images: torch's, and those drawn."""

import numpy as np
import pytest
import torch

from bakeoff.core.augmentation import AugmentationDraws
from bakeoff.core.streams import Streams
from bakeoff.scratch.augmentation import Augmentation
from bakeoff.training.torch.transforms import Augmentation as TorchAugmentation

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 7, 5, 3), np.uint8)


def ours(flip: bool, crop: int) -> Augmentation:
    return Augmentation(AugmentationDraws(flip, crop, 30, Streams(3)))


@pytest.mark.parametrize(("flip", "crop"), [(True, 0), (False, 3), (True, 4)])
def test_images_are_those_of_torch(flip: bool, crop: int) -> None:
    theirs = TorchAugmentation(flip, crop, 30, Streams(3), torch.device("cpu"))
    mine = ours(flip, crop)
    for epoch in (0, 2, 0):
        rows = np.random.default_rng(epoch).permutation(30)[:11]
        expected = theirs(torch.from_numpy(IMAGES[rows]), rows, epoch).numpy()
        np.testing.assert_array_equal(mine(IMAGES[rows], rows, epoch), expected)
        assert (expected != IMAGES[rows]).any()


def test_each_image_is_changed_as_drawn() -> None:
    draws = AugmentationDraws(True, 0, 30, Streams(3))
    changed = Augmentation(draws)(IMAGES, np.arange(30), 1)
    for image, before, flipped in zip(changed, IMAGES, draws.flips(1), strict=True):
        np.testing.assert_array_equal(image, before[:, ::-1] if flipped else before)


def test_nothing_to_do_is_nothing_done() -> None:
    assert ours(False, 0)(IMAGES, np.arange(30), 0) is IMAGES
