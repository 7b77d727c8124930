"""Products of few rows with large weights, as where texts are continued token by token.

They should take as long as weights take to be read. MKL on an AMD processor with AVX-512 takes two
to seven times as long, with one thread of several: it cuts a product along its rows, of which there
are few. Turned round, `W x^T` for `x W^T`, the outputs are rows, and it reads as fast as memory
gives. One row is given twice, since another routine, as slow, multiplies a vector. Sums differ by
rounding alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from bakeoff.models.lora import is_fused

LONGEST_ALONE = 1536
"""Inputs up to which one thread reads a weight faster for two rows than for one."""
LEAST_WEIGHTS = 1 << 15
"""Of smaller layers, calls take as long as products do."""


@contextmanager
def thin_products(module: nn.Module) -> Iterator[None]:
    """Linear layers, and GPT-2's fused ones, multiply few rows so; nothing else changes.

    Args:
        module: Of float32 weights on a processor; other layers stay as they are. Bits of its
            weights are those of before in the end; meanwhile fused ones lie the other way in
            memory.
    """
    layers = [layer for layer in module.modules() if _is_large(layer)]
    fused = [layer for layer in layers if is_fused(layer)]
    try:
        for layer in layers:
            layer.forward = partial(_multiply, layer)
        for layer in fused:
            _lay(layer, turned=True)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)
        for layer in fused:
            _lay(layer, turned=False)


def _is_large(layer: nn.Module) -> bool:
    if type(layer) is not nn.Linear and not is_fused(layer):
        return False
    weight = cast(Tensor, layer.weight)
    plain = weight.dtype == torch.float32 and weight.device.type == "cpu"
    return plain and weight.numel() >= LEAST_WEIGHTS


def _lay(layer: nn.Module, *, turned: bool) -> None:
    """Outputs or inputs of a fused layer's weight (inputs, outputs) as rows in memory."""
    weight = cast(Tensor, layer.weight)
    weight.data = weight.data.T.contiguous().T if turned else weight.data.contiguous()


def _multiply(layer: Any, inputs: Tensor) -> Tensor:
    """(..., inputs) to (..., outputs), as the layer's own."""
    weight: Tensor = layer.weight.T if is_fused(layer) else layer.weight
    outputs, width = weight.shape
    rows = inputs.numel() // width
    if not _pays(rows, outputs, width):
        own: Tensor = type(layer).forward(layer, inputs)
        return own
    flat = inputs.reshape(rows, width)
    given = flat.repeat(2, 1) if rows == 1 else flat
    found = torch.mm(weight, given.T)[:, :rows].T
    if layer.bias is not None:
        found = found + layer.bias
    return found.reshape(*inputs.shape[:-1], outputs).contiguous()


def _pays(rows: int, outputs: int, width: int) -> bool:
    """By what was measured for 576 to 8,192 inputs, with one thread and with two."""
    several = torch.get_num_threads() > 1
    if rows == 1 and not several:
        return width <= LONGEST_ALONE
    wide = outputs >= 2 * width
    return 0 < rows <= ((8 if wide else 4) if several else (4 if wide else 3))
