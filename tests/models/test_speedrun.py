"""The speed-run network: its counts, and whitening filters against what they promise."""

import pytest
import torch

from bakeoff.core.errors import InputError
from bakeoff.core.streams import Streams
from bakeoff.models.macs import profile
from bakeoff.models.settings import SpeedrunSettings
from bakeoff.models.speedrun import (
    EPSILON,
    Adapting,
    Block,
    Speedrun,
    StartingAsIdentity,
    Whitening,
    patch_statistics,
)
from bakeoff.training.torch.initialise import initialise

SHAPES = [(9, 12, 1), (12, 12, 3), (28, 28, 1), (32, 32, 3)]


def pictures(count: int, channels: int = 3, side: int = 12, seed: int = 0) -> torch.Tensor:
    """Smooth noise: neighbouring pixels and channels are correlated, as in photographs."""
    generator = torch.Generator().manual_seed(seed)
    fine = torch.randn((count, 1, side + 2, side + 2), generator=generator)
    own = torch.randn((count, channels, side, side), generator=generator)
    return torch.nn.functional.avg_pool2d(fine, 3, 1) * 3 + 0.5 * own + 0.2


@pytest.mark.parametrize("shape", SHAPES)
def test_output_shapes(shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    model = Speedrun(SpeedrunSettings(widths=(4, 6, 5)), shape, 7)
    images = torch.zeros(3, channels, height, width)
    assert model(images).shape == (3, 7)
    assert model.features(images).shape == (3, 5)


@pytest.mark.parametrize("window", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_parameters_and_macs_are_the_closed_form(shape: tuple[int, int, int], window: int) -> None:
    height, width, channels = shape
    widths, classes = (4, 6, 5), 7
    settings = SpeedrunSettings(widths=widths, window=window)
    rows = profile(Speedrun(settings, shape, classes), (channels, height, width))
    patch = channels * window**2
    filters = 2 * patch
    gains = 2 * sum(widths)
    trained = filters + gains + widths[-1] * classes  # biases, then the linear layer
    rows_, columns = height - window + 1, width - window + 1
    macs = rows_ * columns * patch * filters + widths[-1] * classes
    before = filters
    for outputs in widths:
        trained += 9 * (before * outputs + outputs**2)
        macs += rows_ * columns * 9 * before * outputs
        rows_, columns, before = rows_ // 2, columns // 2, outputs
        macs += rows_ * columns * 9 * outputs**2
    assert sum(row.trained_parameters for row in rows) == trained
    assert sum(row.parameters for row in rows) == trained + patch * filters + gains
    assert sum(row.macs for row in rows) == macs


def test_the_counts_that_the_page_names() -> None:
    rows = profile(Speedrun(SpeedrunSettings(), (32, 32, 3), 10), (3, 32, 32))
    assert sum(row.parameters for row in rows) == 1_972_792
    assert sum(row.trained_parameters for row in rows) == 1_971_352
    assert sum(row.macs for row in rows) == 118_147_360


@pytest.mark.parametrize("window", [1, 2])
def test_whitened_patches_have_unit_covariance(window: int) -> None:
    """But for what `EPSILON` takes off: a variance v becomes v / (v + EPSILON)."""
    images = pictures(300)
    layer = Whitening(3, window)
    layer.adapt(images)
    with torch.no_grad():
        outputs = layer(images).transpose(0, 1).flatten(1).double()
    half = len(outputs) // 2
    torch.testing.assert_close(outputs[:half], -outputs[half:], atol=1e-5, rtol=0)
    variances = torch.linalg.eigvalsh(patch_statistics(images, window)[1]).flip(0)
    covariance = torch.cov(outputs[:half], correction=0)
    expected = torch.diag(variances / (variances + EPSILON))
    torch.testing.assert_close(covariance, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(covariance.diag(), torch.ones_like(variances), atol=0.03, rtol=0)
    assert outputs.mean(1).abs().max() < 1e-5


def test_statistics_are_those_of_all_patches() -> None:
    images = pictures(270, channels=2, side=5)  # more than one chunk
    patches = torch.stack(
        [images[:, :, i : i + 2, j : j + 2].flatten(1) for i in range(4) for j in range(4)]
    ).flatten(0, 1)
    mean, covariance = patch_statistics(images, 2)
    torch.testing.assert_close(mean, patches.double().mean(0))
    torch.testing.assert_close(covariance, torch.cov(patches.double().T, correction=0))


def test_images_of_one_colour_give_finite_filters() -> None:
    layer = Whitening(3, 2)
    layer.adapt(torch.full((4, 3, 8, 8), 0.7))
    assert torch.isfinite(layer.weight).all()
    assert layer(torch.full((1, 3, 8, 8), 0.7)).abs().max() < 1e-3


def test_only_the_filters_of_whitening_are_frozen() -> None:
    whitened = Speedrun(SpeedrunSettings(widths=(4, 4, 4)), (12, 12, 3), 2)
    plain = Speedrun(SpeedrunSettings(widths=(4, 4, 4), whitening=False), (12, 12, 3), 2)
    frozen = {name for name, p in whitened.named_parameters() if not p.requires_grad}
    gains = {f"block{i}.norm{j}.weight" for i in (1, 2, 3) for j in (1, 2)}
    assert frozen == {"whitening.weight"} | gains
    assert {name for name, p in plain.named_parameters() if not p.requires_grad} == gains
    assert isinstance(whitened, Adapting)
    before = [p.detach().clone() for p in plain.parameters()]
    plain.adapt(pictures(5))
    assert all(torch.equal(a, b) for a, b in zip(before, plain.parameters(), strict=True))


@pytest.mark.parametrize("identity", [True, False])
def test_convolutions_begin_as_identities(identity: bool) -> None:
    block = Block(3, 5, SpeedrunSettings(identity=identity))
    initialise(block, Streams(0))
    images = pictures(2)
    same = torch.allclose(block.conv1(images)[:, :3], images)
    assert same is identity
    assert isinstance(block.conv1, StartingAsIdentity) is identity
    drawn = block.conv1.weight[3:]  # the rest is drawn either way, as it would be without
    other = Block(3, 5, SpeedrunSettings(identity=not identity))
    initialise(other, Streams(0))
    assert torch.equal(drawn, other.conv1.weight[3:])
    assert drawn.abs().max() > 0


def test_logits_are_scaled() -> None:
    images = pictures(4)
    model = Speedrun(SpeedrunSettings(widths=(4, 4, 4), scale=0.25), (12, 12, 3), 3).eval()
    torch.testing.assert_close(model(images), 0.25 * model.output(model.features(images)))


def test_images_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="8 x 12 pixels received"):
        Speedrun(SpeedrunSettings(), (8, 12, 1), 2)
    assert Speedrun(SpeedrunSettings(window=1), (8, 8, 1), 2) is not None
