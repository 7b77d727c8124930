"""LeNet-5 against its published sizes."""

import pytest
import torch

from bakeoff.core.errors import InputError
from bakeoff.models.lenet import LeNet
from bakeoff.models.macs import profile
from bakeoff.models.settings import LeNetSettings


@pytest.mark.parametrize(
    ("shape", "parameters", "macs"),
    [
        ((28, 28, 1), 61_706, 416_520),
        ((32, 32, 1), 61_706, 416_520),
        ((32, 32, 3), 62_006, 651_720),
    ],
)
def test_parameters_and_macs(shape: tuple[int, int, int], parameters: int, macs: int) -> None:
    height, width, channels = shape
    rows = profile(LeNet(LeNetSettings(), shape, 10), (channels, height, width))
    assert sum(row.parameters for row in rows) == parameters
    assert sum(row.macs for row in rows) == macs


def test_digits_are_padded_to_32_pixels() -> None:
    torch.manual_seed(0)
    small = LeNet(LeNetSettings(), (28, 28, 1), 3).eval()
    large = LeNet(LeNetSettings(), (32, 32, 1), 3).eval()
    large.load_state_dict(small.state_dict())
    images = torch.rand(2, 1, 28, 28)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    torch.testing.assert_close(small(images), large(padded))


def test_images_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="11 x 12 pixels received"):
        LeNet(LeNetSettings(), (11, 12, 1), 2)
