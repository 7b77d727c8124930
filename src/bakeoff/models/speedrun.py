"""A wide, shallow network behind whitening filters, for images of about 32 x 32 pixels.

After the networks that hold the records of training time to 94 % on CIFAR-10: Page 2018, "How to
train your ResNet" (whitened patches, scaled logits), and Jordan 2024, "94% on CIFAR-10 in 3.29
seconds on a single GPU", sections 3.1 to 3.3 (frozen whitening with negative filters and a bias
that learns; identities to start from; gains of norms left at 1). Where we differ: patches are
centred, so that the outputs have mean 0 as well; the bias learns all the time; epsilon of batch
norm is torch's; widths, window, whitening, identities and activation are fields.
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from bakeoff.core.errors import InputError
from bakeoff.models.layers import ACTIVATIONS
from bakeoff.models.settings import SpeedrunSettings

POOLINGS = 3
EPSILON = 5e-4
"""Added to the variances that filters divide by (Jordan 2024), of pixels of variance 1."""
MOMENTUM = 0.4
"""Of the running statistics: a run is only some hundred updates long (Jordan 2024 has 0.4)."""
CHUNK = 256
"""Images whose patches are laid out at once."""


@runtime_checkable
class Adapting(Protocol):
    """A module that looks at training images before it learns."""

    def adapt(self, images: Tensor) -> None:
        """Set what depends on the data, from inputs (B, C, H, W), by no other chance."""
        ...


class Whitening(nn.Conv2d):
    """A convolution whose outputs on the images it was adapted to are uncorrelated.

    With n = C k^2 numbers in a patch there are n filters, the eigenvectors of the patches'
    covariance over the roots of their variances, and their negatives, since what follows lets one
    sign pass. The filters do not learn, the bias does.

    Args:
        channels: C.
        window: k, pixels a side.
    """

    fixed = ("weight",)

    def __init__(self, channels: int, window: int) -> None:
        super().__init__(channels, 2 * channels * window**2, window)
        self.weight.requires_grad_(False)

    @torch.no_grad()
    def adapt(self, images: Tensor) -> None:
        """Filters and bias from images (B, C, H, W): on the CPU in float64, whatever the device."""
        mean, covariance = patch_statistics(images.cpu(), self.kernel_size[0])
        variances, vectors = torch.linalg.eigh(covariance)
        # The greatest first; of a vector and its opposite, the one that is mostly positive.
        filters = vectors.flip(1).T
        filters = filters * filters.gather(1, filters.abs().argmax(1, keepdim=True)).sign()
        filters = filters / (variances.flip(0).clamp(min=0) + EPSILON).sqrt()[:, None]
        both = torch.cat([filters, -filters])
        self.weight.copy_(both.view(self.weight.shape))
        assert self.bias is not None
        self.bias.copy_(-both @ mean)


class Shifted(nn.BatchNorm2d):
    """Batch norm whose gains stay 1.

    Args:
        channels: C.
    """

    fixed = ("weight",)

    def __init__(self, channels: int) -> None:
        super().__init__(channels, momentum=MOMENTUM)
        self.weight.requires_grad_(False)


class StartingAsIdentity(nn.Conv2d):
    """A 3 x 3 convolution whose first outputs begin as copies of its inputs (`initialise`)."""

    starts_as_identity = True


class Block(nn.Module):
    """Convolution, 2 x 2 max-pooling, norm, activation; convolution, norm, activation.

    Args:
        inputs: Channels before it.
        outputs: And behind it.
        settings: Activation, and what convolutions begin as.
    """

    def __init__(self, inputs: int, outputs: int, settings: SpeedrunSettings) -> None:
        super().__init__()
        convolution = StartingAsIdentity if settings.identity else nn.Conv2d
        self.conv1 = convolution(inputs, outputs, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.norm1 = Shifted(outputs)
        self.activation1 = ACTIVATIONS[settings.activation]()
        self.conv2 = convolution(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = Shifted(outputs)
        self.activation2 = ACTIVATIONS[settings.activation]()

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) float -> (B, outputs, H // 2, W // 2) float."""
        x = self.activation1(self.norm1(self.pool(self.conv1(images))))
        result: Tensor = self.activation2(self.norm2(self.conv2(x)))
        return result


class Speedrun(nn.Module):
    """Whitening, three blocks, global max-pooling, one linear layer with scaled outputs.

    Args:
        settings: Widths, window, whitening, identity, activation, scale.
        shape: (H, W, C) of one image.
        classes: K.

    Raises:
        InputError: where the images are too small.
    """

    def __init__(
        self, settings: SpeedrunSettings, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__()
        height, width, channels = shape
        window, smallest = settings.window, settings.window - 1 + 2**POOLINGS
        if min(height, width) < smallest:
            raise InputError(
                f"model speedrun: images of {height} x {width} pixels received "
                f"(allowed: at least {smallest} x {smallest} with a window of {window})"
            )
        filters = 2 * channels * window**2
        if settings.whitening:
            self.whitening: nn.Module = Whitening(channels, window)
        else:
            self.whitening = nn.Conv2d(channels, filters, window)
        self.activation = ACTIVATIONS[settings.activation]()
        first, second, third = settings.widths
        self.block1 = Block(filters, first, settings)
        self.block2 = Block(first, second, settings)
        self.block3 = Block(second, third, settings)
        self.output = nn.Linear(third, classes, bias=False)
        self.scale = settings.scale

    def adapt(self, images: Tensor) -> None:
        """Whiten patches of such images (B, C, H, W) from now on, where that is asked for."""
        if isinstance(self.whitening, Whitening):
            self.whitening.adapt(images)

    def features(self, images: Tensor) -> Tensor:
        """The greatest of each channel in the end: (B, C, H, W) float -> (B, third width) float."""
        x = self.activation(self.whitening(images))  # (B, 2 C k^2, H - k + 1, W - k + 1)
        x = self.block3(self.block2(self.block1(x)))
        return torch.amax(x, dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Logits: (B, C, H, W) float -> (B, K) float, unnormalised."""
        logits: Tensor = self.scale * self.output(self.features(images))
        return logits


def patch_statistics(images: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Mean (n,) and covariance (n, n), float64, of all n = C k^2 numbers of patches k x k.

    Args:
        images: (B, C, H, W).
        window: k.
    """
    size = images.shape[1] * window**2
    total, products = (torch.zeros(s, dtype=torch.float64) for s in ((size,), (size, size)))
    count = 0
    for some in torch.split(images, CHUNK):
        patches = unfold(some.double(), window).transpose(1, 2).reshape(-1, size)
        total += patches.sum(0)
        products += patches.T @ patches
        count += len(patches)
    mean = total / count
    return mean, products / count - torch.outer(mean, mean)
