"""One update and one evaluation of a Keras network on images: the loop's step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.protocols import Arrays, Batch, Position, State, Value, micro_batches
from bakeoff.training.keras.inference import Inference
from bakeoff.training.keras.library import graph, tf
from bakeoff.training.keras.optimisers import Optimiser
from bakeoff.training.keras.variables import copy_into, to_arrays
from bakeoff.training.settings import TrainingSettings

Loss = Callable[[Any, Any], Any]
"""Each example's loss (B,) from labels (B,) and logits (B, K)."""
Augmentation = Callable[[NDArray[np.uint8], NDArray[np.intp], int], NDArray[np.uint8]]
"""Changed images from images (B, H, W, C), their places in the training set, and the epoch."""


@dataclass(frozen=True)
class Learning:
    """What a pass that learns depends on besides weights and examples.

    Attributes:
        loss: Of labels and logits.
        augmentation: Changes training images; None leaves them as they are.
        on_pass: Told the position of every such pass, for layers that draw by it.
    """

    loss: Loss = tf.nn.sparse_softmax_cross_entropy_with_logits
    augmentation: Augmentation | None = None
    on_pass: Callable[[Position], None] = lambda at: None


class KerasStep:
    """The loop's step for a Keras network that classifies images; `model.fit` is never called.

    An update is one compiled graph, traced once for batches of any size.

    Args:
        inference: The network with its inputs.
        settings: Optimiser, momentum, L2.
        parameters: The `tf.Variable`s that are learnt, by path.
        averages: Those that passes change besides, by path.
        decayed: The axis of the units of those that penalties are on, by path.
        how: What else a pass that learns depends on.
    """

    splittable = True

    def __init__(
        self,
        inference: Inference,
        settings: TrainingSettings,
        parameters: Mapping[str, Any],
        averages: Mapping[str, Any],
        decayed: Mapping[str, int],
        how: Learning,
    ) -> None:
        self._inference, self._on_pass = inference, how.on_pass
        self._loss, self._augmentation = how.loss, how.augmentation
        self._parameters, self._averages = dict(parameters), dict(averages)
        self._optimiser = Optimiser(settings, parameters, decayed)
        number = tf.TensorSpec((), tf.float32)
        examples = [inference.images, tf.TensorSpec((None,), tf.int64), number]
        self._learn = graph(self._whole, [*examples, number, number, number])
        self._differentiate = graph(self._gradients, examples)
        self._apply = graph(self._optimiser.apply)

    def __call__(self, batch: Batch, at: Position) -> dict[str, Value]:
        """Update on a batch.

        Returns:
            `loss`: the sum over its examples of the loss (without penalties on weights),
            `correct` and `count`; the first two are 0-d arrays.
        """
        count, loss, correct = len(batch.labels), 0.0, 0
        numbers = self._optimiser.numbers(at.learning_rate)
        if at.parts == 1:
            losses, right = self._learn(*self._given(batch, slice(0, count), at), *numbers)
            return {"loss": losses.numpy(), "correct": right.numpy(), "count": count}
        total: list[Any] = []
        for part in micro_batches(count, at.parts):
            losses, right, gradients = self._differentiate(*self._given(batch, part, at))
            total = [a + b for a, b in zip(total, gradients, strict=True)] if total else gradients
            loss, correct = loss + losses.numpy(), correct + right.numpy()
        self._apply(total, *(tf.constant(number, tf.float32) for number in numbers))
        return {"loss": loss, "correct": correct, "count": count}

    def _given(self, batch: Batch, part: slice, at: Position) -> tuple[Any, Any, float]:
        """Images and labels of part of a batch, and how many examples the whole has."""
        count = len(batch.labels)
        images, labels = np.asarray(batch.items)[part], batch.labels[part]
        if self._augmentation is not None:
            images = self._augmentation(images, batch.indices[part], at.epoch)
        self._on_pass(replace(at, first=part.start, examples=count))
        return tf.constant(images), tf.constant(labels), float(count)

    def _gradients(self, images: Any, labels: Any, count: Any) -> tuple[Any, Any, list[Any]]:
        """Sums of loss and hits, and the gradients of the mean over `count` examples."""
        variables = list(self._parameters.values())
        inputs = self._inference.pixels(images)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            logits = self._inference.model(inputs, training=True)
            losses = self._loss(labels, logits)
            mean = tf.reduce_sum(losses) / count
        gradients = tape.gradient(mean, variables, unconnected_gradients="zero")
        hits = tf.equal(tf.argmax(logits, axis=1), labels)
        # In float64, the sum over an epoch loses nothing.
        loss = tf.reduce_sum(tf.cast(losses, tf.float64))
        return loss, tf.math.count_nonzero(hits), gradients

    def _whole(
        self, images: Any, labels: Any, count: Any, rate: Any, length: Any, correction: Any
    ) -> tuple[Any, Any]:
        """Gradients and update in one graph."""
        loss, correct, gradients = self._gradients(images, labels, count)
        self._optimiser.apply(gradients, rate, length, correction)
        return loss, correct

    def evaluate(self, batch: Batch) -> NDArray[np.float32]:
        """Class probabilities (B, K) of a batch: the bits the predictor gives."""
        return self._inference.probabilities(np.asarray(batch.items))

    def state(self) -> State:
        """Weights, running statistics, moments and counts, copied; in Keras's layout."""
        return to_arrays(self._variables())

    def load(self, state: Arrays) -> None:
        """Put a state back, into the same memory.

        Raises:
            InputError: where it is not a state of this network and optimiser.
        """
        copy_into(self._variables(), state)

    def _variables(self) -> dict[str, Any]:
        network = self._parameters | self._averages
        found = {f"network.{path}": variable for path, variable in network.items()}
        remembered = self._optimiser.variables()
        return found | {f"optimiser.{name}": variable for name, variable in remembered.items()}
