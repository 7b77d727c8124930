"""Between torch's tensors and the arrays that states, checkpoints and saved predictors hold."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Arrays, State


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a module by path; a shared one under its first name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def changing_tensors(module: nn.Module) -> dict[str, Tensor]:
    """As `named_tensors`, without the parameters that learn nothing."""
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    return {name: t for name, t in named_tensors(module).items() if name not in frozen}


def to_arrays(tensors: Mapping[str, Tensor]) -> State:
    """The tensors' values, copied, in C order."""
    return {name: t.detach().cpu().numpy().copy(order="C") for name, t in tensors.items()}


def copy_into(tensors: Mapping[str, Tensor], arrays: Arrays) -> None:
    """Copy arrays into the memory of the tensors of the same names.

    Raises:
        InputError: where names, sizes or types differ; nothing was copied then.
    """
    faults = [f"{name}: unknown" for name in arrays.keys() - tensors.keys()]
    faults += [f"{name}: missing" for name in tensors.keys() - arrays.keys()]
    for name in tensors.keys() & arrays.keys():
        array, tensor = arrays[name], tensors[name]
        # A file may hold a 0-d array as one of length 1.
        fits = array.shape == tuple(tensor.shape) or (tensor.dim() == 0 and array.size == 1)
        if not fits or torch.from_numpy(np.empty(0, array.dtype)).dtype != tensor.dtype:
            wanted = f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
            faults.append(f"{name}: {array.shape} {array.dtype} received, {wanted} needed")
    if faults:
        raise InputError(["arrays that do not belong to this model", *sorted(faults)])
    with torch.no_grad():
        for name, tensor in tensors.items():
            source = np.array(arrays[name])  # a copy: torch warns of memory it cannot write to
            tensor.copy_(torch.from_numpy(source).reshape(tensor.shape))
