"""The scratch network itself."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.protocols import Normaliser, Step
from bakeoff.core.streams import Streams
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import loss_of
from bakeoff.scratch.optimisers import Limits, Name, Optimiser, optimiser
from bakeoff.scratch.step import Evaluator, Inputs, NumpyStep, Pixels
from bakeoff.techniques.frameworks.base import NONE, Extras
from bakeoff.training.settings import TrainingSettings


def optimiser_of(network: Layer, training: TrainingSettings) -> Optimiser:
    """The optimiser that the settings ask for, which `training.check_framework` has let pass."""
    limits = Limits(training.l1, training.max_norm, training.clip)
    name = cast(Name, training.optimizer)
    return optimiser(name, network, training.l2, training.momentum, limits)


class NumpyEngine:
    """A scratch network at work on images.

    Args:
        network: Images (B, H, W, C) to what it gives.
        normaliser: Of the pixels; None: the network is given 0..255.
        shape: (H, W, C) of one image.
    """

    def __init__(
        self, network: Layer, normaliser: Normaliser | None, shape: tuple[int, ...]
    ) -> None:
        self._network = network
        self._pixels = Inputs(shape) if normaliser is None else Pixels(normaliser, shape)

    def step(self, training: TrainingSettings, streams: Streams, extras: Extras = NONE) -> Step:
        """The loop's step."""
        chosen = optimiser_of(self._network, training)
        loss = loss_of(extras.loss, training.label_smoothing)
        return NumpyStep(
            self._network, chosen, self._pixels, loss, extras.augmentation, extras.teaching
        )

    def keep(self) -> None:
        """Nothing to do: it is the network that learns."""

    def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, ...) float32, the network's outputs of (N, H, W, C) uint8."""
        return Evaluator(self._network, self._pixels).outputs(images)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) float32 class probabilities of (N, H, W, C) uint8."""
        return Evaluator(self._network, self._pixels).probabilities(images)
