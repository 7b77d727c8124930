"""The small convolutional network."""

import pytest
import torch

from bakeoff.core.errors import InputError
from bakeoff.models.macs import profile
from bakeoff.models.settings import SimpleCnnSettings
from bakeoff.models.simple_cnn import SimpleCnn

SHAPES = [(4, 4, 1), (8, 8, 1), (9, 13, 3), (28, 28, 1), (32, 32, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_output_shapes(shape: tuple[int, int, int], batch_norm: bool) -> None:
    height, width, channels = shape
    model = SimpleCnn(SimpleCnnSettings(width=4, batch_norm=batch_norm, dropout=0.5), shape, 7)
    images = torch.zeros(3, channels, height, width)
    assert model(images).shape == (3, 7)
    assert model.features(images).shape == (3, 8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_parameters_and_macs_are_the_closed_form(
    shape: tuple[int, int, int], batch_norm: bool
) -> None:
    height, width, channels = shape
    w, classes = 6, 5
    rows = profile(
        SimpleCnn(SimpleCnnSettings(width=w, batch_norm=batch_norm), shape, classes),
        (channels, height, width),
    )
    flat = (height // 4) * (width // 4) * 2 * w
    weights = 25 * channels * w + 25 * w * 2 * w + flat * 4 * w + 8 * w * w + 2 * w * classes
    biases = 4 * w + 2 * w + classes
    around_convolutions = 2 * (w + 2 * w) if batch_norm else w + 2 * w
    assert sum(row.parameters for row in rows) == weights + biases + around_convolutions
    convolutions = height * width * 25 * channels * w
    convolutions += (height // 2) * (width // 2) * 25 * w * 2 * w
    connected = flat * 4 * w + 8 * w * w + 2 * w * classes
    assert sum(row.macs for row in rows) == convolutions + connected


def test_rows_name_layers_in_order_with_their_shapes() -> None:
    rows = profile(SimpleCnn(SimpleCnnSettings(width=4), (8, 8, 1), 3), (1, 8, 8))
    named = {row.name: (row.input, row.output, dict(row.weights)) for row in rows if row.parameters}
    assert named == {
        "conv1": ((1, 8, 8), (4, 8, 8), {"weight": (4, 1, 5, 5), "bias": (4,)}),
        "conv2": ((4, 4, 4), (8, 4, 4), {"weight": (8, 4, 5, 5), "bias": (8,)}),
        "hidden1": ((32,), (16,), {"weight": (16, 32), "bias": (16,)}),
        "hidden2": ((16,), (8,), {"weight": (8, 16), "bias": (8,)}),
        "output": ((8,), (3,), {"weight": (3, 8), "bias": (3,)}),
    }


def test_images_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="3 x 8 pixels received"):
        SimpleCnn(SimpleCnnSettings(), (3, 8, 1), 2)


def test_variants_keep_the_names_of_the_layers_they_share() -> None:
    plain = dict(SimpleCnn(SimpleCnnSettings(), (8, 8, 1), 2).named_parameters())
    normed = SimpleCnn(SimpleCnnSettings(batch_norm=True, dropout=0.5), (8, 8, 1), 2)
    names = {name for name, _ in normed.named_parameters()}
    assert set(plain) - names == {"conv1.bias", "conv2.bias"}


def test_evaluation_ignores_dropout() -> None:
    model = SimpleCnn(SimpleCnnSettings(width=4, dropout=0.9), (8, 8, 1), 2).eval()
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(model(images), model.output(model.features(images)))
