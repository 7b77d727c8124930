"""Residual networks against the published counts and a block computed by hand."""

import pytest
import torch
from torch.nn.functional import conv2d

from bakeoff.models.macs import profile
from bakeoff.models.resnet import Block, ResNet, Subsample
from bakeoff.models.settings import ResNetSettings

# He et al. 2016, table 6, gives 0.27, 0.46, 0.66, 0.85 and 1.7 million; these are the exact sums.
PARAMETERS = {
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
}


def counts(settings: ResNetSettings) -> tuple[int, int]:
    """Parameters, and MACs, for 32 x 32 colour images of ten classes."""
    rows = profile(ResNet(settings, (32, 32, 3), 10), (3, 32, 32))
    return sum(row.parameters for row in rows), sum(row.macs for row in rows)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_ones(name: str) -> None:
    settings = ResNetSettings.parse({"name": name})
    assert counts(settings)[0] == PARAMETERS[name]


def test_macs_of_resnet20() -> None:
    assert counts(ResNetSettings()) == (269_722, 40_551_040)


def test_option_b_adds_a_projection_and_a_norm_to_two_stages() -> None:
    projections = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert counts(ResNetSettings(shortcut="B"))[0] == 269_722 + projections == 272_474


def test_depth_counts_the_layers_with_weights() -> None:
    model = ResNet(ResNetSettings(name="resnet32"), (32, 32, 3), 10)
    assert sum(p.ndim > 1 for p in model.parameters()) == 32


def test_subsample_takes_every_second_pixel_and_pads_channels() -> None:
    images = torch.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4).float()
    out = Subsample(3, 6)(images)
    assert out.shape == (2, 6, 3, 2)
    assert torch.equal(out[:, 1:4], images[:, :, ::2, ::2])
    assert not out[:, :1].any()
    assert not out[:, 4:].any()


def test_a_block_adds_what_it_received() -> None:
    torch.manual_seed(0)
    block = Block(4, 4, 1, ResNetSettings()).eval()
    images = torch.randn(2, 4, 6, 6)
    scale = (1 + 1e-5) ** -0.5  # fresh norms divide by sqrt(1 + epsilon)
    x = (conv2d(images, block.conv1.weight, padding=1) * scale).relu()
    x = conv2d(x, block.conv2.weight, padding=1) * scale
    torch.testing.assert_close(block(images), (x + images).relu())


def test_odd_sides_are_rounded_up() -> None:
    model = ResNet(ResNetSettings(shortcut="A"), (9, 13, 1), 2).eval()
    assert model.stage3(model.stage2(torch.zeros(1, 16, 9, 13))).shape == (1, 64, 3, 4)
    assert model(torch.zeros(1, 1, 9, 13)).shape == (1, 2)
