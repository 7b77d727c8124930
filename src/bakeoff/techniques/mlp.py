"""The multilayer perceptron: affine layers and activations, gradients by hand.

Source: Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors",
with the ReLU of Nair and Hinton 2010 and the initial weights of He et al. 2015.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field

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
from bakeoff.techniques.networks import NetworkTraining, open_network
from bakeoff.techniques.perceptrons import (
    PerceptronModel,
    PerceptronPredictor,
    differentiable_perceptron,
    fit_perceptron,
    load_perceptron,
    new_perceptron,
    untrained_perceptron,
)
from bakeoff.techniques.teachers import teaching_of
from bakeoff.training.settings import TaughtSettings, check_parts


class MlpTraining(TaughtSettings, NetworkTraining):
    """How the perceptron trains.

    The defaults were chosen on validation examples of CIFAR-10 (58 %), Fashion-MNIST and digits.
    """

    epochs: Annotated[int, Field(ge=1)] | None = 25
    learning_rate: Annotated[float, Field(gt=0)] = 0.03
    l2: Annotated[float, Field(ge=0)] = 0.005
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "cosine"


class MlpSettings(Settings):
    """Of the multilayer perceptron."""

    framework: Framework = "numpy"
    """What computes; weights, batches and formulas are the same in each."""
    model: PerceptronModel = PerceptronModel()
    training: MlpTraining = MlpTraining()


class Mlp:
    """A multilayer perceptron on pixels, in NumPy unless asked for elsewhere."""

    name: ClassVar[str] = "mlp"
    version: ClassVar[int] = 1
    settings: ClassVar[type[Settings]] = MlpSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image"})
    framework: ClassVar[Framework] = "numpy"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = "multilayer perceptron on pixels (NumPy, torch or Keras)"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> PerceptronPredictor:
        """Train in one phase, `train`; where there is a teacher, it speaks in one before."""
        settings = cast(MlpSettings, cell.recipe.settings)
        training, computing = settings.training, Computing.of(cell.recipe)
        teaching = teaching_of(training.teacher, cell, data, inputs, run)
        return fit_perceptron(
            self.name, settings.model, data, run, training, training.loss, computing, teaching
        )

    def load(self, folder: Path, device: DeviceName = "auto") -> PerceptronPredictor:
        """A saved predictor, back."""
        return load_perceptron(folder, self.name, device)

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> PerceptronPredictor:
        """Zero weights."""
        model = cast(MlpSettings, settings).model
        return untrained_perceptron(self.name, model, shape, classes)

    def opens(self, settings: Settings) -> bool:
        """All."""
        return True

    def beginning(
        self, settings: Settings, data: TrainingData, streams: Streams
    ) -> PerceptronPredictor:
        """Drawn weights."""
        return new_perceptron(self.name, cast(MlpSettings, settings).model, data, streams)

    def opened(self, settings: Settings, predictor: Predictor, *, fresh: bool) -> NetworkInside:
        """Its network."""
        return open_network(predictor, cast(MlpSettings, settings).training.loss, fresh=fresh)

    def check(self, settings: Settings, offer: Offer) -> None:
        """Refuse batch norm in parts of batches.

        Raises:
            InputError: naming the setting.
        """
        training = cast(MlpSettings, settings).training
        network = self.untrained(settings, offer.shape, 2).network
        check_parts(training.parts, network.splittable)

    def differentiable(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> tuple[Layer, Loss]:
        """The network in float64 and its loss, for checks of gradients."""
        chosen = cast(MlpSettings, settings)
        return differentiable_perceptron(chosen.model, shape, classes, chosen.training)
