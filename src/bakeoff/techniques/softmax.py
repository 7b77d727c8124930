"""Softmax regression: one affine layer, gradients by hand.

Source: Cox 1958, "The regression analysis of binary sequences", for more than two classes;
Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, model_validator

from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.examples import Modality
from bakeoff.core.protocols import Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Framework, Settings
from bakeoff.core.streams import Streams
from bakeoff.scratch.inside import NetworkInside
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import Loss
from bakeoff.techniques.frameworks import Computing
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
from bakeoff.techniques.teachers import teaching_of
from bakeoff.training.settings import TaughtSettings


class SoftmaxTraining(TaughtSettings, LinearTraining):
    """How softmax regression trains.

    The defaults were chosen on validation examples of digits (96 %) and CIFAR-10 (41 %).
    """

    epochs: Annotated[int, Field(ge=1)] | None = 30
    batch_size: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 0.02
    l2: Annotated[float, Field(ge=0)] = 0.02
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "cosine"


class SoftmaxSettings(LinearSettings):
    """Of softmax regression."""

    framework: Framework = "numpy"
    """What computes; weights, batches and formulas are the same in each. Of patch features and
    L-BFGS there is one in NumPy alone."""
    training: SoftmaxTraining = SoftmaxTraining()

    @model_validator(mode="after")
    def _others_have_the_loop_alone(self) -> "SoftmaxSettings":
        if self.framework != "numpy" and self.solves:
            raise ValueError(
                f"framework {self.framework} received with patch features or solver lbfgs, which "
                "are there in numpy alone"
            )
        return self


class Softmax:
    """Softmax regression on pixels or patch features, in NumPy unless asked for elsewhere."""

    name: ClassVar[str] = "softmax"
    version: ClassVar[int] = 2
    settings: ClassVar[type[Settings]] = SoftmaxSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image"})
    framework: ClassVar[Framework] = "numpy"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = "softmax regression on pixels (NumPy, torch, Keras) or patches (NumPy)"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> LinearPredictor:
        """Train from zero weights, in a loop or a solve; a teacher speaks in a phase before."""
        settings = cast(SoftmaxSettings, cell.recipe.settings)
        teaching = teaching_of(settings.training.teacher, cell, data, inputs, run)
        outputs = len(data.task.classes)
        computing = Computing.of(cell.recipe)
        return fit_linear(self.name, settings, data, run, outputs, computing, teaching)

    def load(self, folder: Path, device: DeviceName = "auto") -> LinearPredictor:
        """A saved predictor, back."""
        return load_linear(folder, self.name, device)

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> LinearPredictor:
        """Zero weights."""
        return untrained_linear(self.name, cast(SoftmaxSettings, settings), shape, classes, classes)

    def opens(self, settings: Settings) -> bool:
        """Those on pixels: patch features are another network's."""
        return cast(SoftmaxSettings, settings).on_pixels

    def beginning(
        self, settings: Settings, data: TrainingData, streams: Streams
    ) -> LinearPredictor:
        """Zero weights."""
        return new_linear(self.name, data, len(data.task.classes))

    def opened(self, settings: Settings, predictor: Predictor, *, fresh: bool) -> NetworkInside:
        """Its network."""
        return open_linear(predictor, fresh=fresh)

    def check(self, settings: Settings, offer: Offer) -> None:
        """Refuse shifts beyond the images.

        Raises:
            InputError: naming the setting.
        """
        cast(SoftmaxSettings, settings).augmentation.check(offer.shape)

    def differentiable(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> tuple[Layer, Loss]:
        """The network in float64 and its loss, for checks of gradients."""
        training = cast(SoftmaxSettings, settings).training
        return differentiable_linear(shape, classes, training.label_smoothing)
