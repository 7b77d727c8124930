"""Weights that learn nothing, held in the precision that products read them in.

`autocast` rounds a layer's float32 weights to bfloat16 anew in every pass, and what backward passes
need of them is kept as well. Where weights never change, rounding them once gives the same bits
with half the memory and none of the rounding.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bakeoff.models.lora import is_fused
from bakeoff.models.mapped import copied, is_mapped, regions


class _Resting(nn.Module):
    """A layer whose weights are of a lower precision than what it reads may be."""

    weight: Tensor

    def forward(self, inputs: Tensor) -> Tensor:
        """As the layer's; where no `autocast` makes both alike, weights follow the inputs."""
        if self.weight.dtype == inputs.dtype or torch.is_autocast_enabled(inputs.device.type):
            out: Tensor = super().forward(inputs)
            return out
        weights = {name: weight.to(inputs.dtype) for name, weight in self.named_parameters()}
        return cast(Tensor, functional_call(self, weights, (inputs,)))


class RestingLinear(_Resting, nn.Linear):
    """`nn.Linear`."""


def rest(module: nn.Module, dtype: torch.dtype = torch.bfloat16) -> list[str]:
    """Round the weights of products that learn nothing, and that nothing else reads.

    Args:
        module: Changed in place; its passes are to run in `autocast` of that type.
        dtype: To round to.

    Returns:
        The paths of the layers that were changed.
    """
    readers: dict[int, int] = {}
    for layer in module.modules():
        for parameter in layer._parameters.values():
            readers[id(parameter)] = readers.get(id(parameter), 0) + 1
    changed, files = [], regions()
    for path, layer in module.named_modules():
        own = [p for p in layer._parameters.values() if p is not None]
        if not _is_product(layer) or any(p.requires_grad or readers[id(p)] > 1 for p in own):
            continue
        for parameter in own:
            parameter.data = copied(parameter.data, files).to(dtype)
        layer.__class__ = RestingLinear if type(layer) is nn.Linear else _fused_kind(type(layer))
        changed.append(path)
    if changed:  # weights lie in a file that is mapped as long as one of them does: copy the others
        for parameter in module.parameters():
            if is_mapped(parameter.data, files):
                parameter.data = copied(parameter.data, files)
    return changed


def is_rested(module: nn.Module) -> bool:
    """Whether weights of it were rounded so."""
    return any(isinstance(layer, _Resting) for layer in module.modules())


def _is_product(layer: nn.Module) -> bool:
    """Whether all that a layer does with its weights is a matrix product."""
    return type(layer) is nn.Linear or (is_fused(layer) and not isinstance(layer, _Resting))


def _fused_kind(kind: type[nn.Module]) -> type[nn.Module]:
    """The same of GPT-2's fused layers."""
    return type("RestingConv1D", (_Resting, kind), {})
