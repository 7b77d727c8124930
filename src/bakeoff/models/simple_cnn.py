"""A small convolutional network for images of 8 x 8 pixels and more.

After LeNet-5 (LeCun et al. 1998, "Gradient-based learning applied to document recognition"): 5 x 5
convolutions, each followed by 2 x 2 pooling, then three fully connected layers. Where we differ:
max instead of mean pooling, padding that keeps the sides, a freely chosen width and activation,
optional batch norm (Ioffe and Szegedy 2015, "Batch normalization", eq. after table 1: before the
activation) and dropout (Srivastava et al. 2014, "Dropout").
"""

import torch
from torch import Tensor, nn

from bakeoff.core.errors import InputError
from bakeoff.models.layers import ACTIVATIONS
from bakeoff.models.settings import SimpleCnnSettings

SMALLEST = 4
"""Pixels a side: two poolings leave one of them."""


class SimpleCnn(nn.Module):
    """Two convolutions, two poolings, three fully connected layers.

    With width w, the layers have w and 2w channels, then 4w, 2w and K units.

    Args:
        settings: Width, batch norm, dropout, activation.
        shape: (H, W, C) of one image, H and W at least 4.
        classes: K.

    Raises:
        InputError: where the images are too small.
    """

    def __init__(
        self, settings: SimpleCnnSettings, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        height, width, channels = shape
        if min(height, width) < SMALLEST:
            raise InputError(
                f"model simple-cnn: images of {height} x {width} pixels received "
                f"(allowed: at least {SMALLEST} x {SMALLEST})"
            )
        w, norm = settings.width, settings.batch_norm
        # Batch norm subtracts whatever a bias would add.
        self.conv1 = nn.Conv2d(channels, w, 5, padding=2, bias=not norm)
        self.norm1 = nn.BatchNorm2d(w) if norm else nn.Identity()
        self.pool1 = nn.MaxPool2d(2)
        self.activation = ACTIVATIONS[settings.activation]()
        self.conv2 = nn.Conv2d(w, 2 * w, 5, padding=2, bias=not norm)
        self.norm2 = nn.BatchNorm2d(2 * w) if norm else nn.Identity()
        self.pool2 = nn.MaxPool2d(2)
        self.dropout1 = nn.Dropout(settings.dropout)
        self.hidden1 = nn.Linear((height // 4) * (width // 4) * 2 * w, 4 * w)
        self.dropout2 = nn.Dropout(settings.dropout)
        self.hidden2 = nn.Linear(4 * w, 2 * w)
        self.dropout3 = nn.Dropout(settings.dropout)
        self.output = nn.Linear(2 * w, classes)

    def features(self, images: Tensor) -> Tensor:
        """What the last hidden layer says: (B, C, H, W) float -> (B, 2w) float."""
        # Pooling first leaves the activation a quarter of the work; for the increasing ones the
        # result is the same.
        x = self.activation(self.pool1(self.norm1(self.conv1(images))))  # (B, w, H/2, W/2)
        x = self.activation(self.pool2(self.norm2(self.conv2(x))))  # (B, 2w, H/4, W/4)
        x = torch.flatten(x, 1)  # (B, 2w * H/4 * W/4)
        x = self.activation(self.hidden1(self.dropout1(x)))  # (B, 4w)
        features: Tensor = self.activation(self.hidden2(self.dropout2(x)))  # (B, 2w)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits: (B, C, H, W) float -> (B, K) float, unnormalised."""
        logits: Tensor = self.output(self.dropout3(self.features(images)))
        return logits
