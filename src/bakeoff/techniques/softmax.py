"""Softmax regression: one affine layer, gradients by hand.

Source: Cox 1958, "The regression analysis of binary sequences", for more than two classes;
Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field

from bakeoff.core.cell import Cell
from bakeoff.core.examples import Modality
from bakeoff.core.protocols import Predictor, Run, TrainingData
from bakeoff.core.recipe import Settings
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import Loss
from bakeoff.techniques.linear import (
    LinearPredictor,
    LinearSettings,
    LinearTraining,
    differentiable_linear,
    fit_linear,
    load_linear,
    untrained_linear,
)


class SoftmaxTraining(LinearTraining):
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

    training: SoftmaxTraining = SoftmaxTraining()


class Softmax:
    """Softmax regression on pixels or patch features, in NumPy."""

    name: ClassVar[str] = "softmax"
    version: ClassVar[int] = 2
    settings: ClassVar[type[Settings]] = SoftmaxSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image"})
    framework: ClassVar[Literal["numpy", "torch"]] = "numpy"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = "softmax regression on pixels or patch features (NumPy)"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> LinearPredictor:
        """Train from zero weights, in a loop or a solve."""
        settings = cast(SoftmaxSettings, cell.recipe.settings)
        return fit_linear(self.name, settings, data, run, len(data.task.classes))

    def load(self, folder: Path) -> LinearPredictor:
        """A saved predictor, back."""
        return load_linear(folder, self.name)

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> LinearPredictor:
        """Zero weights."""
        return untrained_linear(self.name, cast(SoftmaxSettings, settings), shape, classes, classes)

    def differentiable(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> tuple[Layer, Loss]:
        """The network in float64 and its loss, for checks of gradients."""
        return differentiable_linear(shape, classes)
