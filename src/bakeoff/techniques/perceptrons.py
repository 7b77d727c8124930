"""Multilayer perceptrons on pixels: the network, fitting it, reading it back."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from bakeoff.core.frozen import Frozen, plain
from bakeoff.core.initial import Scheme
from bakeoff.core.protocols import Normaliser, Run, TrainingData
from bakeoff.core.recipe import DeviceName
from bakeoff.core.streams import Streams
from bakeoff.core.teaching import Teaching
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import Loss, LossName, loss_of
from bakeoff.scratch.network import ActivationName, NormName, perceptron
from bakeoff.techniques.frameworks import Computing
from bakeoff.techniques.networks import (
    NUMPY,
    NetworkPredictor,
    NetworkTraining,
    initial_schemes,
    load_network,
    new_network,
    train,
    untrained_network,
)
from bakeoff.training.settings import TrainingSettings

Units = Annotated[int, Field(ge=1)]


class PerceptronModel(Frozen):
    """The network: affine, normalisation, activation and dropout, as often as there are units."""

    hidden: Annotated[tuple[Units, ...], Field(min_length=1)] = (512,)
    """Units of each hidden layer, first to last."""
    activation: ActivationName = "relu"
    """Of each hidden layer."""
    normalisation: NormName = "none"
    """Of each hidden layer, before its activation; `batch` looks at whole batches."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of each hidden layer's outputs that is left out while learning."""
    initialisation: Scheme = "he"
    """Of the weights; with `he`, those of the output layer by `lecun`. `zero` shows why not."""


class PerceptronPredictor(NetworkPredictor):
    """A perceptron with what it needs to read images and to name classes.

    Args:
        technique: The name it is saved under.
        model: The network.
        normaliser: Fitted on the training examples.
        shape: (H, W, C) of one image.
        classes: The K class names.
    """

    def __init__(
        self,
        technique: str,
        model: PerceptronModel,
        normaliser: Normaliser,
        shape: tuple[int, ...],
        classes: tuple[str, ...],
    ) -> None:
        self.hidden = model.hidden
        network = perceptron(
            shape,
            model.hidden,
            len(classes),
            activation=model.activation,
            normalisation=model.normalisation,
            dropout=model.dropout,
        )
        super().__init__(technique, network, shape, normaliser, classes, plain(model))


def load_perceptron(folder: Path, technique: str, device: DeviceName) -> PerceptronPredictor:
    """A saved predictor, back; it gives the same bits.

    Raises:
        InputError: where there is none of that technique.
    """
    return load_network(folder, technique, partial(_build, technique), device)


def untrained_perceptron(
    technique: str, model: PerceptronModel, shape: tuple[int, ...], classes: int
) -> PerceptronPredictor:
    """A predictor with zero weights, for its sizes."""
    return untrained_network(plain(model), shape, classes, partial(_build, technique))


def new_perceptron(
    technique: str, model: PerceptronModel, data: TrainingData, streams: Streams
) -> PerceptronPredictor:
    """A predictor with drawn weights for these data.

    Raises:
        InputError: where the data are not images.
    """
    schemes, build = initial_schemes(model.initialisation), partial(_build, technique)
    return new_network(technique, plain(model), data, streams, build, schemes)


def fit_perceptron(
    technique: str,
    model: PerceptronModel,
    data: TrainingData,
    run: Run,
    training: TrainingSettings,
    loss: LossName = "cross-entropy",
    computing: Computing = NUMPY,
    teaching: Teaching | None = None,
) -> PerceptronPredictor:
    """Train a perceptron in one phase, `train`.

    Args:
        technique: The name it is saved under.
        model: The network.
        data: Images.
        run: What is worked through.
        training: How.
        loss: What is minimised.
        computing: What computes.
        teaching: What a teacher says of the training examples; None: there is none.

    Raises:
        InputError: where the data are not images.
    """
    predictor = new_perceptron(technique, model, data, run.streams)
    train(predictor, data, run, training, loss, computing=computing, teaching=teaching)
    return predictor


def differentiable_perceptron(
    model: PerceptronModel, shape: tuple[int, ...], classes: int, training: NetworkTraining
) -> tuple[Layer, Loss]:
    """The network in float64 and its loss, for checks of gradients."""
    network = perceptron(
        shape,
        model.hidden,
        classes,
        np.float64,
        activation=model.activation,
        normalisation=model.normalisation,
        dropout=model.dropout,
    )
    return network, loss_of(training.loss, training.label_smoothing)


def _build(
    technique: str,
    model: Mapping[str, Any],
    normaliser: Normaliser,
    shape: tuple[int, ...],
    classes: tuple[str, ...],
) -> PerceptronPredictor:
    settings = PerceptronModel.parse(model, "model")
    return PerceptronPredictor(technique, settings, normaliser, shape, classes)
