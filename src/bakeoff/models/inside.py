"""A torch module opened: its weights, its gradients, and what its activations give."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.dropout import _DropoutNd

from bakeoff.core.examples import Items
from bakeoff.core.protocols import Arrays, Batch, Watch

KINDS: Mapping[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.LeakyReLU: "leaky-relu",
    nn.ELU: "elu",
    nn.SiLU: "swish",
    nn.GELU: "gelu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
}
"""Activations that are seen, under our names."""


class ModuleInside:
    """A module that gives class logits.

    Args:
        module: Its memory is used, its numbers stay.
        read: Items to its inputs (B, C, H, W), on its device.
        shape: (H, W, C) of one image.
        fresh: Whether batch norm has no averages yet.
    """

    def __init__(
        self,
        module: nn.Module,
        read: Callable[[NDArray[Any]], Tensor],
        shape: tuple[int, ...],
        *,
        fresh: bool,
    ) -> None:
        self._module, self._read, self._shape, self._fresh = module, read, shape, fresh

    def weights(self) -> Arrays:
        """By layer, copied; a shared one under its first name."""
        return {name: _array(weight) for name, weight in self._matrices().items()}

    def filters(self) -> NDArray[np.float32] | None:
        """Of a convolution its windows, of a linear layer on images its weights as images."""
        first = next(iter(self.weights().values()))
        height, width, channels = self._shape
        if first.ndim == 2 and first.shape[1] == height * width * channels:
            first = first.reshape(-1, channels, height, width)
        return np.moveaxis(first, 1, -1) if first.ndim == 4 else None

    def gradients(self, batch: Batch) -> Arrays:
        """Of softmax and cross-entropy."""
        learning = {name: w for name, w in self._matrices().items() if w.requires_grad}
        labels = torch.from_numpy(np.array(batch.labels))
        with self._passing(learning=True), torch.enable_grad():
            logits = self._module(self._read(np.asarray(batch.items))).float()
            loss = cross_entropy(logits, labels.to(logits.device))
            found = torch.autograd.grad(loss, list(learning.values()), materialize_grads=True)
        return {name: _array(g) for name, g in zip(learning, found, strict=True)}

    def outputs(self, items: Items, watch: Watch) -> None:
        """Of every activation that is a module, in the order of the pass."""
        last = [""]

        def attach(name: str, layer: nn.Module) -> Any:
            kind = KINDS.get(type(layer))
            weighted = any(p.dim() > 1 for p in layer.parameters(recurse=False))

            def leave(layer: nn.Module, inputs: Any, output: Any) -> None:
                if weighted:
                    last[0] = name
                if kind is not None:
                    values = output.movedim(1, -1) if output.dim() == 4 else output
                    watch(last[0], kind, _array(values))

            return layer.register_forward_hook(leave)

        hooks = [attach(name, layer) for name, layer in self._module.named_modules()]
        try:
            with self._passing(learning=self._fresh), torch.no_grad():
                self._module(self._read(np.asarray(items)))
        finally:
            for hook in hooks:
                hook.remove()

    def _matrices(self) -> dict[str, Tensor]:
        named = self._module.named_parameters()
        return {name.removesuffix(".weight"): p for name, p in named if p.dim() > 1}

    @contextmanager
    def _passing(self, *, learning: bool) -> Iterator[None]:
        """Passes with batch norm as asked for, without dropout; buffers and modes are put back."""
        modes = {layer: layer.training for layer in self._module.modules()}
        buffers = {name: b.clone() for name, b in self._module.named_buffers()}
        self._module.train(learning)
        for layer in self._module.modules():
            if isinstance(layer, _DropoutNd):
                layer.eval()
        try:
            with torch.random.fork_rng():
                yield
        finally:
            for layer, mode in modes.items():
                layer.training = mode
            with torch.no_grad():
                for name, buffer in self._module.named_buffers():
                    buffer.copy_(buffers[name])


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.detach().float().cpu().numpy().copy()
