"""What techniques on NumPy networks share: fitting, predicting, saving."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items
from bakeoff.core.initial import Scheme
from bakeoff.core.protocols import Batch, LayerProfile, Normaliser, Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName
from bakeoff.core.streams import Streams
from bakeoff.core.teaching import Teaching
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.scratch.augmentation import Augmentation
from bakeoff.scratch.inside import NetworkInside
from bakeoff.scratch.losses import LOSSES, LossName
from bakeoff.scratch.network import Sequence, initialise, saved
from bakeoff.scratch.step import Pixels
from bakeoff.techniques.frameworks import Computing, Engine, Extras, engine
from bakeoff.techniques.saved import images, read_predictor, write_predictor
from bakeoff.training.plan import plan
from bakeoff.training.settings import TrainingSettings

EVALUATION_BATCH = 1024
NUMPY = Computing()


class NetworkTraining(TrainingSettings):
    """How a network made of our own layers trains."""

    loss: LossName = "cross-entropy"
    """`hinge`: Weston and Watkins' for several classes; probabilities are the scores' softmax."""

    @model_validator(mode="after")
    def _smoothing_of_cross_entropy_alone(self) -> "NetworkTraining":
        if self.label_smoothing and self.loss != "cross-entropy":
            raise ValueError(
                f"label_smoothing {self.label_smoothing} received with loss {self.loss} "
                "(allowed: 0, or loss cross-entropy)"
            )
        return self


class NetworkPredictor:
    """A network with what it needs to read images and to name classes.

    Its weights are those of the scratch network, whatever framework computes with them.

    Args:
        technique: The name it is saved under.
        network: Images (B, H, W, C) to logits (B, K); the last child is `output`.
        shape: (H, W, C) of one image.
        normaliser: Fitted on the training examples.
        classes: The K class names.
        model: All the network is built from besides shape and classes, JSON-ready.
    """

    def __init__(
        self,
        technique: str,
        network: Sequence,
        shape: tuple[int, ...],
        normaliser: Normaliser,
        classes: tuple[str, ...],
        model: Mapping[str, Any],
    ) -> None:
        self.technique, self.network, self.shape = technique, network, shape
        self.normaliser, self.classes, self.model = normaliser, classes, model
        self.computing = NUMPY

    @cached_property
    def engine(self) -> Engine:
        """The network at work; made when it is first asked for, with the weights of that moment."""
        return self._engine(self.network)

    def _engine(self, network: Sequence) -> Engine:
        return engine(network, self.computing, self.normaliser, self.shape)

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of (N, H, W, C) uint8.

        Raises:
            InputError: where the items are not images of that shape.
        """
        return self.engine.probabilities(images(items, self.shape, self.technique))

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32: what the output layer sees of each image.

        Raises:
            InputError: where the items are not images of the right shape.
        """
        pixels = images(items, self.shape, self.technique)
        return self._engine(self.network.until("output")).outputs(pixels)

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row for each layer."""
        return self.network.profile("", self.shape)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        arrays = {f"network.{path}": values for path, values in saved(self.network).items()}
        arrays |= {"normaliser.mean": self.normaliser.mean, "normaliser.sd": self.normaliser.sd}
        state = {
            "technique": self.technique,
            "model": dict(self.model),
            "shape": list(self.shape),
            "classes": list(self.classes),
            **self.computing.state(),
        }
        write_predictor(folder, arrays, state)


P = TypeVar("P", bound=NetworkPredictor)
Build = Callable[[Mapping[str, Any], Normaliser, tuple[int, ...], tuple[str, ...]], P]
"""A predictor of zero weights from (model, normaliser, shape, classes)."""


def load_network(folder: Path, technique: str, build: Build[P], device: DeviceName) -> P:
    """A saved predictor, back; it gives the same bits.

    Raises:
        InputError: where there is none of that technique.
    """
    arrays, state = read_predictor(folder, technique)
    try:
        normaliser = Normaliser(arrays["normaliser.mean"], arrays["normaliser.sd"])
        shape, classes = tuple(state["shape"]), tuple(state["classes"])
        predictor = build(state["model"], normaliser, shape, classes)
        predictor.computing = Computing.from_state(state, device)
        for path, values in saved(predictor.network).items():
            np.copyto(values, arrays[f"network.{path}"], casting="no")
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: not a saved {technique}: {error}") from None
    return predictor


def untrained_network(
    model: Mapping[str, Any], shape: tuple[int, ...], classes: int, build: Build[P]
) -> P:
    """A predictor of zero weights, for its sizes."""
    normaliser = Normaliser(np.zeros(shape[-1:], np.float32), np.ones(shape[-1:], np.float32))
    return build(model, normaliser, shape, tuple(str(i) for i in range(classes)))


def new_network(
    technique: str,
    model: Mapping[str, Any],
    data: TrainingData,
    streams: Streams,
    build: Build[P],
    schemes: Mapping[str, Scheme],
) -> P:
    """A predictor with drawn weights for these data.

    Args:
        technique: Named in messages.
        model: What `build` builds from.
        data: Images.
        streams: Draw them.
        build: The predictor.
        schemes: How weights are drawn, as `scratch.network.initialise` has it.

    Raises:
        InputError: where the data are not images.
    """
    if data.normaliser is None or not isinstance(data.train.items, np.ndarray):
        raise InputError(f"{technique}: images needed, {data.modality} received")
    shape = data.train.items.shape[1:]
    predictor = build(model, data.normaliser, shape, tuple(data.task.classes))
    initialise(predictor.network, streams, schemes)
    return predictor


def open_network(predictor: Predictor, loss: LossName, *, fresh: bool) -> NetworkInside:
    """A network predictor to look into, in NumPy, whatever framework it learnt in."""
    own = cast(NetworkPredictor, predictor)
    reader = Pixels(own.normaliser, own.shape)
    return NetworkInside(own.network, reader, LOSSES[loss](), fresh=fresh)


def initial_schemes(chosen: Scheme) -> dict[str, Scheme]:
    """How weights are drawn: as chosen, but the output layer's by `lecun` where that is `he`.

    Behind the output layer there is no ReLU whose halving `he` makes up for.
    """
    return {"": chosen, "output": "lecun" if chosen == "he" else chosen}


def train(
    predictor: NetworkPredictor,
    data: TrainingData,
    run: Run,
    training: TrainingSettings,
    loss: LossName = "cross-entropy",
    augmentation: Augmentation | None = None,
    computing: Computing = NUMPY,
    teaching: Teaching | None = None,
) -> None:
    """Train a predictor's network in one phase, `train`; `computing` predicts from then on, too."""
    predictor.computing = computing
    step = predictor.engine.step(training, run.streams, Extras(loss, augmentation, teaching))
    batches = TrainingBatches(data.train, training.batch_size, run.streams, training.sampling)

    def validation() -> Iterator[Batch]:
        return iter(evaluation_batches(data.validation, EVALUATION_BATCH))

    run.loop("train", step, batches, plan(training, batches, data.task, validation))
    predictor.engine.keep()
