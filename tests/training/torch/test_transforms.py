"""Images on the device: normalised as by the normaliser, augmented as drawn."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.protocols import Normaliser
from bakeoff.core.streams import Streams
from bakeoff.scratch.augmentation import Augmentation as InNumpy
from bakeoff.training.torch.transforms import Augmentation, Pixels, to_device

CPU = torch.device("cpu")
EXAMPLES = 40
MEAN = np.array([0.2, 0.5, 0.7], np.float32)


def images(shape: tuple[int, int, int] = (7, 9, 3)) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (EXAMPLES, *shape), np.uint8)


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 9, 3)])
@pytest.mark.parametrize("per_feature", [False, True])
def test_pixels_have_the_bits_of_the_normaliser(
    shape: tuple[int, int, int], per_feature: bool
) -> None:
    generator = np.random.default_rng(1)
    size = shape if per_feature else shape[2:]
    normaliser = Normaliser(
        generator.random(size, np.float32), generator.random(size, np.float32) + np.float32(0.1)
    )
    x = images(shape)
    out = Pixels(normaliser, shape, CPU)(torch.from_numpy(x))
    assert out.shape == (EXAMPLES, shape[2], *shape[:2])
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(out.permute(0, 2, 3, 1).numpy(), normaliser(x))


def augmentation(seed: int = 0, **settings: Any) -> Augmentation:
    """Of the images above."""
    draws = Draws(AugmentationSettings(**settings), (7, 9, 3), EXAMPLES, Streams(seed))
    return Augmentation(draws, MEAN, CPU)


def by_hand(
    image: NDArray[np.uint8], flip: bool, down: int, right: int, pad: int
) -> NDArray[np.uint8]:
    """A crop of the padded image, mirrored first."""
    height, width, _ = image.shape
    mirrored = image[:, ::-1] if flip else image
    padded = np.pad(mirrored, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    return padded[pad + down :, pad + right :][:height, :width]


def test_augmentation_is_a_flip_and_a_crop_of_the_padded_image() -> None:
    """Each result is one of the images that can be made by hand, and all kinds occur."""
    x, crop = images(), 2
    out = augmentation(flip=True, crop=crop)(torch.from_numpy(x), np.arange(EXAMPLES), 0).numpy()
    seen = set()
    shifts = range(-crop, crop + 1)
    for before, after in zip(x, out, strict=True):
        found = [
            (flip, down, right)
            for flip in (False, True)
            for down in shifts
            for right in shifts
            if np.array_equal(_moved(before, flip, down, right, crop), after)
        ]
        assert len(found) == 1
        seen.add(found[0])
    assert {flip for flip, _, _ in seen} == {False, True}
    assert {down for _, down, _ in seen} == {right for _, _, right in seen} == set(shifts)


def _moved(
    image: NDArray[np.uint8], flip: bool, down: int, right: int, pad: int
) -> NDArray[np.uint8]:
    """Shifted after padding, in coordinates of the mirrored image."""
    return by_hand(image, flip, down, right, pad)


EVERY: dict[str, dict[str, Any]] = {
    "flip": {"flip": True},
    "alternating": {"flip": "alternating"},
    "crop": {"crop": 3},
    "flip-crop": {"flip": True, "crop": 3},
    "cutout": {"cutout": 4},
    "brightness": {"brightness": 0.4},
    "contrast": {"contrast": 0.5},
    "saturation": {"saturation": 0.6},
    "all": {"flip": "alternating", "crop": 2, "cutout": 3, "contrast": 0.2, "saturation": 0.3},
}
every_change = pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY.keys())


@every_change
def test_augmentation_depends_on_the_example_alone(settings: dict[str, Any]) -> None:
    x = images()
    whole = augmentation(**settings)(torch.from_numpy(x), np.arange(EXAMPLES), 3)
    assert not torch.equal(whole, torch.from_numpy(x))
    order = np.random.default_rng(2).permutation(EXAMPLES)
    pieces = augmentation(**settings)
    for size in (1, 7):
        for start in range(0, EXAMPLES, size):
            rows = order[start : start + size]
            out = pieces(torch.from_numpy(x[rows]), rows, 3)
            assert torch.equal(out, whole[rows])


@every_change
def test_epochs_and_seeds_differ(settings: dict[str, Any]) -> None:
    x, rows = torch.from_numpy(images()), np.arange(EXAMPLES)
    ours = augmentation(**settings)
    first, second = ours(x, rows, 0), ours(x, rows, 1)
    assert not torch.equal(first, second)
    assert torch.equal(ours(x, rows, 0), first)
    assert not torch.equal(augmentation(1, **settings)(x, rows, 0), first)


def test_crops_do_not_move_the_flips() -> None:
    """One stream for each kind: an example is mirrored in both or in neither."""
    x, rows = torch.from_numpy(images()), np.arange(EXAMPLES)
    flipped = augmentation(flip=True)(x, rows, 0)
    shifted = augmentation(crop=2)
    both = augmentation(flip=True, crop=2)(x, rows, 0)
    mirrored = (flipped != x).flatten(1).any(1).numpy()
    unmirrored = both[~mirrored]
    assert torch.equal(unmirrored, shifted(x, rows, 0)[~mirrored])
    assert 0.2 < mirrored.mean() < 0.8


def test_nothing_to_do_changes_nothing() -> None:
    x = torch.from_numpy(images())
    assert augmentation()(x, np.arange(EXAMPLES), 0) is x


def test_memory_that_must_not_be_written_is_copied() -> None:
    x = images()
    x.flags.writeable = False
    assert np.array_equal(to_device(x, CPU).numpy(), x)


ALL = {"flip": "alternating", "crop": 2, "cutout": 3, "brightness": 0.3, "contrast": 0.2}


@pytest.mark.parametrize(
    "settings",
    [{"cutout": 4}, {"brightness": 0.4}, {"contrast": 0.5}, {"saturation": 0.6}, ALL],
    ids=lambda settings: "-".join(settings),
)
def test_other_changes_are_those_of_numpy(settings: dict[str, Any]) -> None:
    draws = Draws(AugmentationSettings(**settings), (7, 9, 3), EXAMPLES, Streams(0))
    rows = np.random.default_rng(3).permutation(EXAMPLES)[:17]
    for epoch in (0, 1):
        expected = InNumpy(draws, MEAN)(images()[rows], rows, epoch)
        out = augmentation(**settings)(torch.from_numpy(images()[rows]), rows, epoch).numpy()
        # Means of an image are summed in another order.
        difference = np.abs(out.astype(int) - expected.astype(int))
        assert difference.max() <= (1 if draws.settings.jitters else 0)
        assert (difference > 0).mean() < 0.001
        assert not np.array_equal(out, images()[rows])
