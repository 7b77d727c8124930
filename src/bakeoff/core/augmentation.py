"""How training images are changed: the draws, the same in every framework.

A draw is a function of (seed, epoch, example) alone: neither the batch size nor the order matters.
"""

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.streams import Streams


class AugmentationDraws:
    """Which training images are mirrored and how far they are shifted, epoch by epoch.

    An epoch's draws are made for all N training examples at once, to be looked up by index. Each
    kind has a stream of its own.

    Args:
        flip: Mirror left and right with probability 1/2.
        crop: Greatest shift in pixels.
        examples: N.
        streams: The cell's.
    """

    def __init__(self, flip: bool, crop: int, examples: int, streams: Streams) -> None:
        self.flip, self.crop = flip, crop
        self._examples, self._streams = examples, streams

    def flips(self, epoch: int) -> NDArray[np.bool_]:
        """(N,): whether an image is mirrored in this epoch."""
        drawn = self._streams.generator("augment", "flip", epoch).random(self._examples)
        return drawn < 0.5

    def shifts(self, epoch: int) -> NDArray[np.int64]:
        """(N, 2): how far the window moves down and to the right, each -crop..crop."""
        generator = self._streams.generator("augment", "crop", epoch)
        return generator.integers(-self.crop, self.crop + 1, (self._examples, 2))
