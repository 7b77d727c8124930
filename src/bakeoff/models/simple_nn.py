"""A small convolutional network whose convolutions and linear layers are written out here.

`Convolution` and `Linear` compute what `nn.Conv2d` and `nn.Linear` compute, under the same names:
a state dict of one network loads into the other. They are for reading: torch's own are faster.
Source: Chellapilla, Puri and Simard 2006, "High performance convolutional neural networks for
document processing", for a convolution as one matrix product.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from bakeoff.core.errors import InputError
from bakeoff.models.layers import ACTIVATIONS
from bakeoff.models.settings import SimpleNnSettings

SMALLEST = 8
"""Pixels a side: three poolings leave one of them."""


class Linear(nn.Module):
    """`y = x W^T + b`.

    Args:
        inputs: Numbers before it.
        outputs: And behind it.
    """

    outputs_first = True

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, inputs) float -> (B, outputs) float."""
        return inputs @ self.weight.t() + self.bias


class Convolution(nn.Module):
    """Every output pixel is a weighted sum of the square around its input pixel.

    The squares are laid out as columns, so that the sum is one matrix product.

    Args:
        inputs: Channels before it.
        outputs: And behind it.
        side: Of the square, odd; the image keeps its size.
    """

    outputs_first = True

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) float -> (B, outputs, H, W) float."""
        side = self.weight.shape[-1]
        columns = unfold(images, side, padding=side // 2)  # (B, inputs * side^2, H * W)
        sums = torch.matmul(self.weight.flatten(1), columns)  # (B, outputs, H * W)
        return sums.view(len(images), -1, *images.shape[2:]) + self.bias[:, None, None]


class SimpleNn(nn.Module):
    """Three 3 x 3 convolutions, each with an activation and 2 x 2 pooling, then two linear layers.

    Args:
        settings: Width, hidden units, activation.
        shape: (H, W, C) of one image, H and W at least 8.
        classes: K.

    Raises:
        InputError: where the images are too small.
    """

    def __init__(
        self, settings: SimpleNnSettings, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        height, width, channels = shape
        if min(height, width) < SMALLEST:
            raise InputError(
                f"model simple-nn: images of {height} x {width} pixels received "
                f"(allowed: at least {SMALLEST} x {SMALLEST})"
            )
        w = settings.width
        self.activation = ACTIVATIONS[settings.activation]()
        self.pool = nn.MaxPool2d(2)
        self.conv1 = Convolution(channels, w, 3)
        self.conv2 = Convolution(w, 2 * w, 3)
        self.conv3 = Convolution(2 * w, 4 * w, 3)
        self.hidden = Linear((height // 8) * (width // 8) * 4 * w, settings.hidden)
        self.output = Linear(settings.hidden, classes)

    def features(self, images: Tensor) -> Tensor:
        """What the hidden layer says: (B, C, H, W) float -> (B, hidden) float."""
        x = images
        for conv in (self.conv1, self.conv2, self.conv3):
            x = self.activation(self.pool(conv(x)))
        features: Tensor = self.activation(self.hidden(torch.flatten(x, 1)))
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits: (B, C, H, W) float -> (B, K) float, unnormalised."""
        logits: Tensor = self.output(self.features(images))
        return logits
