"""One update and one evaluation of a torch network on images: the loop's step."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

from bakeoff.core.protocols import Arrays, Batch, Position, State, Value
from bakeoff.core.streams import Streams
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.arrays import copy_into, named_tensors, to_arrays
from bakeoff.training.torch.dropout import NamedDropout, has_other_dropout
from bakeoff.training.torch.inference import Inference
from bakeoff.training.torch.optimisers import Optimiser
from bakeoff.training.torch.transforms import Augmentation, to_device

Loss = Callable[[Tensor, Tensor], Tensor]


def summed_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The sum over the examples of softmax and cross-entropy, from (B, K) and (B,)."""
    return cross_entropy(logits, labels, reduction="sum")


class TorchStep:
    """The loop's step for a torch network that classifies images.

    Args:
        inference: The network, its inputs and precision.
        settings: Optimiser, momentum, L2.
        streams: The cell's: dropout draws from them.
        augmentation: Changes training images; None leaves them as they are.
        loss: The sum of the examples' losses, from logits (B, K) and labels (B,).
        on_pass: Told the position of every pass that learns, for layers that draw by it.
    """

    def __init__(
        self,
        inference: Inference,
        settings: TrainingSettings,
        streams: Streams,
        augmentation: Augmentation | None = None,
        loss: Loss = summed_cross_entropy,
        on_pass: Callable[[Position], None] | None = None,
    ) -> None:
        module = inference.module
        self._inference, self._module = inference, module
        self._device = inference.pixels.device
        self._streams, self._augmentation, self._on_pass = streams, augmentation, on_pass
        self._loss = loss
        self._dropout = NamedDropout(module, streams)
        self._optimiser = Optimiser(settings, module)
        self.splittable = splittable(module)

    def __call__(self, batch: Batch, at: Position) -> dict[str, Value]:
        """Update on a batch; nothing here waits for the device.

        Returns:
            `loss`: the sum over its examples of the loss (without penalties on weights),
            `correct` and `count`; the first two are 0-d tensors.
        """
        count = len(batch.labels)
        loss: Value = 0.0
        correct: Value = 0
        with torch.random.fork_rng(self._own_generators()):
            self._seed(at.step)
            for part in _parts(count, at.parts):
                losses, right = self._gradients(batch, part, at)
                loss, correct = loss + losses, correct + right
        self._optimiser.step(at.learning_rate)
        return {"loss": loss, "correct": correct, "count": count}

    def _gradients(self, batch: Batch, part: slice, at: Position) -> tuple[Tensor, Tensor]:
        """A forward and a backward pass over part of a batch; the sums of loss and hits."""
        count = len(batch.labels)
        images = to_device(np.asarray(batch.items)[part], self._device)
        labels = to_device(batch.labels[part], self._device)
        if self._augmentation is not None:
            images = self._augmentation(images, batch.indices[part], at.epoch)
        inputs = self._inference.pixels(images)
        self._module.train()
        self._dropout.begin(at.step, part, count)
        if self._on_pass is not None:
            self._on_pass(replace(at, first=part.start, examples=count))
        with self._inference.autocast():
            logits = self._module(inputs).float()
        self._dropout.end()
        loss = self._loss(logits, labels)
        (loss / count).backward()  # type: ignore[no-untyped-call]
        # In float64, the sum over an epoch loses nothing.
        return loss.detach().double(), (logits.detach().argmax(dim=1) == labels).sum()

    def _own_generators(self) -> list[torch.device]:
        """The devices, besides the CPU, whose global generators must be left as they were."""
        return [self._device] if self._device.type == "cuda" else []

    def _seed(self, step: int) -> None:
        """Start torch's global generators anew for layers that draw from them unasked."""
        seed = self._streams.integer("torch", step)
        torch.default_generator.manual_seed(seed)
        if self._device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def evaluate(self, batch: Batch) -> NDArray[np.float32]:
        """Class probabilities (B, K) of a batch: the bits the predictor gives."""
        return self._inference.probabilities(np.asarray(batch.items))

    def state(self) -> State:
        """Weights, running statistics, moments and counts, copied."""
        return to_arrays(self._tensors())

    def load(self, state: Arrays) -> None:
        """Put a state back, into the same memory.

        Raises:
            InputError: where it is not a state of this network and optimiser.
        """
        copy_into(self._tensors(), state)

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"network.{name}": t for name, t in named_tensors(self._module).items()}
        return tensors | {f"optimiser.{name}": t for name, t in self._optimiser.tensors().items()}


def splittable(module: nn.Module) -> bool:
    """Whether batches may pass through a module in parts without changing what is learnt."""
    whole_batch = any(isinstance(layer, _BatchNorm) for layer in module.modules())
    return not (whole_batch or has_other_dropout(module))


def _parts(count: int, parts: int) -> Iterator[slice]:
    """Consecutive slices of a batch, none of them empty, sizes equal but for the last."""
    size = -(-count // parts)
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
