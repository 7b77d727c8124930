"""Networks: layers one behind another, with parameters by path."""

from collections.abc import Mapping
from itertools import takewhile
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from bakeoff.core.initial import Scheme, initial_weights
from bakeoff.core.protocols import LayerProfile, Normaliser, Position
from bakeoff.core.streams import Streams
from bakeoff.scratch.layers import (
    Affine,
    BatchNorm,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    LeakyRelu,
    NormalisedAffine,
    Relu,
    Shape,
    Sigmoid,
    Swish,
    Tanh,
)
from bakeoff.scratch.layers.composite import Composite
from bakeoff.scratch.memory import Array

ActivationName = Literal["relu", "leaky-relu", "sigmoid", "tanh", "swish"]
NormName = Literal["none", "batch", "layer"]
ACTIVATIONS: Mapping[ActivationName, type[Layer]] = {
    "relu": Relu,
    "leaky-relu": LeakyRelu,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "swish": Swish,
}


class Sequence(Composite):
    """Layers one behind another; a layer itself, so that networks nest.

    Args:
        children: By name, first to last.
    """

    kind = "sequence"

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """The last child's outputs."""
        for child in self.children.values():
            inputs = child.forward(inputs, at)
        return inputs

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """The first child's gradient; layers before the first parameter are left alone."""
        children = list(self.children.values())
        first = next((i for i, child in enumerate(children) if child.parameters), len(children))
        gradient: Array | None = upstream
        for i in reversed(range(0 if to_inputs else first, len(children))):
            if gradient is not None:
                gradient = children[i].backward(gradient, to_inputs or i > first)
        return gradient if to_inputs else None

    def output_shape(self, shape: Shape) -> Shape:
        """The last child's."""
        for child in self.children.values():
            shape = child.output_shape(shape)
        return shape

    def macs(self, shape: Shape) -> int:
        """All children's."""
        return sum(row.macs for row in self.profile("", shape))

    def profile(self, name: str, shape: Shape) -> tuple[LayerProfile, ...]:
        """One row for each layer that is not itself a sequence."""
        rows: list[LayerProfile] = []
        for key, child in self.children.items():
            rows += child.profile(f"{name}.{key}" if name else key, shape)
            shape = child.output_shape(shape)
        return tuple(rows)

    def until(self, name: str) -> "Sequence":
        """The layers before the child `name`, sharing their parameters and memory."""
        return Sequence(dict(takewhile(lambda item: item[0] != name, self.children.items())))


def saved(network: Layer) -> dict[str, Array]:
    """All numbers that predictions depend on, by path: parameters and averages, not copied."""
    return network.parameters | network.averages


def initialise(
    network: Layer, streams: Streams, schemes: Mapping[str, Scheme] = MappingProxyType({})
) -> None:
    """Draw every weight, and name the streams of layers that draw while learning.

    Biases and gains stay where their layer put them.

    Args:
        network: Changed in place.
        streams: The cell's; the draw of a weight depends on its path and shape alone.
        schemes: How the weights of the layers of these paths are drawn; elsewhere as under the path
            "", or by `he`.
    """
    network.draw_from(streams, "")
    for path, fan in network.weights.items():
        weight = network.parameters[path]
        scheme = schemes.get(path.rpartition(".")[0], schemes.get("", "he"))
        np.copyto(weight, initial_weights(streams, path, weight.shape, fan, scheme))


def perceptron(
    shape: Shape,
    hidden: tuple[int, ...],
    classes: int,
    dtype: DTypeLike = np.float32,
    *,
    activation: ActivationName = "relu",
    normalisation: NormName = "none",
    dropout: float = 0.0,
) -> Sequence:
    """Affine layers, each but the last followed by normalisation, activation and dropout.

    Args:
        shape: Of one example, flattened before the first layer.
        hidden: Units of each hidden layer.
        classes: Outputs, which are logits.
        dtype: Of parameters and results.
        activation: Behind each hidden layer.
        normalisation: Before it.
        dropout: Share of its outputs that is left out while learning.
    """
    flatten = Flatten()
    layers: dict[str, Layer] = {"flatten": flatten}
    (width,) = flatten.output_shape(shape)
    for number, units in enumerate(hidden, start=1):
        layers[f"hidden-{number}"] = Affine(width, units, dtype)
        layers |= between(str(number), units, activation, normalisation, dropout, dtype)
        width = units
    layers["output"] = Affine(width, classes, dtype)
    return Sequence(layers)


def between(
    name: str,
    features: int,
    activation: ActivationName | None = None,
    normalisation: NormName = "none",
    dropout: float = 0.0,
    dtype: DTypeLike = np.float32,
) -> dict[str, Layer]:
    """What stands between two layers with weights: normalisation, activation, dropout.

    Args:
        name: Of the layer before, to end each child's name with.
        features: Units or channels of the layer before.
        activation: None: none.
        normalisation: Of these features.
        dropout: Share that is left out; 0: no such layer.
        dtype: Of parameters.
    """
    layers: dict[str, Layer] = {}
    if normalisation == "batch":
        layers[f"batch-norm-{name}"] = BatchNorm(features, dtype=dtype)
    elif normalisation == "layer":
        layers[f"layer-norm-{name}"] = LayerNorm(features, dtype=dtype)
    if activation is not None:
        layers[f"{activation}-{name}"] = ACTIVATIONS[activation]()
    if dropout:
        layers[f"dropout-{name}"] = Dropout(dropout)
    return layers


def softmax_regression(
    normaliser: Normaliser, shape: Shape, classes: int, dtype: DTypeLike = np.float32
) -> Sequence:
    """One affine layer, which normalises raw pixels as part of its product.

    Args:
        normaliser: Of the pixels.
        shape: Of one image.
        classes: Outputs, which are logits.
        dtype: Of parameters and results.
    """
    scale = np.broadcast_to(normaliser.scale, shape).reshape(-1)
    shift = np.broadcast_to(normaliser.shift, shape).reshape(-1)
    output = NormalisedAffine(scale, shift, classes, dtype)
    return Sequence({"flatten": Flatten(), "output": output})
