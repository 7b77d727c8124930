"""The encoder against its closed form."""

from itertools import pairwise

import pytest
import torch

from bakeoff.core.errors import InputError
from bakeoff.models.macs import profile
from bakeoff.models.settings import VggEncoderSettings
from bakeoff.models.vgg_encoder import VggEncoder


def test_parameters_and_macs_are_the_closed_form() -> None:
    rows = profile(VggEncoder(VggEncoderSettings(dimension=64), (32, 32, 3), 10), (3, 32, 32))
    channels = (3, 64, 64, 128, 128)
    convolutions = [9 * a * b for a, b in pairwise(channels)]
    connected = 8192 * 4096 + 4096 * 64 + 64 * 10
    biases = sum(channels[1:]) + 4096 + 64 + 10
    norms = 2 * sum(channels[1:])
    assert sum(row.parameters for row in rows) == sum(convolutions) + connected + biases + norms
    pixels = (1024, 1024, 256, 256)
    macs = sum(p * w for p, w in zip(pixels, convolutions, strict=True)) + connected
    assert sum(row.macs for row in rows) == macs


def test_features_are_the_vector() -> None:
    model = VggEncoder(VggEncoderSettings(dimension=5, hidden=8), (8, 8, 3), 2).eval()
    images = torch.rand(3, 3, 8, 8)
    assert model.features(images).shape == (3, 5)
    assert torch.equal(model(images), model.output(model.features(images)))


def test_images_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="3 x 8 pixels received"):
        VggEncoder(VggEncoderSettings(), (3, 8, 1), 2)
