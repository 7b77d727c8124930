"""Binary logistic regression: one logit for two classes, gradients by hand.

The probability of the second class is the sigmoid of the logit. With w the weights and b the bias,
`1/N sum log(1 + e^z) - z y + l2 / 2 |w|^2` is minimised, z = w x + b: the bias has no penalty.
Source: Cox 1958, "The regression analysis of binary sequences".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field

from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Modality
from bakeoff.core.protocols import Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Framework, Settings
from bakeoff.core.streams import Streams
from bakeoff.scratch.inside import NetworkInside
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import Loss
from bakeoff.techniques.linear import (
    LinearPredictor,
    LinearSettings,
    LinearTraining,
    differentiable_linear,
    fit_linear,
    load_linear,
    new_linear,
    open_linear,
    untrained_linear,
)


class LogisticTraining(LinearTraining):
    """How logistic regression trains.

    The defaults were chosen on validation examples of pairs of classes of CIFAR-10.
    """

    epochs: Annotated[int, Field(ge=1)] | None = 20
    batch_size: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 0.005
    l2: Annotated[float, Field(ge=0)] = 0.03
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "cosine"


class LogisticSettings(LinearSettings):
    """Of logistic regression."""

    training: LogisticTraining = LogisticTraining()


class Logistic:
    """Binary logistic regression on pixels or patch features, in NumPy."""

    name: ClassVar[str] = "logistic"
    version: ClassVar[int] = 1
    settings: ClassVar[type[Settings]] = LogisticSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image"})
    framework: ClassVar[Framework] = "numpy"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = "logistic regression, two classes, on pixels or patches (NumPy)"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> LinearPredictor:
        """Train from zero weights, in a loop or a solve.

        Raises:
            InputError: where there are not two classes.
        """
        _check(len(data.task.classes))
        settings = cast(LogisticSettings, cell.recipe.settings)
        return fit_linear(self.name, settings, data, run, outputs=1)

    def load(self, folder: Path, device: DeviceName = "auto") -> LinearPredictor:
        """A saved predictor, back."""
        return load_linear(folder, self.name, device)

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> LinearPredictor:
        """Zero weights.

        Raises:
            InputError: where there are not two classes.
        """
        _check(classes)
        return untrained_linear(self.name, cast(LogisticSettings, settings), shape, 2, outputs=1)

    def opens(self, settings: Settings) -> bool:
        """Those on pixels: patch features are another network's."""
        return cast(LogisticSettings, settings).on_pixels

    def beginning(
        self, settings: Settings, data: TrainingData, streams: Streams
    ) -> LinearPredictor:
        """Zero weights."""
        return new_linear(self.name, data, 1)

    def opened(self, settings: Settings, predictor: Predictor, *, fresh: bool) -> NetworkInside:
        """Its network."""
        return open_linear(predictor, fresh=fresh)

    def check(self, settings: Settings, offer: Offer) -> None:
        """Refuse shifts beyond the images.

        Raises:
            InputError: naming the setting.
        """
        cast(LogisticSettings, settings).augmentation.check(offer.shape)

    def differentiable(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> tuple[Layer, Loss]:
        """The network in float64 and its loss, for checks of gradients: one logit."""
        training = cast(LogisticSettings, settings).training
        return differentiable_linear(shape, 1, training.label_smoothing)


def _check(classes: int) -> None:
    if classes != 2:
        raise InputError(
            f"logistic: tells two classes apart, {classes} received; name two in data.classes, or "
            "use the technique softmax"
        )
