"""Views of images: made by hand, and the mean of what is said of them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from bakeoff.core.views import PredictionSettings, View
from bakeoff.training.torch.views import averaged, seen

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), np.uint8)


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_view_is_a_crop_of_the_padded_image(shift: int, mirrored: bool) -> None:
    pad = 2
    padded = np.pad(IMAGES, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    start = pad - shift  # what is shifted down begins further up
    expected = padded[:, start : start + 6, start : start + 7]
    expected = expected[:, :, ::-1] if mirrored else expected
    found = seen(torch.from_numpy(IMAGES), View(shift, mirrored, 1.0))
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), expected)


def test_the_mean_is_weighted() -> None:
    views = PredictionSettings(mirror=True, shift=1).views()
    given = torch.from_numpy(IMAGES)

    def corner(images: Tensor) -> Tensor:
        return images[:, 0, 0].float()

    expected = sum(view.weight * corner(seen(given, view)).numpy() for view in views)
    np.testing.assert_allclose(averaged(corner, given, views).numpy(), expected, rtol=1e-6)


def test_of_one_view_nothing_is_computed() -> None:
    given = torch.from_numpy(IMAGES)
    assert averaged(lambda images: images, given, PredictionSettings().views()) is given
