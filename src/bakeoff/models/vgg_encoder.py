"""An encoder of images after VGG: small convolutions in blocks, then fully connected layers.

Source: Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image
recognition", cut down to two blocks for images of 32 x 32 pixels. Where we differ: batch norm
behind every convolution (Ioffe and Szegedy 2015), and a vector of chosen size before the classes.
"""

import torch
from torch import Tensor, nn

from bakeoff.core.errors import InputError
from bakeoff.models.layers import ACTIVATIONS
from bakeoff.models.settings import VggEncoderSettings

SMALLEST = 4
"""Pixels a side: two poolings leave one of them."""


class VggEncoder(nn.Module):
    """Convolutions with 64, 64, 128, 128 channels, two poolings, two fully connected layers.

    On 32 x 32 images the first fully connected layer sees 8,192 numbers.

    Args:
        settings: Hidden units, dimension of the vector, dropout, activation.
        shape: (H, W, C) of one image, H and W at least 4.
        classes: K.

    Raises:
        InputError: where the images are too small.
    """

    def __init__(
        self, settings: VggEncoderSettings, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        height, width, channels = shape
        if min(height, width) < SMALLEST:
            raise InputError(
                f"model vgg-encoder: images of {height} x {width} pixels received "
                f"(allowed: at least {SMALLEST} x {SMALLEST})"
            )
        activation = ACTIVATIONS[settings.activation]

        def convolution(inputs: int, outputs: int) -> list[nn.Module]:
            conv = nn.Conv2d(inputs, outputs, 3, padding=1)
            return [conv, nn.BatchNorm2d(outputs), activation()]

        self.block1 = nn.Sequential(*convolution(channels, 64), *convolution(64, 64))
        self.block2 = nn.Sequential(*convolution(64, 128), *convolution(128, 128))
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear((height // 4) * (width // 4) * 128, settings.hidden)
        self.activation = activation()
        self.dropout = nn.Dropout(settings.dropout)
        self.vector = nn.Linear(settings.hidden, settings.dimension)
        self.output = nn.Linear(settings.dimension, classes)

    def features(self, images: Tensor) -> Tensor:
        """The vector of each image: (B, C, H, W) float -> (B, dimension) float."""
        x = self.pool(self.block1(images))  # (B, 64, H / 2, W / 2)
        x = self.pool(self.block2(x))  # (B, 128, H / 4, W / 4)
        x = self.activation(self.hidden(torch.flatten(x, 1)))  # (B, hidden)
        features: Tensor = self.vector(self.dropout(x))  # (B, dimension)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits: (B, C, H, W) float -> (B, K) float, unnormalised."""
        logits: Tensor = self.output(self.features(images))
        return logits
