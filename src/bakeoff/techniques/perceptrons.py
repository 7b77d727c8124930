"""What softmax regression and the multilayer perceptron share: fitting, predicting, saving."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items
from bakeoff.core.initial import Scheme
from bakeoff.core.protocols import Batch, LayerProfile, Normaliser, Run, TrainingData
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.scratch.network import initialise, perceptron, saved, softmax_regression
from bakeoff.scratch.optimisers import optimiser
from bakeoff.scratch.step import Evaluator, Inputs, NumpyStep, Pixels
from bakeoff.techniques.saved import images, read_predictor, write_predictor
from bakeoff.training.plan import plan
from bakeoff.training.settings import TrainingSettings

EVALUATION_BATCH = 1024


class PerceptronPredictor:
    """A NumPy perceptron with what it needs to read images and to name classes.

    Args:
        technique: The name it is saved under.
        hidden: Units of each hidden layer; none for softmax regression.
        normaliser: Fitted on the training examples.
        shape: (H, W, C) of one image.
        classes: The K class names.
    """

    def __init__(
        self,
        technique: str,
        hidden: Sequence[int],
        normaliser: Normaliser,
        shape: Sequence[int],
        classes: Sequence[str],
    ) -> None:
        self.technique, self.hidden = technique, tuple(hidden)
        self.shape, self.classes = tuple(shape), tuple(classes)
        self.normaliser = normaliser
        self.pixels: Inputs
        if self.hidden:
            self.network = perceptron(self.shape, self.hidden, len(self.classes))
            self.pixels = Pixels(normaliser, self.shape)
        else:
            self.network = softmax_regression(normaliser, self.shape, len(self.classes))
            self.pixels = Inputs(self.shape)

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of (N, H, W, C) uint8.

        Raises:
            InputError: where the items are not images of that shape.
        """
        evaluator = Evaluator(self.network, self.pixels)
        return evaluator.probabilities(images(items, self.shape, self.technique))

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32: the last hidden layer's outputs, or normalised pixels without any.

        Raises:
            InputError: where the items are not images of the right shape.
        """
        pixels = images(items, self.shape, self.technique)
        if not self.hidden:
            return self.normaliser(pixels).reshape(len(pixels), -1)
        return Evaluator(self.network.until("output"), self.pixels).outputs(pixels)

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row for each layer."""
        return self.network.profile("", self.shape)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        arrays = {f"network.{path}": values for path, values in saved(self.network).items()}
        arrays |= {"normaliser.mean": self.normaliser.mean, "normaliser.sd": self.normaliser.sd}
        state = {
            "technique": self.technique,
            "hidden": list(self.hidden),
            "shape": list(self.shape),
            "classes": list(self.classes),
        }
        write_predictor(folder, arrays, state)


def load_perceptron(folder: Path, technique: str) -> PerceptronPredictor:
    """A saved predictor, back; it gives the same bits.

    Raises:
        InputError: where there is none of that technique.
    """
    arrays, state = read_predictor(folder, technique)
    try:
        normaliser = Normaliser(arrays["normaliser.mean"], arrays["normaliser.sd"])
        predictor = PerceptronPredictor(
            technique, state["hidden"], normaliser, state["shape"], state["classes"]
        )
        for path, values in saved(predictor.network).items():
            np.copyto(values, arrays[f"network.{path}"], casting="no")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: not a saved {technique}: {error}") from None
    return predictor


def untrained_perceptron(
    technique: str, hidden: Sequence[int], shape: tuple[int, ...], classes: int
) -> PerceptronPredictor:
    """A predictor with zero weights, for its sizes."""
    normaliser = Normaliser(np.zeros(shape[-1:], np.float32), np.ones(shape[-1:], np.float32))
    names = [str(i) for i in range(classes)]
    return PerceptronPredictor(technique, hidden, normaliser, shape, names)


def fit_perceptron(
    technique: str, hidden: Sequence[int], data: TrainingData, run: Run, training: TrainingSettings
) -> PerceptronPredictor:
    """Train a perceptron in one phase, `train`.

    Args:
        technique: The name it is saved under.
        hidden: Units of each hidden layer. Without any, weights start at zero, since there is one
            minimum. With, they are drawn as by He et al. 2015, the output layer's as by LeCun et
            al. 1998.
        data: Images.
        run: What is worked through.
        training: How.

    Raises:
        InputError: where the data are not images.
    """
    if data.normaliser is None or not isinstance(data.train.items, np.ndarray):
        raise InputError(f"{technique}: images needed, {data.modality} received")
    shape = data.train.items.shape[1:]
    predictor = PerceptronPredictor(technique, hidden, data.normaliser, shape, data.task.classes)
    network = predictor.network
    output: Scheme = "lecun" if hidden else "zero"
    initialise(network, run.streams, {"output": output})
    step = NumpyStep(
        network,
        optimiser(training.optimizer, network, training.l2, training.momentum),
        predictor.pixels,
    )
    batches = TrainingBatches(data.train, training.batch_size, run.streams, training.sampling)

    def validation() -> Iterator[Batch]:
        return iter(evaluation_batches(data.validation, EVALUATION_BATCH))

    run.loop("train", step, batches, plan(training, batches, data.task, validation))
    return predictor
