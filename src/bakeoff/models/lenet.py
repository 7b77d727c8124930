"""LeNet-5 for digits and larger images.

Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II.B.
Where we differ: the second convolution sees all channels of the first, poolings take the maximum
and have no weights, the activation is chosen freely, and the output layer gives logits. Images of
fewer than 32 pixels a side are padded by 2, as the 28 x 28 digits were there.
"""

import torch
from torch import Tensor, nn

from bakeoff.core.errors import InputError
from bakeoff.models.layers import ACTIVATIONS
from bakeoff.models.settings import LeNetSettings

SMALLEST = 12
"""Pixels a side: what is left behind the second pooling is one of them."""


class LeNet(nn.Module):
    """Two convolutions, two poolings, three fully connected layers: 6, 16, 120, 84, K.

    Args:
        settings: Activation.
        shape: (H, W, C) of one image, H and W at least 12.
        classes: K.

    Raises:
        InputError: where the images are too small.
    """

    def __init__(self, settings: LeNetSettings, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        height, width, channels = shape
        if min(height, width) < SMALLEST:
            raise InputError(
                f"model lenet: images of {height} x {width} pixels received "
                f"(allowed: at least {SMALLEST} x {SMALLEST})"
            )
        padding = 2 if min(height, width) < 32 else 0
        rows, columns = (((side + 2 * padding - 4) // 2 - 4) // 2 for side in (height, width))
        self.activation = ACTIVATIONS[settings.activation]()
        self.conv1 = nn.Conv2d(channels, 6, 5, padding=padding)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.pool2 = nn.MaxPool2d(2)
        self.hidden1 = nn.Linear(16 * rows * columns, 120)
        self.hidden2 = nn.Linear(120, 84)
        self.output = nn.Linear(84, classes)

    def features(self, images: Tensor) -> Tensor:
        """What the last hidden layer says: (B, C, H, W) float -> (B, 84) float."""
        x = self.activation(self.pool1(self.conv1(images)))  # (B, 6, H', W')
        x = self.activation(self.pool2(self.conv2(x)))  # (B, 16, H'', W'')
        x = self.activation(self.hidden1(torch.flatten(x, 1)))  # (B, 120)
        features: Tensor = self.activation(self.hidden2(x))  # (B, 84)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits: (B, C, H, W) float -> (B, K) float, unnormalised."""
        logits: Tensor = self.output(self.features(images))
        return logits
