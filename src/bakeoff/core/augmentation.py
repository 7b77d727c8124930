"""How training images are changed: what is drawn, the same for every framework.

Draws are a function of (seed, epoch, example): neither batch size nor order nor framework matters,
and one kind of change leaves the draws of the others as they are.
"""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bakeoff.core.errors import InputError
from bakeoff.core.frozen import Frozen, later
from bakeoff.core.streams import Streams


class AugmentationSettings(Frozen):
    """How training images are changed, anew in every epoch."""

    flip: bool | Literal["alternating"] = False
    """Mirror left and right with probability 1/2; `alternating`: so in the first epoch, then every
    image the other way round in each epoch (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a
    single GPU", section 3.6)."""
    crop: Annotated[int, Field(ge=0)] = 0
    """Shift by up to this many pixels along each axis; what is missing is mirrored at the edge."""
    cutout: Annotated[int, Field(ge=0)] = 0
    """Side of a square of pixels that is blanked with the mean colour (DeVries and Taylor 2017,
    "Improved regularization of convolutional neural networks with cutout"); its centre may lie
    anywhere in the image, so that it is cut off at the edges."""
    brightness: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Pixels times a number of 1 - b to 1 + b."""
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Distances from the image's mean times a number of 1 - c to 1 + c."""
    saturation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Distances of a pixel's colours from their mean times a number of 1 - s to 1 + s."""
    mixup: Annotated[float, Field(ge=0)] = later(0.0)
    """Blend each image and its label with those of another training example, by shares that are
    drawn from Beta(a, a) (Zhang et al. 2018, "mixup: beyond empirical risk minimization")."""

    @property
    def moves(self) -> bool:
        """Whether pixels change places."""
        return bool(self.flip or self.crop)

    @property
    def jitters(self) -> bool:
        """Whether pixels change colours."""
        return bool(self.brightness or self.contrast or self.saturation)

    def check(self, shape: tuple[int, ...]) -> None:
        """Whether images of shape (H, W, C) can be changed like this.

        Raises:
            InputError: where they are to be shifted by more than their sides.
        """
        smaller = min(shape[:2])
        if self.crop >= smaller:
            raise InputError(
                f"augmentation.crop: {self.crop} received (allowed: 0 to {smaller - 1}, less than "
                f"the sides of {shape[0]} x {shape[1]} images)"
            )

    def check_unblended(self, technique: str) -> None:
        """Whether labels may stay as they are, as they must in most techniques.

        Raises:
            InputError: where images are to be blended.
        """
        if self.mixup:
            raise InputError(
                f"augmentation.mixup: {self.mixup} received, but {technique} does not blend images "
                "(allowed: 0; the technique cnn does)"
            )


class Draws:
    """What an epoch draws for each of N training examples.

    Args:
        settings: What is drawn at all.
        shape: (H, W, C) of one image.
        examples: N.
        streams: The cell's.

    Raises:
        InputError: where images are to be shifted by more than their sides.
    """

    def __init__(
        self,
        settings: AugmentationSettings,
        shape: tuple[int, int, int],
        examples: int,
        streams: Streams,
    ) -> None:
        settings.check(shape)
        self.settings, self.shape, self.examples = settings, shape, examples
        self._streams = streams

    def mirrored(self, epoch: int) -> NDArray[np.bool_]:
        """(N,) bool: which images are mirrored."""
        alternating = self.settings.flip == "alternating"
        generator = self._streams.generator("augment", "flip", 0 if alternating else epoch)
        chosen = generator.random(self.examples) < 0.5
        return chosen ^ bool(epoch % 2) if alternating else chosen

    def shifts(self, epoch: int) -> NDArray[np.int64]:
        """(N, 2) int64: pixels down and right, -crop to crop."""
        crop = self.settings.crop
        generator = self._streams.generator("augment", "crop", epoch)
        return generator.integers(-crop, crop + 1, (self.examples, 2))

    def corners(self, epoch: int) -> NDArray[np.int64]:
        """(N, 2) int64: row and column where the blank square begins, which may be outside."""
        generator = self._streams.generator("augment", "cutout", epoch)
        centres = generator.integers(0, self.shape[:2], (self.examples, 2))
        return centres - self.settings.cutout // 2

    def factors(self, epoch: int) -> NDArray[np.float32]:
        """(N, 3) float32: of brightness, contrast and saturation."""
        s = self.settings
        spread = np.array([s.brightness, s.contrast, s.saturation], np.float32)
        generator = self._streams.generator("augment", "colour", epoch)
        return 1 + spread * (2 * generator.random((self.examples, 3), np.float32) - 1)

    def partners(self, epoch: int) -> NDArray[np.int64]:
        """(N,) int64: the training example that each is blended with; it may be itself."""
        generator = self._streams.generator("augment", "mixup partner", epoch)
        return generator.integers(0, self.examples, self.examples)

    def shares(self, epoch: int) -> NDArray[np.float32]:
        """(N,) float32 in 0..1: what each keeps of itself where it is blended."""
        generator = self._streams.generator("augment", "mixup share", epoch)
        alpha = self.settings.mixup
        return generator.beta(alpha, alpha, self.examples).astype(np.float32)
