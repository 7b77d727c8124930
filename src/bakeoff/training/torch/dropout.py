"""Dropout whose draws have names: (seed, layer's path, step), not the order of calls.

A variant with one more dropout layer leaves the masks of the others as they are, a batch cut into
parts gets the masks of the whole, and torch's global generator is not touched.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from bakeoff.core.streams import Streams

DRAWS = 1 << 16
"""Different draws of an element: rates are taken to the nearest of so many parts, below 1."""


class NamedDropout:
    """Draws the masks of every `nn.Dropout` of a module (Srivastava et al. 2014, "Dropout").

    The layers stay in the module and are kept in evaluation mode, where they do nothing; hooks
    behind them apply the masks while a position is set.

    Args:
        module: Its dropout layers are hooked.
        streams: The cell's.
    """

    def __init__(self, module: nn.Module, streams: Streams) -> None:
        self._streams = streams
        self._layers = {
            path: layer
            for path, layer in module.named_modules()
            if isinstance(layer, nn.Dropout) and layer.p > 0
        }
        self._calls = dict.fromkeys(self._layers, 0)
        self._generator: torch.Generator | None = None
        self._at: tuple[int, slice, int] | None = None
        self._seen: dict[str, list[Tensor]] = {path: [] for path in self._layers}
        """Of every layer, what stands for its outputs call by call: their shape and device; of
        what has a row an example, no row."""
        self._drawn: dict[str, list[Tensor]] = {}
        for path, layer in self._layers.items():
            layer.register_forward_hook(self._hook(path, _dropping(layer.p)))

    def begin(self, step: int, part: slice, count: int, ahead: bool = False) -> None:
        """Masks from now on are those of examples `part` of the `count` of this step's batch.

        Also takes the layers out of torch's own training mode.

        Args:
            step: Updates done before.
            part: Of the batch.
            count: Examples of the batch.
            ahead: Whether to draw the masks now, for a compiled pass, which cannot; `look` must
                have seen the layers.
        """
        self._at = (step, part, count)
        for path, layer in self._layers.items():
            layer.training = False
            self._calls[path] = 0
        self._drawn = {}
        if ahead:
            self._drawn = {
                path: [self._mask(path, _dropping(layer.p), like) for like in self._seen[path]]
                for path, layer in self._layers.items()
            }
            self._calls = dict.fromkeys(self._layers, 0)

    def end(self) -> None:
        """No masks from now on."""
        self._at = None
        self._drawn = {}

    @torch.no_grad()
    def look(self, module: nn.Module, inputs: Tensor) -> None:
        """See what the layers' outputs are like, in an eager pass that changes nothing."""
        if not self._layers or any(self._seen.values()):
            return

        def note(seen: list[Tensor], output: Tensor) -> None:
            seen.append(output[:0] if len(output) == 1 else output)

        hooks = [
            layer.register_forward_hook(
                lambda _, __, output, seen=self._seen[path]: note(seen, output)
            )
            for path, layer in self._layers.items()
        ]
        training = module.training
        module.eval()
        module(inputs[:1])
        module.train(training)
        for hook in hooks:
            hook.remove()

    def _hook(self, path: str, dropping: int) -> Any:
        scale = DRAWS / (DRAWS - dropping)

        def apply(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
            if self._at is None:
                return None
            if self._drawn:
                mask = self._drawn[path][self._calls[path]]
                self._calls[path] += 1
            else:
                mask = self._mask(path, dropping, output)
            return output * mask * scale

        return apply

    def _mask(self, path: str, dropping: int, like: Tensor) -> Tensor:
        """(part, ...) bool: what stays.

        Of what has no row an example, as DeBERTa's table of relative positions, which a batch
        shares, a mask of its own shape, equal in all parts. (A table of as many rows as a part has
        examples passes for them: it gets the rows of that part.)
        """
        if self._at is None:
            raise RuntimeError("a mask was asked for outside of a step")
        step, part, count = self._at
        name = ("dropout", path, step, self._calls[path])
        self._calls[path] += 1
        if len(like) not in (0, len(range(count)[part])):
            count, part = len(like), slice(None)
        shape = (count, *like.shape[1:])
        if like.device.type == "cpu":
            return torch.from_numpy(_kept(self._streams.generator(*name), shape, dropping))[part]
        if self._generator is None or self._generator.device != like.device:
            self._generator = torch.Generator(like.device)
        generator = self._generator
        generator.manual_seed(self._streams.integer(*name))
        whole = torch.empty(shape, dtype=torch.bool, device=like.device)
        return whole.bernoulli_(1 - dropping / DRAWS, generator=generator)[part]


def _dropping(rate: float) -> int:
    """How many of `DRAWS` draws drop an element."""
    return min(round(rate * DRAWS), DRAWS - 1)


def _kept(
    generator: np.random.Generator, shape: tuple[int, ...], dropping: int
) -> NDArray[np.bool_]:
    """What stays of elements, 16 random bits for each.

    torch's own draws on a CPU come one after another, and take six to ten times as long.
    """
    size = math.prod(shape)
    words = generator.bit_generator.random_raw(-(-size // 4))  # of 64 bits
    draws = words.view(np.uint16)[:size].reshape(shape)
    return draws >= dropping


def has_other_dropout(module: nn.Module) -> bool:
    """Whether some dropout layer draws in a way that depends on how a batch is cut."""
    return any(
        isinstance(layer, _DropoutNd) and not isinstance(layer, nn.Dropout) and layer.p > 0
        for layer in module.modules()
    )
