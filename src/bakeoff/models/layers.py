"""Layers that models share."""

from collections.abc import Callable, Mapping

from torch import nn

from bakeoff.models.settings import Activation

ACTIVATIONS: Mapping[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "swish": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
}
"""Activations by name. `swish` is x * sigmoid(x) (Ramachandran et al. 2017, "Searching for
activation functions"), which torch calls SiLU; `leaky-relu` has slope 0.01; the rest are theirs."""
