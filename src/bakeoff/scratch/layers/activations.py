"""Activations: one number in, one number out, no parameters."""

import numpy as np

from bakeoff.core.protocols import Position
from bakeoff.scratch import kernels
from bakeoff.scratch.layers.base import Layer
from bakeoff.scratch.memory import Array, Buffer

MANY = 1 << 19
"""Numbers from which a second thread is worth calling."""


class Relu(Layer):
    """`y = max(x, 0)`; `dx` is G where x > 0, else 0 (at 0 too). Not-a-numbers pass.

    Source: Nair and Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """

    kind = "relu"

    def __init__(self) -> None:
        super().__init__()
        self._outputs, self._downstream = Buffer(), Buffer()
        self._last: Array = np.empty(0)

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """Any shape to the same shape."""
        outputs = self._last = self._outputs(inputs.shape, inputs.dtype)

        def work(number: int, part: slice) -> None:
            np.maximum(inputs[part], 0, out=outputs[part])

        kernels.split(len(inputs), work, worth=inputs.size >= MANY)
        return outputs

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """Any shape to the same shape."""
        if not to_inputs:
            return None
        upstream = np.ascontiguousarray(upstream)
        downstream: Array = self._downstream(upstream.shape, upstream.dtype)

        def work(number: int, part: slice) -> None:
            arrays = (upstream[part], self._last[part], downstream[part])
            kernels.relu_backward(*(array.reshape(-1) for array in arrays))

        kernels.split(len(upstream), work, worth=upstream.size >= MANY)
        return downstream


class Smooth(Layer):
    """An activation whose slope is found from its inputs and outputs, in memory of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._outputs, self._downstream = Buffer(), Buffer()
        self._inputs: Array = np.empty(0)
        self._last: Array = np.empty(0)

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """Any shape to the same shape."""
        self._inputs = inputs
        self._last = self._outputs(inputs.shape, inputs.dtype)
        self._write(inputs, self._last)
        return self._last

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """Any shape to the same shape."""
        if not to_inputs:
            return None
        downstream: Array = self._downstream(upstream.shape, upstream.dtype)
        self._write_slope(downstream)
        np.multiply(downstream, upstream, out=downstream)
        return downstream

    def _write(self, inputs: Array, out: Array) -> None:
        """The outputs."""
        raise NotImplementedError

    def _write_slope(self, out: Array) -> None:
        """dy/dx of the last pass."""
        raise NotImplementedError


class LeakyRelu(Smooth):
    """`y = x` where x > 0, else `slope x`; `dx` is G there, else `slope G`.

    Source: Maas, Hannun and Ng 2013, "Rectifier nonlinearities improve neural network acoustic
    models".

    Args:
        slope: Left of 0, 0 <= slope < 1.
    """

    kind = "leaky-relu"

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = slope
        self._mask = Buffer()

    def _write(self, inputs: Array, out: Array) -> None:
        np.multiply(inputs, self.slope, out=out)
        np.maximum(inputs, out, out=out)

    def _write_slope(self, out: Array) -> None:
        positive = np.greater(self._inputs, 0, out=self._mask(out.shape, np.bool_))
        np.multiply(positive, out.dtype.type(1 - self.slope), out=out)
        np.add(out, self.slope, out=out)


class Sigmoid(Smooth):
    """`y = 1 / (1 + exp(-x))`; `dx = G y (1 - y)`.

    Written as `(1 + tanh(x / 2)) / 2`, which is the same number and never overflows.
    Source: Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating
    errors".
    """

    kind = "sigmoid"

    def _write(self, inputs: Array, out: Array) -> None:
        _write_sigmoid(inputs, out)

    def _write_slope(self, out: Array) -> None:
        np.subtract(1, self._last, out=out)
        np.multiply(out, self._last, out=out)


class Tanh(Smooth):
    """`y = tanh x`; `dx = G (1 - y^2)`.

    Source: LeCun et al. 1998, "Efficient backprop", section 4.4, on why it is centred.
    """

    kind = "tanh"

    def _write(self, inputs: Array, out: Array) -> None:
        np.tanh(inputs, out=out)

    def _write_slope(self, out: Array) -> None:
        np.multiply(self._last, self._last, out=out)
        np.subtract(1, out, out=out)


class Swish(Smooth):
    """`y = x s` with `s = 1 / (1 + exp(-x))`, also called SiLU; `dx = G (s + y (1 - s))`.

    Source: Ramachandran, Zoph and Le 2017, "Searching for activation functions" (beta = 1);
    Elfwing, Uchibe and Doya 2018, "Sigmoid-weighted linear units".
    """

    kind = "swish"

    def __init__(self) -> None:
        super().__init__()
        self._sigmoid = Buffer()
        self._share: Array = np.empty(0)

    def _write(self, inputs: Array, out: Array) -> None:
        self._share = self._sigmoid(inputs.shape, inputs.dtype)
        _write_sigmoid(inputs, self._share)
        np.multiply(inputs, self._share, out=out)

    def _write_slope(self, out: Array) -> None:
        np.subtract(1, self._share, out=out)
        np.multiply(out, self._last, out=out)
        np.add(out, self._share, out=out)


def _write_sigmoid(inputs: Array, out: Array) -> None:
    np.multiply(inputs, 0.5, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    np.add(out, 0.5, out=out)
