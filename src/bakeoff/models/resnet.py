"""Residual networks for images of about 32 x 32 pixels: ResNet-20, 32, 44, 56 and 110.

Source: He, Zhang, Ren and Sun 2016, "Deep residual learning for image recognition", section 4.2
and table 6: a 3 x 3 convolution, three stages of n blocks of two 3 x 3 convolutions with 16, 32
and 64 channels, batch norm behind every convolution, global average pooling, one fully connected
layer; 6n + 2 layers. Their shortcuts are of option A: without parameters.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from bakeoff.models.layers import ACTIVATIONS
from bakeoff.models.settings import ResNetSettings


class Subsample(nn.Module):
    """Option A: every second pixel, and channels of zeros on both sides of what there is.

    Args:
        inputs: Channels before it.
        outputs: And behind it.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        before = (outputs - inputs) // 2
        self.before, self.behind = before, outputs - inputs - before

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) float -> (B, outputs, H / 2, W / 2) float, sides rounded up."""
        return pad(images[:, :, ::2, ::2], (0, 0, 0, 0, self.before, self.behind))


class Block(nn.Module):
    """Two convolutions, and a way past them: `activation(x + f(x))` (figure 2 there).

    Args:
        inputs: Channels before it.
        outputs: And behind it.
        stride: Of the first convolution; 2 halves the sides.
        settings: Shortcut and activation.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, settings: ResNetSettings) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.activation = ACTIVATIONS[settings.activation]()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 and settings.shortcut == "A":
            self.shortcut = Subsample(inputs, outputs)
        elif stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) float -> (B, outputs, H / stride, W / stride) float."""
        x = self.activation(self.norm1(self.conv1(images)))
        result: Tensor = self.activation(self.norm2(self.conv2(x)) + self.shortcut(images))
        return result


class ResNet(nn.Module):
    """Three stages of residual blocks.

    Args:
        settings: Depth, width, shortcut, activation.
        shape: (H, W, C) of one image.
        classes: K.
    """

    def __init__(self, settings: ResNetSettings, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        width = settings.width
        self.conv = nn.Conv2d(shape[-1], width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.activation = ACTIVATIONS[settings.activation]()
        self.stage1 = _stage(width, width, 1, settings)
        self.stage2 = _stage(width, 2 * width, 2, settings)
        self.stage3 = _stage(2 * width, 4 * width, 2, settings)
        self.output = nn.Linear(4 * width, classes)

    def features(self, images: Tensor) -> Tensor:
        """What the last stage says on average: (B, C, H, W) float -> (B, 4 * width) float."""
        x = self.activation(self.norm(self.conv(images)))  # (B, width, H, W)
        x = self.stage3(self.stage2(self.stage1(x)))  # (B, 4 * width, H / 4, W / 4)
        return torch.mean(x, dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Logits: (B, C, H, W) float -> (B, K) float, unnormalised."""
        logits: Tensor = self.output(self.features(images))
        return logits


def _stage(inputs: int, outputs: int, stride: int, settings: ResNetSettings) -> nn.Sequential:
    blocks = [Block(inputs, outputs, stride, settings)]
    blocks += [Block(outputs, outputs, 1, settings) for _ in range(settings.blocks - 1)]
    return nn.Sequential(*blocks)
