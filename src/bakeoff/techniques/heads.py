"""Classifiers on vectors, made of our own layers: softmax regression, or a perceptron."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.frozen import Frozen
from bakeoff.core.protocols import Batch, Run, TrainingData
from bakeoff.core.streams import Streams
from bakeoff.core.teaching import Teaching
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.scratch.losses import SoftmaxCrossEntropy
from bakeoff.scratch.network import (
    ActivationName,
    NormName,
    Sequence,
    initialise,
    perceptron,
    saved,
)
from bakeoff.scratch.step import Evaluator, Inputs, NumpyStep
from bakeoff.techniques.frameworks.numpy import optimiser_of
from bakeoff.techniques.linear import LinearTraining, minimise
from bakeoff.techniques.networks import initial_schemes
from bakeoff.training.plan import plan

Vectors = NDArray[np.float32]
Units = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0)]
EVALUATION_BATCH = 1024
LEAST = 1e-4
"""A standard deviation counts as at least this share of the greatest: a number that hardly varies
while training is not blown up."""


class SoftmaxClassifier(Frozen):
    """Softmax regression, from zero weights: there is one minimum."""

    name: Literal["softmax"] = "softmax"


class NetworkB(Frozen):
    """Layers added to the encoder, from drawn weights."""

    name: Literal["network-b"] = "network-b"
    hidden: Annotated[tuple[Units, ...], Field(min_length=1)] = (256,)
    """Units of each added hidden layer."""
    activation: ActivationName = "relu"
    """Of each added hidden layer."""
    normalisation: NormName = "none"
    """Of each added hidden layer, before its activation."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the outputs of each added hidden layer that is dropped in training."""
    fine_tune: Literal["none", "all"] | tuple[str, ...] = "none"
    """Which layers of the encoder learn on, by their names; what of it is batch norm in layers that
    do not learn stays as it is. Where the encoder is a fitted network-b, its added layers go on
    too."""
    encoder_rate: Share = 0.1
    """Of thawed layers: share of the learning rate, which is that of the added layers."""
    rates: dict[str, Share] = {}
    """The same for single layers of the encoder, by name."""

    @property
    def thawed(self) -> tuple[str, ...] | None:
        """The layers of the encoder that learn; None: all."""
        if isinstance(self.fine_tune, str):
            return None if self.fine_tune == "all" else ()
        return self.fine_tune

    @model_validator(mode="after")
    def _rates_of_what_learns(self) -> "NetworkB":
        if self.fine_tune == ():
            raise ValueError("fine_tune [] received (allowed: none, all, or names of layers)")
        if self.fine_tune == "none" and (self.rates or self.encoder_rate != 0.1):
            raise ValueError(
                "encoder_rate or rates received with fine_tune none: no layer of the encoder learns"
            )
        return self


VectorClassifier = SoftmaxClassifier | NetworkB
"""What reads one vector of an item."""


class Standardised(Inputs):
    """Vectors to mean 0 and standard deviation 1.

    Args:
        mean: (D,) float32.
        sd: (D,) float32, positive.
    """

    def __init__(self, mean: Vectors, sd: Vectors) -> None:
        super().__init__(mean.shape)
        self.mean, self.sd = mean, sd

    def write(self, items: NDArray[Any], out: NDArray[Any]) -> None:
        """Write (B, D) float32, standardised, into (B, D)."""
        np.subtract(items, self.mean, out=out)
        np.divide(out, self.sd, out=out)


def standardiser(vectors: Vectors) -> Standardised:
    """Fitted on training vectors (N, D)."""
    exact = vectors.astype(np.float64)
    sd = exact.std(axis=0)
    sd = np.maximum(sd, LEAST * sd.max()) if sd.any() else np.ones_like(sd)
    return Standardised(exact.mean(axis=0).astype(np.float32), sd.astype(np.float32))


class Head:
    """A network on vectors that gives logits.

    Args:
        network: (B, D) to (B, K); its last child is `output`.
        reader: Vectors to its inputs.
    """

    def __init__(self, network: Sequence, reader: Standardised) -> None:
        self.network, self.reader = network, reader

    @cached_property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self.network, self.reader)

    def probabilities(self, vectors: Vectors) -> Vectors:
        """(N, K) float32 of vectors (N, D), whatever the batches."""
        found: Vectors = self._evaluator.probabilities(vectors)
        return found

    def hidden(self, vectors: Vectors) -> Vectors:
        """(N, H) float32: what the output layer sees."""
        before = self.network.until("output")
        found: Vectors = Evaluator(before, self.reader).outputs(vectors)
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """To be saved."""
        own = {f"head.{path}": values for path, values in saved(self.network).items()}
        return own | {"vectors.mean": self.reader.mean, "vectors.sd": self.reader.sd}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the weights that `arrays` gave.

        Raises:
            KeyError, TypeError: where they are another network's.
        """
        for path, values in saved(self.network).items():
            np.copyto(values, arrays[f"head.{path}"], casting="no")


def build_head(
    classifier: VectorClassifier,
    reader: Standardised,
    classes: int,
    streams: Streams | None = None,
) -> Head:
    """A head with its initial weights; zeros without streams, and in softmax regression."""
    if isinstance(classifier, SoftmaxClassifier):
        return Head(perceptron(reader.shape, (), classes), reader)
    network = perceptron(
        reader.shape,
        classifier.hidden,
        classes,
        activation=classifier.activation,
        normalisation=classifier.normalisation,
        dropout=classifier.dropout,
    )
    if streams is not None:
        initialise(network, streams, initial_schemes("he"))
    return Head(network, reader)


def fit_head(
    head: Head,
    vectors: tuple[Vectors, Vectors],
    data: TrainingData,
    run: Run,
    training: LinearTraining,
    teaching: Teaching | None = None,
) -> None:
    """Train a head on vectors in one phase, `train` (a loop) or `solve`.

    Args:
        head: With its initial weights.
        vectors: Of the training examples, and of those that validate.
        data: With their labels.
        run: What is worked through.
        training: How.
        teaching: What a teacher says of the training examples, to the loop; None: there is none.
    """
    train, validation = (
        Examples(own, part.labels, part.ids)
        for own, part in zip(vectors, (data.train, data.validation), strict=True)
    )
    network, reader = head.network, head.reader
    if training.solver == "lbfgs":
        minimise((network, reader), SoftmaxCrossEntropy(), (data, train, validation), run, training)
        return
    loss = SoftmaxCrossEntropy(training.label_smoothing)
    step = NumpyStep(network, optimiser_of(network, training), reader, loss, None, teaching)
    batches = TrainingBatches(train, training.batch_size, run.streams, training.sampling)

    def validating() -> Iterator[Batch]:
        return iter(evaluation_batches(validation, EVALUATION_BATCH))

    watched = validating if len(validation) else None
    run.loop("train", step, batches, plan(training, batches, data.task, watched))


def check_same_layers(theirs: VectorClassifier, mine: NetworkB, recipe: str) -> None:
    """Whether the added layers of two recipes are the same, so that one can go on with the other's.

    Raises:
        InputError: where they are not.
    """
    names = ("name", "hidden", "activation", "normalisation", "dropout")
    told = [{name: getattr(own, name, None) for name in names} for own in (mine, theirs)]
    different = [name for name in names if told[0][name] != told[1][name]]
    if different:
        shown = ", ".join(f"{n} {told[0][n]} against {told[1][n]}" for n in different)
        raise InputError(
            f"classifier: {shown} in recipe '{recipe}', whose added layers are to go on learning "
            "(allowed: the same)"
        )
