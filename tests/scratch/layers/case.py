"""How one layer is built and fed, and what torch has in its place."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bakeoff.scratch.layers import Layer

Floats = NDArray[np.float64]


def normal(*shape: int) -> Floats:
    """Standard normal numbers, the same ones every time."""
    return np.random.default_rng(0).standard_normal(shape)


@dataclass(frozen=True)
class Case:
    """One layer to be held against central differences and torch.

    Args:
        build: The layer, in float64.
        inputs: (B, ...) float64, away from kinks.
        module: The same in torch, in float64; parameters of the same names.
        to_torch: Inputs, outputs and gradients as torch lays them out (channels first, for
            instance); the same where that is left out.
        from_torch: And back.
    """

    build: Callable[[], Layer]
    inputs: Floats
    module: torch.nn.Module
    to_torch: Callable[[torch.Tensor], torch.Tensor] = field(default=lambda x: x)
    from_torch: Callable[[torch.Tensor], torch.Tensor] = field(default=lambda x: x)

    def drawn(self) -> Layer:
        """The layer with parameters drawn at random."""
        layer = self.build()
        generator = np.random.default_rng(1)
        for values in layer.parameters.values():
            values[...] = generator.standard_normal(values.shape)
        return layer


def to_inputs(layer: Layer, upstream: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The gradient at the inputs, which `backward` leaves out only where it is told to."""
    gradient = layer.backward(upstream)
    assert gradient is not None
    return gradient


def channels_first(values: torch.Tensor) -> torch.Tensor:
    """(B, H, W, C) to (B, C, H, W)."""
    return values.permute(0, 3, 1, 2)


def channels_last(values: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) to (B, H, W, C)."""
    return values.permute(0, 2, 3, 1)
