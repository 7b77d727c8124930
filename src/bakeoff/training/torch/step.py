"""One update and one evaluation of a torch network: the loop's step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Arrays, Batch, Position, State, Value, micro_batches
from bakeoff.core.streams import Streams
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.arrays import changing_tensors, copy_into, named_tensors, to_arrays
from bakeoff.training.torch.compiled import TrainingPass
from bakeoff.training.torch.dropout import NamedDropout, has_other_dropout
from bakeoff.training.torch.followers import followers
from bakeoff.training.torch.inference import Network
from bakeoff.training.torch.losses import Loss, cross_entropy_of
from bakeoff.training.torch.memory import is_out_of_memory
from bakeoff.training.torch.mixing import Mixing, blended, soft_targets
from bakeoff.training.torch.optimisers import Optimiser
from bakeoff.training.torch.resident import Resident
from bakeoff.training.torch.transforms import Augmentation, to_device

Judge = Callable[[Network, NDArray[Any]], NDArray[np.float32]]
"""Class probabilities (B, K) of items, with the weights that an inference holds."""
GUARD = "guard"
"""What a state calls what was done to go on; a state without it had no need."""


@dataclass
class Guard:
    """What was done to go on where something failed."""

    exact: bool = False
    """Computes in float32, though the recipe says otherwise."""
    cuts: int = 1
    """Into so many parts is cut what the plan passes at once: memory was short."""
    eager: bool = False
    """Could not be compiled."""
    passes: int = 1
    """By what passes that evaluate were shortened: memory was short."""

    def values(self) -> NDArray[np.int64]:
        """(4,): to be saved."""
        return np.array([self.exact, self.cuts, self.eager, self.passes], np.int64)


class TorchStep:
    """The loop's step for a torch network that classifies.

    Args:
        inference: The network, its inputs and precision.
        settings: Optimiser, penalties, label smoothing, what follows the weights.
        streams: The cell's: dropout draws from them.
        augmentation: Changes training images; None leaves them as they are.
        loss: What is minimised; None: cross-entropy.
        on_pass: Told the position of every pass that learns, for layers that draw by it.
        mixing: Blends each example with another; None leaves them as they are.
        resident: All training images on the device; None: batches bring their own.

    Attributes:
        notes: What was done to go on where something failed, as sentences.
        judge: What an evaluation asks; at first the network's own probabilities.
    """

    def __init__(
        self,
        inference: Network,
        settings: TrainingSettings,
        streams: Streams,
        augmentation: Augmentation | None = None,
        loss: Loss | None = None,
        on_pass: Callable[[Position], None] | None = None,
        mixing: Mixing | None = None,
        resident: Resident | None = None,
    ) -> None:
        module = inference.module
        self._inference, self._module = inference, module
        self._device = inference.device
        self._streams, self._augmentation, self._on_pass = streams, augmentation, on_pass
        self._mixing, self._resident = mixing, resident
        self._loss = loss or cross_entropy_of(settings)
        self._followers = followers(settings, module)
        self._evaluators = {
            name: inference.of(follower.module) for name, follower in self._followers.items()
        }
        self._dropout = NamedDropout(module, streams)
        self._layers = [m for m in module.modules() if not isinstance(m, nn.Dropout)]
        self._optimiser = Optimiser(settings, module)
        self._batch_size = settings.batch_size
        self._pass = TrainingPass(module, inference.compiles)
        self._guard, self._precision = Guard(), inference.precision
        self.splittable = splittable(module)
        self.judge: Judge = Network.probabilities
        self.notes: list[str] = []

    def __call__(self, batch: Batch, at: Position) -> dict[str, Value]:
        """Update on a batch; nothing here waits for the device.

        Where memory is short, the batch is cut into more parts, from now on, and the update made
        all the same.

        Returns:
            `loss`: the sum over its examples of the loss (without penalties on weights),
            `correct` (blended examples count by shares) or what else the loss tells, and `count`;
            all but the last are 0-d tensors.

        Raises:
            InputError: where memory is short and the batch cannot be cut.
        """
        sums = self._attempt(batch, at)
        while sums is None:
            self._cut(batch, at)
            sums = self._attempt(batch, at)
        with self._inference.autocast():  # for products of matrices, where an optimiser has any
            self._optimiser.step(at.learning_rate)
        for follower in self._followers.values():
            follower.update(at)
        return sums

    def _attempt(self, batch: Batch, at: Position) -> dict[str, Value] | None:
        """The gradients of a batch and its sums; None where memory was short."""
        count = len(batch.labels)
        sums: dict[str, Value] = {}
        try:
            with torch.random.fork_rng(self._own_generators()):
                self._seed(at.step)
                for part in micro_batches(count, at.parts * self._guard.cuts):
                    for name, value in self._gradients(batch, part, at).items():
                        sums[name] = sums[name] + value if name in sums else value
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None  # what the error's frames hold is free when it is
        return sums | {"count": count}

    def _cut(self, batch: Batch, at: Position) -> None:
        """Cut batches into twice as many parts from now on.

        Raises:
            InputError: where that cannot be.
        """
        self._dropout.end()
        self._module.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        count = len(batch.labels)
        size = -(-count // (at.parts * self._guard.cuts))
        short = f"training.batch_size: {self._batch_size} received, but memory was short for a pass"
        if not self.splittable:
            raise InputError(
                f"{short} of {size} examples, and this model looks at whole batches (batch norm, "
                "for instance), which cannot be cut; choose a smaller one"
            )
        if size == 1:
            raise InputError(f"{short} of 1 example: the model itself is too large")
        self._guard.cuts *= 2
        smaller = -(-count // (at.parts * self._guard.cuts))
        self.notes.append(
            f"memory was short at update {at.step + 1:,}: {smaller} examples pass at once instead "
            f"of {size}, the update is the whole batch's"
        )

    def _gradients(self, batch: Batch, part: slice, at: Position) -> dict[str, Tensor]:
        """A forward and a backward pass over part of a batch; the sums over its examples."""
        count = len(batch.labels)
        rows = Batch(np.asarray(batch.items)[part], batch.labels[part], batch.indices[part])
        inputs, targets = self._read(rows, at.epoch)
        shares: Tensor | None = None
        if self._mixing is not None:
            others, shares = self._mixing(rows.indices, at.epoch)
            their_inputs, their_labels = self._read(others, at.epoch)
            inputs = blended(inputs, their_inputs, shares)
        if not all(layer.training for layer in self._layers):  # which takes less than saying so
            self._module.train()
        self._compile(inputs, at)
        self._dropout.begin(at.step, part, count, ahead=self._pass.fits(inputs))
        if self._on_pass is not None:
            self._on_pass(replace(at, first=part.start, examples=count))
        with self._inference.autocast():
            logits = self._pass(inputs).float()
        self._dropout.end()
        if shares is not None:
            targets = soft_targets(targets, their_labels, shares, logits.shape[1])
        told = self._loss(logits, targets, rows.indices)
        sums = told if isinstance(told, Mapping) else {"loss": told}
        torch.autograd.backward(sums["loss"] / count)
        # In float64, the sum over an epoch loses nothing.
        found = {name: value.detach().double() for name, value in sums.items()}
        return found if sums is told else found | {"correct": _hits(logits.detach(), targets)}

    def _read(self, rows: Batch, epoch: int) -> tuple[Tensor, Tensor]:
        """What the network is given of training examples, and their labels, on the device."""
        resident = self._resident
        if resident is None:
            images = to_device(np.asarray(rows.items), self._device)
            labels = to_device(rows.labels, self._device)
            if self._augmentation is not None:
                images = self._augmentation(images, rows.indices, epoch)
            return self._inference.inputs(images), labels
        chosen = to_device(rows.indices, self._device)
        labels = resident.labels.index_select(0, chosen)
        if self._augmentation is None:
            images = resident.images.index_select(0, chosen)
        else:
            images = self._augmentation(resident.images, rows.indices, epoch, whole=True)
        return self._inference.inputs(images), labels

    def _compile(self, inputs: Tensor, at: Position) -> None:
        """Compile the pass over inputs of the usual size, unless that is done or has failed."""
        size = -(-self._batch_size // (at.parts * self._guard.cuts))
        if self._guard.eager or not self._pass.wants(inputs, size):
            return
        self._dropout.look(self._module, inputs)
        self._dropout.begin(at.step, slice(0, size), size, ahead=True)
        with self._inference.autocast():
            self._pass.prepare(inputs)
        self._dropout.end()
        if self._pass.failure is not None:
            self._guard.eager = True
            self.notes.append(f"could not be compiled, ran eagerly: {self._pass.failure}")

    @property
    def compile_seconds(self) -> float:
        """What compiling took so far."""
        return self._pass.seconds

    @property
    def inexact(self) -> bool:
        """Whether it computes in less than float32."""
        return self._inference.precision != "float32"

    def compute_exactly(self) -> None:
        """Compute in float32 from now on."""
        self._set_guard(replace(self._guard, exact=True))

    def _set_guard(self, guard: Guard) -> None:
        self._guard = guard
        precision = "float32" if guard.exact else self._precision
        inferences = (self._inference, *self._evaluators.values())
        if precision != self._inference.precision:
            for inference in inferences:
                inference.compute_in(precision)
            self._pass.forget()
        for inference in inferences:
            if inference.cuts != guard.passes:
                inference.cut_passes(guard.passes)

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
        """What is judged of a batch, class probabilities (B, K): the bits the predictor gives.

        They are those of slow or averaged weights, where there are any. Where memory is short,
        passes are shortened, from now on.
        """
        follower = self._followed()
        evaluated = self._inference if follower is None else self._evaluators[follower]
        found = self.judge(evaluated, np.asarray(batch.items))
        if evaluated.cuts != self._guard.passes:
            self.notes.append(
                f"memory was short in evaluation: at most {evaluated.pass_size // evaluated.cuts} "
                f"examples pass at once instead of {evaluated.pass_size // self._guard.passes}"
            )
            self._set_guard(replace(self._guard, passes=evaluated.cuts))
        return found

    def _followed(self) -> str | None:
        """Whose weights are evaluated; None: the network's own."""
        begun = [name for name, follower in self._followers.items() if follower.begun]
        return begun[-1] if begun else None

    @torch.no_grad()
    def keep(self) -> None:
        """Give the network itself the weights that were evaluated: nothing is learnt any more."""
        follower = self._followed()
        if follower is not None:
            theirs = named_tensors(self._followers[follower].module)
            for name, tensor in named_tensors(self._module).items():
                tensor.copy_(theirs[name])

    def state(self) -> State:
        """Weights, running statistics, moments, counts and what follows them, copied."""
        guard = {GUARD: self._guard.values()} if self._guard != Guard() else {}
        return to_arrays(self._tensors()) | guard

    @property
    def optimiser_bytes(self) -> int:
        """Bytes of what the optimiser remembers: of weights that learn alone."""
        return self._optimiser.bytes

    def load(self, state: Arrays) -> None:
        """Put a state back, into the same memory.

        Raises:
            InputError: where it is not a state of this network and optimiser.
        """
        arrays = dict(state)
        guard = arrays.pop(GUARD, None)
        copy_into(self._tensors(), arrays)
        # States of before passes were shortened end without that number.
        exact, cuts, eager, passes = (*(Guard().values() if guard is None else guard), 1)[:4]
        self._set_guard(Guard(bool(exact), int(cuts), bool(eager), int(passes)))

    def _tensors(self) -> dict[str, Tensor]:
        learnt = changing_tensors(self._module)
        tensors = {f"network.{name}": t for name, t in learnt.items()}
        tensors |= {f"optimiser.{name}": t for name, t in self._optimiser.tensors().items()}
        for prefix, follower in self._followers.items():
            tensors |= {f"{prefix}.{name}": t for name, t in follower.tensors().items()}
        return tensors


def splittable(module: nn.Module) -> bool:
    """Whether batches may pass through a module in parts without changing what is learnt."""
    whole_batch = any(isinstance(layer, _BatchNorm) for layer in module.modules())
    return not (whole_batch or has_other_dropout(module))


def _hits(logits: Tensor, targets: Tensor) -> Tensor:
    """How many labels (B,) have the greatest logit; of shares (B, K), the sum of those that do."""
    guesses = logits.argmax(dim=1)
    if targets.dim() == 1:
        return (guesses == targets).sum()
    return targets.gather(1, guesses[:, None]).sum(dtype=torch.float64)
