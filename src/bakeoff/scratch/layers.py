"""Layers: each knows its forward pass, its backward pass and its price.

A layer keeps from `forward` what `backward` needs, so the two alternate. Arrays that a layer
returns live in its own memory and hold until its next pass. Gradients are written, not added: a
step that cuts a batch adds up the parts itself.
Source: Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors".
"""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from bakeoff.core.protocols import LayerProfile, Position
from bakeoff.scratch.memory import Array, Buffer

Shape = tuple[int, ...]


class Layer:
    """A function of a batch with parameters, and its derivative.

    Attributes:
        kind: What `bakeoff profile` calls it.
        splittable: Whether a batch may pass in parts (not where examples see each other).
        parameters: By name; changed in place, never replaced.
        gradients: Of the same names and shapes; valid after `backward`.
        weights: The parameters that are drawn at random and shrunk by L2 (not biases or gains),
            with the (inputs, outputs) of one unit.
    """

    kind: ClassVar[str]
    splittable: bool = True

    def __init__(self) -> None:
        self.parameters: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self.weights: dict[str, tuple[int, int]] = {}

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """The outputs (B, ...) of inputs (B, ...).

        Args:
            inputs: Kept until `backward`.
            at: The update this pass belongs to; None where nothing is learnt from it.
        """
        raise NotImplementedError

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """Write `gradients`, and return the loss's gradient at the inputs of the last `forward`.

        Args:
            upstream: The loss's gradient at the outputs, of their shape.
            to_inputs: False spares the gradient at the inputs, where nothing lies before them.

        Returns:
            Of the inputs' shape; None where `to_inputs` is false.
        """
        raise NotImplementedError

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one example behind this layer, from the one before it."""
        return shape

    def macs(self, shape: Shape) -> int:
        """Multiply-accumulates of one example of this input shape; additions alone are free."""
        return 0

    def profile(self, name: str, shape: Shape) -> tuple[LayerProfile, ...]:
        """Its rows of the profile, for one example of this input shape."""
        count = sum(values.size for values in self.parameters.values())
        row = LayerProfile(
            name=name,
            kind=self.kind,
            input=shape,
            output=self.output_shape(shape),
            weights={name: values.shape for name, values in self.parameters.items()},
            parameters=count,
            trained_parameters=count,
            macs=self.macs(shape),
        )
        return (row,)


class Affine(Layer):
    """`y = x W^T + b`; with G the upstream gradient, `dW = G^T x`, `db = sum G`, `dx = G W`.

    Weights lie as (outputs, inputs), as in torch's `Linear`, so that a network of either framework
    starts from the same numbers.

    Args:
        inputs: Numbers of an example before it.
        outputs: And behind it.
        dtype: Of parameters and results.
    """

    kind = "affine"

    def __init__(self, inputs: int, outputs: int, dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        self.parameters = {
            "weight": np.zeros((outputs, inputs), dtype),
            "bias": np.zeros(outputs, dtype),
        }
        self.gradients = {name: np.zeros_like(p) for name, p in self.parameters.items()}
        self.weights = {"weight": (inputs, outputs)}
        self._inputs = self.parameters["weight"][:0]
        self._outputs, self._downstream = Buffer(), Buffer()

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, inputs) to (B, outputs)."""
        self._inputs = inputs
        weight = self.parameters["weight"]
        outputs = self._outputs((len(inputs), len(weight)), weight.dtype)
        np.matmul(inputs, weight.T, out=outputs)
        outputs += self.parameters["bias"]
        return outputs

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, outputs) to (B, inputs)."""
        np.matmul(upstream.T, self._inputs, out=self.gradients["weight"])
        np.add.reduce(upstream, axis=0, out=self.gradients["bias"])
        if not to_inputs:
            return None
        weight = self.parameters["weight"]
        return np.matmul(upstream, weight, out=self._downstream(self._inputs.shape, weight.dtype))

    def output_shape(self, shape: Shape) -> Shape:
        """(outputs,)."""
        return (len(self.parameters["weight"]),)

    def macs(self, shape: Shape) -> int:
        """One for each weight."""
        return self.parameters["weight"].size


class NormalisedAffine(Affine):
    """An affine layer on `s x + t`, computed from x itself: `y = x (s W)^T + (b + W t)`.

    Two passes over the weights take the place of two passes over the inputs, which pays where there
    are fewer outputs than examples. `dW = s (G^T x) + (sum G) t^T`: what it learns is exactly what
    an affine layer behind a normalisation learns.

    Args:
        scale: s, (inputs,).
        shift: t, (inputs,).
        outputs: Numbers of an example behind it.
        dtype: Of parameters and results.
    """

    def __init__(
        self, scale: Array, shift: Array, outputs: int, dtype: DTypeLike = np.float32
    ) -> None:
        super().__init__(len(scale), outputs, dtype)
        self._scale, self._shift = scale.astype(dtype), shift.astype(dtype)
        self._spare = np.empty_like(self.parameters["weight"])

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, inputs) to (B, outputs)."""
        self._inputs = inputs
        weight, bias = self.parameters["weight"], self.parameters["bias"]
        folded = np.multiply(weight, self._scale, out=self._spare)
        outputs: Array = self._outputs((len(inputs), len(weight)), weight.dtype)
        np.matmul(inputs, folded.T, out=outputs)
        outputs += bias + weight @ self._shift
        return outputs

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, outputs) to (B, inputs)."""
        downstream = super().backward(upstream, to_inputs)
        gradient = self.gradients["weight"]
        gradient *= self._scale
        gradient += np.multiply.outer(self.gradients["bias"], self._shift, out=self._spare)
        if downstream is not None:
            downstream *= self._scale
        return downstream


class Relu(Layer):
    """`y = max(x, 0)`; `dx` is G where x > 0, else 0 (at 0 too). Not-a-numbers pass.

    Source: Nair and Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """

    kind = "relu"

    def __init__(self) -> None:
        super().__init__()
        self._outputs, self._downstream, self._mask = Buffer(), Buffer(), Buffer()
        self._last: Array = np.empty(0)

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """Any shape to the same shape."""
        self._last = np.maximum(inputs, 0, out=self._outputs(inputs.shape, inputs.dtype))
        return self._last

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """Any shape to the same shape."""
        if not to_inputs:
            return None
        positive = np.greater(self._last, 0, out=self._mask(upstream.shape, np.bool_))
        downstream: Array = self._downstream(upstream.shape, upstream.dtype)
        np.multiply(upstream, positive, out=downstream)
        return downstream


class Flatten(Layer):
    """(B, ...) to (B, D), the last axis fastest; the same memory."""

    kind = "flatten"

    def __init__(self) -> None:
        super().__init__()
        self._shape: Shape = ()

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, ...) to (B, D)."""
        self._shape = inputs.shape
        return inputs.reshape(len(inputs), -1)

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, D) to (B, ...)."""
        return upstream.reshape(self._shape) if to_inputs else None

    def output_shape(self, shape: Shape) -> Shape:
        """(D,)."""
        return (math.prod(shape),)
