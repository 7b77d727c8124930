"""Initial weights of torch modules, from the streams that every framework draws from."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from bakeoff.core.initial import Scheme, initial_weights
from bakeoff.core.streams import Streams

EMBEDDING_SD = 0.1
NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def initialise(
    module: nn.Module, streams: Streams, schemes: Mapping[str, Scheme] = MappingProxyType({})
) -> None:
    """Give every parameter its initial value: a function of (seed, path, shape) alone.

    Weights of linear layers and convolutions are drawn; biases are zero, norms start as identity.
    A convolution with `starts_as_identity = True` has its inputs as its first outputs (Jordan 2024,
    "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.3); the others are drawn.
    Vectors of an embedding are standard normal numbers times `EMBEDDING_SD`. Both weights of a
    recurrent layer are drawn by `lecun`; of its biases, those of an LSTM's forget gate are 1
    together (Jozefowicz, Zaremba and Sutskever 2015, "An empirical exploration of recurrent network
    architectures"), all others 0.
    A layer of one's own says with `outputs_first = True` that its weight (outputs, inputs, ...) is
    to be drawn like those.
    Parameters of equal path and shape start equal in every module of that seed.

    Args:
        module: Changed in place.
        streams: The cell's.
        schemes: How the weights of the layers of these paths are drawn; `he` elsewhere.

    Raises:
        TypeError: where a layer with parameters is none of these kinds.
    """
    done: set[Tensor] = set()
    with torch.no_grad():
        for path, layer in module.named_modules():
            if isinstance(layer, _NormBase):
                layer.reset_running_stats()
            for name, parameter in layer.named_parameters(recurse=False):
                if parameter in done:
                    continue
                done.add(parameter)
                full = f"{path}.{name}" if path else name
                _set(parameter, full, layer, streams, schemes.get(path, "he"))


def _set(parameter: Tensor, path: str, layer: nn.Module, streams: Streams, scheme: Scheme) -> None:
    is_weight = path.rpartition(".")[2] == "weight"
    if isinstance(layer, NORMS):
        parameter.fill_(1.0 if is_weight else 0.0)
    elif isinstance(layer, nn.Embedding):
        vectors = streams.generator("init", path).standard_normal(tuple(parameter.shape))
        parameter.copy_(torch.from_numpy(EMBEDDING_SD * vectors))
    elif isinstance(layer, nn.RNNBase):
        _set_recurrent(parameter, path, layer, streams)
    elif not (isinstance(layer, nn.Linear | _ConvNd) or getattr(layer, "outputs_first", False)):
        raise TypeError(
            f"{path}: no rule for the initial values of a {type(layer).__name__} "
            "(known: linear and recurrent layers, convolutions, embeddings, norms)"
        )
    elif not is_weight:
        parameter.zero_()
    else:
        shape = tuple(parameter.shape)
        values = initial_weights(streams, path, shape, _fan(layer, shape), scheme)
        parameter.copy_(torch.from_numpy(values))
        if getattr(layer, "starts_as_identity", False):
            nn.init.dirac_(parameter[: shape[1]])


def _set_recurrent(parameter: Tensor, path: str, layer: nn.RNNBase, streams: Streams) -> None:
    """One weight (gates * units, inputs), or bias (gates * units), of a recurrent layer."""
    name = path.rpartition(".")[2]
    if name.startswith("weight"):
        shape = tuple(parameter.shape)
        values = initial_weights(streams, path, shape, (shape[1], shape[0]), "lecun")
        parameter.copy_(torch.from_numpy(values))
        return
    parameter.zero_()
    if isinstance(layer, nn.LSTM) and name.startswith("bias_ih"):
        units = layer.hidden_size
        parameter[units : 2 * units] = 1.0  # input, forget, cell, output


def _fan(layer: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """Numbers that flow into and out of one unit, receptive field included.

    A weight lies as (outputs, inputs / groups, ...), a transposed convolution's as (inputs,
    outputs / groups, ...).
    """
    field = math.prod(shape[2:])
    groups = layer.groups if isinstance(layer, _ConvNd) else 1
    first, second = shape[0] // groups * field, shape[1] * field
    transposed = isinstance(layer, _ConvNd) and layer.transposed
    return (first, second) if transposed else (second, first)
