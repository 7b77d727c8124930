"""What every framework promises to a network, and what it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.protocols import Step
from bakeoff.core.recipe import DeviceName, Framework, Numerics, Recipe
from bakeoff.core.streams import Streams
from bakeoff.core.teaching import Teaching
from bakeoff.scratch.augmentation import Augmentation
from bakeoff.scratch.losses import LossName
from bakeoff.techniques import framework_of
from bakeoff.training.settings import TrainingSettings

FLOAT32 = Numerics(precision="float32")


@dataclass(frozen=True)
class Computing:
    """What a network is computed with: a framework, and torch's device and precision."""

    framework: Framework = "numpy"
    numerics: Numerics = FLOAT32

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """What a resolved recipe asks for."""
        return cls(framework_of(recipe), recipe.numerics)

    def state(self) -> dict[str, Any]:
        """What a saved predictor needs of it, JSON-ready: a device is given to it anew."""
        precision = self.numerics.precision if self.framework == "torch" else "float32"
        return {"framework": self.framework, "precision": precision}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], device: DeviceName = "auto") -> Self:
        """Back from what `state` gave, on a device.

        Raises:
            InputError: for a precision there is none of.
        """
        numerics = {"device": device, "precision": state.get("precision", "float32")}
        return cls(state.get("framework", "numpy"), Numerics.parse(numerics))


@dataclass(frozen=True)
class Extras:
    """What a step may have besides `TrainingSettings`.

    Attributes:
        loss: Of the logits.
        augmentation: Changes training images; None leaves them as they are.
        teaching: What a teacher says of the training examples; None: there is none.
    """

    loss: LossName = "cross-entropy"
    augmentation: Augmentation | None = None
    teaching: Teaching | None = None


NONE = Extras()


class Engine(Protocol):
    """A network at work in one framework, on images of one shape."""

    def step(self, training: TrainingSettings, streams: Streams, extras: Extras = NONE) -> Step:
        """What the loop calls; it starts from the scratch network's weights."""
        ...

    def keep(self) -> None:
        """Copy what the step has learnt into the scratch network."""
        ...

    def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, ...) float32, the outputs of (N, H, W, C) uint8 in the scratch network's layout."""
        ...

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) float32 class probabilities of (N, H, W, C) uint8, however they are batched."""
        ...
