"""Classifiers on vectors, made of our own layers: softmax regression, or a perceptron."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Batch, Run, TrainingData
from bakeoff.core.teaching import Teaching
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.scratch.losses import SoftmaxCrossEntropy
from bakeoff.scratch.network import Sequence, saved
from bakeoff.scratch.step import Evaluator, Inputs, NumpyStep
from bakeoff.techniques.frameworks.numpy import optimiser_of
from bakeoff.techniques.linear import LinearTraining, minimise
from bakeoff.training.plan import plan

Vectors = NDArray[np.float32]
EVALUATION_BATCH = 1024
LEAST = 1e-4
"""A standard deviation counts as at least this share of the greatest: a number that hardly varies
while training is not blown up."""


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
