"""One update and one evaluation of a causal language model: the loop's step on blocks of tokens."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Arrays, Batch, Position, State, Value, micro_batches
from bakeoff.core.tokens import Tokens
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.arrays import copy_into, named_tensors, to_arrays
from bakeoff.training.torch.memory import is_out_of_memory
from bakeoff.training.torch.numerics import Precision
from bakeoff.training.torch.optimisers import Optimiser

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Of blocks (B, T): the sum of the nats of tokens, each times its weight (B, T - 1): of every token
but each block's first."""


class LanguageStep:
    """The loop's step for a model that foretells tokens.

    What is minimised is the mean of the nats of all tokens of a batch that are foretold.

    Args:
        module: Causal; what is to learn requires gradients.
        loss: Of blocks.
        score: Nats, tokens, bytes and their share (N, 4) of N texts: what validates.
        changed: Called where weights have changed.
        settings: Optimiser and penalties.
        precision: Of matrix products; sums of losses are float32 and more.
    """

    splittable = True

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        score: Callable[[Sequence[str]], NDArray[np.float64]],
        changed: Callable[[], None],
        settings: TrainingSettings,
        precision: Precision = "float32",
    ) -> None:
        self._module, self._loss = module, loss
        self._score, self._changed = score, changed
        self._optimiser = Optimiser(settings, module)
        self._device = next(module.parameters()).device
        self._precision = precision

    def __call__(self, batch: Batch, at: Position) -> dict[str, Value]:
        """Update on blocks.

        Returns:
            `loss`: the sum of the nats, a 0-d tensor, and `count`, of how many tokens.

        Raises:
            InputError: where memory is short.
        """
        tokens = cast(Tokens, batch.items)
        count = int((tokens.lengths - 1).sum())
        total: Value = 0.0
        self._module.train()
        try:
            rows = np.arange(len(tokens))
            for part in micro_batches(len(tokens), at.parts):
                total = total + self._gradients(tokens.take(rows[part]), count)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise InputError(
                f"memory was short for a pass of {-(-len(tokens) // at.parts)} blocks: cut batches "
                "by training.accumulate, or set training.checkpointing"
            ) from None
        finally:
            self._module.eval()
        self._optimiser.step(at.learning_rate)
        self._changed()
        return {"loss": total, "count": count}

    def _gradients(self, tokens: Tokens, count: int) -> Tensor:
        """A forward and a backward pass over part of a batch; the sum of its nats."""
        ids = torch.from_numpy(tokens.padded(0)).to(self._device, torch.int64)
        lengths = torch.from_numpy(tokens.lengths).to(self._device)
        told = torch.arange(1, ids.shape[1], device=self._device) < lengths[:, None]
        with torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._precision == "bfloat16"
        ):
            loss = self._loss(self._module, ids, told.float() / count)
        torch.autograd.backward(loss)
        return loss.detach().double() * count

    def evaluate(self, batch: Batch) -> NDArray[np.float64]:
        """Nats, tokens, bytes and their share (B, 4) of texts."""
        return self._score(cast(Sequence[str], batch.items))

    def state(self) -> State:
        """Weights and moments, copied."""
        return to_arrays(self._tensors())

    @property
    def optimiser_bytes(self) -> int:
        """Bytes of what the optimiser remembers: of weights that learn alone."""
        return self._optimiser.bytes

    def load(self, state: Arrays) -> None:
        """Put a state back, into the same memory.

        Raises:
            InputError: where it is not a state of this model and optimiser.
        """
        copy_into(self._tensors(), state)
        self._changed()

    def _tensors(self) -> dict[str, Tensor]:
        """What changes: a frozen weight is no part of it."""
        frozen = {name for name, p in self._module.named_parameters() if not p.requires_grad}
        tensors = {
            f"network.{name}": tensor
            for name, tensor in named_tensors(self._module).items()
            if name not in frozen
        }
        return tensors | {f"optimiser.{n}": t for n, t in self._optimiser.tensors().items()}
