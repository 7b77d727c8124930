"""Affine layers: every output a weighted sum of every input.

Source: Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors".
"""

import numpy as np
from numpy.typing import DTypeLike

from bakeoff.core.protocols import Position
from bakeoff.scratch.layers.base import Layer, Shape
from bakeoff.scratch.memory import Array, Buffer


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
        self.expect(inputs.shape[1:], self.parameters["weight"].shape[1:])
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
        """(outputs,) of (inputs,).

        Raises:
            InputError: where an example has another shape.
        """
        self.expect(shape, self.parameters["weight"].shape[1:])
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
        self.scale, self.shift = scale.astype(dtype), shift.astype(dtype)
        self._spare = np.empty_like(self.parameters["weight"])

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, inputs) to (B, outputs)."""
        self.expect(inputs.shape[1:], self.parameters["weight"].shape[1:])
        self._inputs = inputs
        weight, bias = self.parameters["weight"], self.parameters["bias"]
        folded = np.multiply(weight, self.scale, out=self._spare)
        outputs: Array = self._outputs((len(inputs), len(weight)), weight.dtype)
        np.matmul(inputs, folded.T, out=outputs)
        outputs += bias + weight @ self.shift
        return outputs

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, outputs) to (B, inputs)."""
        downstream = super().backward(upstream, to_inputs)
        gradient = self.gradients["weight"]
        gradient *= self.scale
        gradient += np.multiply.outer(self.gradients["bias"], self.shift, out=self._spare)
        if downstream is not None:
            downstream *= self.scale
        return downstream
