"""Convolutional networks from layers, images channels last."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from bakeoff.core.errors import InputError
from bakeoff.scratch.layers import (
    Affine,
    AveragePool,
    Convolution,
    Flatten,
    Layer,
    MaxPool,
    Residual,
    Shape,
)
from bakeoff.scratch.network import ActivationName, NormName, Sequence, between

PoolName = Literal["max", "average"]
POOLS: dict[PoolName, type[MaxPool] | type[AveragePool]] = {"max": MaxPool, "average": AveragePool}


@dataclass(frozen=True)
class Block:
    """A convolution, a pooling, and more convolutions; each normalised and activated.

    The pooling stands right behind the first convolution, as in Jordan 2024, "94% on CIFAR-10 in
    3.29 seconds on a single GPU", figure 1: what follows has a quarter of the numbers to work on.
    Convolutions keep an image's size. A shortcut goes around all but the first one (He et al.
    2016, "Deep residual learning for image recognition").

    Args:
        channels: Behind every convolution.
        convolutions: How many.
        kernel: Sides of their windows, odd.
        pooling: Of windows of 2 x 2.
        normalisation: Before each activation; the convolutions then have no bias.
        activation: Of each.
        residual: Whether there is a shortcut.
    """

    channels: int
    convolutions: int = 1
    kernel: int = 3
    pooling: PoolName = "max"
    normalisation: NormName = "none"
    activation: ActivationName = "relu"
    residual: bool = False

    def layers(self, number: int, inputs: int, dtype: DTypeLike) -> dict[str, Layer]:
        """The layers of block `number` on `inputs` channels, by name."""
        layers = self._convolution(f"{number}-1", inputs, dtype)
        rest: dict[str, Layer] = {}
        for place in range(2, self.convolutions + 1):
            rest |= self._convolution(f"{number}-{place}", self.channels, dtype)
        first = next(iter(layers))
        pool = {f"{self.pooling}-pool-{number}": POOLS[self.pooling](2)}
        layers = {first: layers.pop(first)} | pool | layers
        if self.residual and rest:
            rest = {f"residual-{number}": Residual(Sequence(rest))}
        return layers | rest

    def _convolution(self, name: str, inputs: int, dtype: DTypeLike) -> dict[str, Layer]:
        convolution = Convolution(
            inputs,
            self.channels,
            self.kernel,
            padding=self.kernel // 2,
            bias=self.normalisation == "none",
            dtype=dtype,
        )
        behind = between(name, self.channels, self.activation, self.normalisation, dtype=dtype)
        return {f"convolution-{name}": convolution} | behind


def convolutional(
    shape: Shape,
    blocks: tuple[Block, ...],
    hidden: tuple[int, ...],
    classes: int,
    *,
    activation: ActivationName = "relu",
    dropout: float = 0.0,
    dtype: DTypeLike = np.float32,
) -> Sequence:
    """Blocks of convolutions, each of which halves the sides of an image, then affine layers.

    Args:
        shape: (H, W, C) of one image.
        blocks: First to last.
        hidden: Units of each hidden affine layer.
        classes: Outputs, which are logits.
        activation: Behind each hidden affine layer.
        dropout: Share of the inputs of each affine layer that is left out while learning.
        dtype: Of parameters and results.

    Raises:
        InputError: where images are too small to be halved so often.
    """
    smallest = 2 ** len(blocks)
    if min(shape[:2]) < smallest:
        raise InputError(
            f"model.channels: {len(blocks)} blocks received, each of which halves images; those of "
            f"{shape[0]} x {shape[1]} are too small (needed: {smallest} x {smallest})"
        )
    children: dict[str, Layer] = {}
    channels = shape[2]
    for number, block in enumerate(blocks, start=1):
        children |= block.layers(number, channels, dtype)
        channels = block.channels
    children["flatten"] = Flatten()
    children |= between("flat", 0, dropout=dropout)
    (width,) = Sequence(children).output_shape(shape)
    for number, units in enumerate(hidden, start=1):
        children[f"hidden-{number}"] = Affine(width, units, dtype)
        children |= between(str(number), units, activation, "none", dropout, dtype)
        width = units
    children["output"] = Affine(width, classes, dtype)
    return Sequence(children)
