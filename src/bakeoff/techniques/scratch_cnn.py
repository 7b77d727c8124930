"""A convolutional network in NumPy: every gradient by hand, torch never loaded.

Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition"; blocks of
small convolutions as in Simonyan and Zisserman 2015, "Very deep convolutional networks for
large-scale image recognition".
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Field, model_validator

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.examples import Modality
from bakeoff.core.frozen import Frozen, plain
from bakeoff.core.initial import Scheme
from bakeoff.core.optimisers import OptimizerName
from bakeoff.core.protocols import Normaliser, Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Framework, Settings
from bakeoff.core.streams import Streams
from bakeoff.scratch.augmentation import Augmentation
from bakeoff.scratch.convolutional import Block, PoolName, convolutional
from bakeoff.scratch.inside import NetworkInside
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import Loss, loss_of
from bakeoff.scratch.network import ActivationName, NormName, Sequence
from bakeoff.techniques.frameworks import Computing
from bakeoff.techniques.networks import (
    NetworkPredictor,
    NetworkTraining,
    initial_schemes,
    load_network,
    new_network,
    open_network,
    train,
    untrained_network,
)
from bakeoff.techniques.teachers import teaching_of
from bakeoff.training.settings import TaughtSettings, check_parts

Units = Annotated[int, Field(ge=1)]


class ScratchCnnModel(Frozen):
    """Blocks of convolutions, a 2 x 2 pooling behind the first of each, then affine layers."""

    channels: Annotated[tuple[Units, ...], Field(min_length=1)] = (24, 48, 96)
    """Of each block, first to last."""
    convolutions: Annotated[int, Field(ge=1, le=16)] = 1
    """In a block."""
    kernel: Annotated[int, Field(ge=1, le=15)] = 3
    """Sides of a convolution's window; odd, so that images keep their size."""
    pooling: PoolName = "max"
    """What becomes of each 2 x 2 window."""
    normalisation: NormName = "batch"
    """Behind each convolution, before its activation; `batch` looks at whole batches."""
    residual: bool = False
    """A shortcut around all but the first convolution of each block."""
    hidden: tuple[Units, ...] = ()
    """Units of each hidden affine layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the inputs of each affine layer that is left out while learning."""
    activation: ActivationName = "relu"
    """Of each hidden layer."""
    initialisation: Scheme = "he"
    """Of the weights; with `he`, those of the output layer by `lecun`. `zero` shows why not."""

    @model_validator(mode="after")
    def _buildable(self) -> "ScratchCnnModel":
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: {self.kernel} received (allowed: odd numbers)")
        if self.residual and self.convolutions == 1:
            raise ValueError("residual: a block of one convolution has nothing to go around")
        return self

    def network(self, shape: tuple[int, ...], classes: int, dtype: str = "float32") -> Sequence:
        """The network for images of this shape (H, W, C).

        Raises:
            InputError: where images are too small to be halved by every block.
        """
        blocks = tuple(
            Block(
                channels,
                self.convolutions,
                self.kernel,
                self.pooling,
                self.normalisation,
                self.activation,
                self.residual,
            )
            for channels in self.channels
        )
        return convolutional(
            shape,
            blocks,
            self.hidden,
            classes,
            activation=self.activation,
            dropout=self.dropout,
            dtype=dtype,
        )


class ScratchCnnTraining(TaughtSettings, NetworkTraining):
    """How the network trains.

    Chosen on validation examples of CIFAR-10 and Fashion-MNIST, for a few minutes on two cores.
    """

    epochs: Annotated[int, Field(ge=1)] | None = 6
    optimizer: OptimizerName = "nesterov"
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    l2: Annotated[float, Field(ge=0)] = 5e-4
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "one-cycle"


class ScratchCnnSettings(Settings):
    """Of the convolutional network of our own layers."""

    framework: Framework = "numpy"
    """What computes; weights, batches and formulas are the same in each."""
    model: ScratchCnnModel = ScratchCnnModel()
    training: ScratchCnnTraining = ScratchCnnTraining()
    augmentation: AugmentationSettings = AugmentationSettings()


class ScratchCnn:
    """A convolutional network on images, in NumPy unless asked for elsewhere."""

    name: ClassVar[str] = "scratch-cnn"
    version: ClassVar[int] = 1
    settings: ClassVar[type[Settings]] = ScratchCnnSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image"})
    framework: ClassVar[Framework] = "numpy"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = "convolutional network by hand (NumPy), the same in torch or Keras"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> NetworkPredictor:
        """Train in one phase, `train`; where there is a teacher, it speaks in one before.

        Raises:
            InputError: where the data are not images, or settings do not fit their size.
        """
        settings = cast(ScratchCnnSettings, cell.recipe.settings)
        training = settings.training
        teaching = teaching_of(training.teacher, cell, data, inputs, run)
        predictor = self.beginning(settings, data, run.streams)
        shape = cast(tuple[int, int, int], predictor.shape)
        draws = Draws(settings.augmentation, shape, len(data.train), run.streams)
        augmentation = Augmentation(draws, predictor.normaliser.mean)
        computing = Computing.of(cell.recipe)
        train(predictor, data, run, training, training.loss, augmentation, computing, teaching)
        return predictor

    def load(self, folder: Path, device: DeviceName = "auto") -> NetworkPredictor:
        """A saved predictor, back.

        Raises:
            InputError: where there is none of this technique, or its files contradict each other.
        """
        return load_network(folder, self.name, partial(_build, self.name), device)

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> NetworkPredictor:
        """Zero weights."""
        model = cast(ScratchCnnSettings, settings).model
        return untrained_network(plain(model), shape, classes, partial(_build, self.name))

    def opens(self, settings: Settings) -> bool:
        """All."""
        return True

    def beginning(
        self, settings: Settings, data: TrainingData, streams: Streams
    ) -> NetworkPredictor:
        """Drawn weights.

        Raises:
            InputError: where the data are not images, or too small.
        """
        model = cast(ScratchCnnSettings, settings).model
        schemes, build = initial_schemes(model.initialisation), partial(_build, self.name)
        return new_network(self.name, plain(model), data, streams, build, schemes)

    def opened(self, settings: Settings, predictor: Predictor, *, fresh: bool) -> NetworkInside:
        """Its network."""
        loss = cast(ScratchCnnSettings, settings).training.loss
        return open_network(predictor, loss, fresh=fresh)

    def check(self, settings: Settings, offer: Offer) -> None:
        """Refuse shifts beyond the images, blending, and batch norm in parts of batches.

        Raises:
            InputError: naming the setting.
        """
        chosen = cast(ScratchCnnSettings, settings)
        chosen.augmentation.check(offer.shape)
        chosen.augmentation.check_unblended(self.name)
        network = self.untrained(settings, offer.shape, 2).network
        check_parts(chosen.training.parts, network.splittable)

    def differentiable(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> tuple[Layer, Loss]:
        """The network in float64 and its loss, for checks of gradients."""
        chosen = cast(ScratchCnnSettings, settings)
        training = chosen.training
        loss = loss_of(training.loss, training.label_smoothing)
        return chosen.model.network(shape, classes, "float64"), loss


def _build(
    technique: str,
    model: Mapping[str, Any],
    normaliser: Normaliser,
    shape: tuple[int, ...],
    classes: tuple[str, ...],
) -> NetworkPredictor:
    network = ScratchCnnModel.parse(model, "model").network(shape, len(classes))
    return NetworkPredictor(technique, network, shape, normaliser, classes, model)
