"""Normalisation: numbers brought to mean 0 and variance 1, then scaled and shifted as is learnt.

Per-feature numbers are laid out for a whole example before they meet a batch: NumPy is slow where
the axis it broadcasts along is as short as an image's channels. The passes over a batch go in
blocks that stay in the processor's cache.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from bakeoff.core.protocols import Position
from bakeoff.scratch.layers.base import Layer, Shape
from bakeoff.scratch.memory import Array, Buffer

BLOCK = 1 << 16
"""Numbers worked on at a time: three float32 blocks are 768 KiB."""


class _Normalisation(Layer):
    """The gain and the shift that both share.

    Args:
        features: Numbers of the last axis.
        epsilon: Added to the variance.
        dtype: Of parameters and results.
    """

    def __init__(self, features: int, epsilon: float = 1e-5, dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        self.features, self.epsilon = features, epsilon
        self.parameters = {"weight": np.ones(features, dtype), "bias": np.zeros(features, dtype)}
        self.gradients = {name: np.zeros_like(p) for name, p in self.parameters.items()}
        self._outputs, self._downstream = Buffer(), Buffer()
        self._centred, self._spare = Buffer(), Buffer()

    def output_shape(self, shape: Shape) -> Shape:
        """The same.

        Raises:
            InputError: where the last axis is another.
        """
        self.expect(shape, (self.features,))
        return shape


class BatchNorm(_Normalisation):
    """`y = w (x - m) / sqrt(v + e) + b`, m and v the mean and variance of each feature.

    In passes that learn these are the batch's, over all axes but the last: the examples of (B, D),
    and the pixels too of (B, H, W, C). Running averages follow them, `r += momentum (m - r)`, the
    variance's with the divisor N - 1. Other passes use the averages, so that an example's result
    does not depend on the others. So does a pass that learns from a single number a feature, which
    has no variance, and moves no average.

    With `z = (x - m) / sqrt(v + e)` and N numbers a feature: `db = sum G`, `dw = sum G z`,
    `dx = w / sqrt(v + e) (G - db / N - z dw / N)`.
    Source: Ioffe and Szegedy 2015, "Batch normalization: accelerating deep network training by
    reducing internal covariate shift", algorithm 1.

    Args:
        features: D or C, the last axis.
        momentum: Weight of the newest batch in the running averages.
        epsilon: e, added to the variance.
        dtype: Of parameters, averages and results.
    """

    kind = "batch-norm"
    splittable = False

    def __init__(
        self,
        features: int,
        momentum: float = 0.1,
        epsilon: float = 1e-5,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__(features, epsilon, dtype)
        self.momentum = momentum
        self.averages = {
            "running_mean": np.zeros(features, dtype),
            "running_var": np.ones(features, dtype),
        }
        self._learning = False
        self._deviation = self.averages["running_var"]

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, ..., D) to the same shape."""
        self.expect(inputs.shape[1:], (self.features,))
        flat, count = inputs.reshape(len(inputs), -1), inputs.size // self.features
        self._learning = at is not None and count > 1
        centred = self._centred(flat.shape, inputs.dtype)
        if self._learning:
            mean, variance = self._centre(flat, centred, count)
            self._follow(mean, variance, count)
        else:
            mean, variance = self.averages["running_mean"], self.averages["running_var"]
            np.subtract(flat, self._spread(mean, flat), out=centred)
        self._deviation = np.sqrt(variance + self.epsilon)
        scale = self._spread(self.parameters["weight"] / self._deviation, flat)
        shift = self._spread(self.parameters["bias"], flat)
        outputs = self._outputs(flat.shape, inputs.dtype)
        for rows in _blocks(flat):
            np.multiply(centred[rows], scale, out=outputs[rows])
            np.add(outputs[rows], shift, out=outputs[rows])
        return outputs.reshape(inputs.shape)

    def _centre(self, flat: Array, centred: Array, count: int) -> tuple[Array, Array]:
        """Write the inputs less their mean; their mean and variance."""
        mean = self._sum(np.add.reduce(flat, axis=0)) / count
        wide, squares = self._spread(mean, flat), np.zeros_like(flat[0])
        spare = self._spare((_rows(flat), flat.shape[1]), flat.dtype)
        for rows in _blocks(flat):
            block = np.subtract(flat[rows], wide, out=centred[rows])
            squares += np.multiply(block, block, out=spare[: len(block)]).sum(axis=0)
        return mean, self._sum(squares) / count

    def _follow(self, mean: Array, variance: Array, count: int) -> None:
        """Move the running averages towards this batch's."""
        unbiased = variance * (count / (count - 1))
        for average, newest in zip(self.averages.values(), (mean, unbiased), strict=True):
            average += self.momentum * (newest - average)

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, ..., D) to the same shape."""
        flat, count = upstream.reshape(len(upstream), -1), upstream.size // self.features
        centred, weight = self._centred(flat.shape, flat.dtype), self.parameters["weight"]
        products = np.zeros_like(flat[0])
        spare = self._spare((_rows(flat), flat.shape[1]), flat.dtype)
        for rows in _blocks(flat):
            product = np.multiply(flat[rows], centred[rows], out=spare[: len(flat[rows])])
            products += product.sum(axis=0)
        self.gradients["bias"][...] = self._sum(np.add.reduce(flat, axis=0))
        self.gradients["weight"][...] = self._sum(products) / self._deviation
        if not to_inputs:
            return None
        scale = weight / self._deviation
        downstream: Array = self._downstream(flat.shape, flat.dtype)
        if not self._learning:
            np.multiply(flat, self._spread(scale, flat), out=downstream)
            return downstream.reshape(upstream.shape)
        slope = -scale * self.gradients["weight"] / (self._deviation * count)
        shift = self._spread(-scale * self.gradients["bias"] / count, flat)
        wide, slopes = self._spread(scale, flat), self._spread(slope, flat)
        for rows in _blocks(flat):
            block = np.multiply(flat[rows], wide, out=downstream[rows])
            block += np.multiply(centred[rows], slopes, out=spare[: len(block)])
            block += shift
        return downstream.reshape(upstream.shape)

    def _sum(self, wide: Array) -> Array:
        """Per-feature sums of the numbers of an example; in float64, as there may be many."""
        total: Array = wide.reshape(-1, self.features).sum(axis=0, dtype=np.float64)
        return total.astype(wide.dtype)

    def _spread(self, values: Array, flat: Array) -> Array:
        """Per-feature numbers laid out for a whole example."""
        return np.tile(values, flat.shape[1] // self.features)


class LayerNorm(_Normalisation):
    """`y = w (x - m) / sqrt(v + e) + b`, m and v over the last axis: every example by itself.

    With `z = (x - m) / sqrt(v + e)` and `H = w G`: `db = sum G`, `dw = sum G z`,
    `dx = (H - mean H - z mean(H z)) / sqrt(v + e)`, the means over the last axis.
    Source: Ba, Kiros and Hinton 2016, "Layer normalization", equations 3 and 4.

    Args:
        features: D, the last axis.
        epsilon: e, added to the variance.
        dtype: Of parameters and results.
    """

    kind = "layer-norm"

    def __init__(self, features: int, epsilon: float = 1e-5, dtype: DTypeLike = np.float32) -> None:
        super().__init__(features, epsilon, dtype)
        self._deviation: Array = np.empty(0)

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, ..., D) to the same shape."""
        self.expect(inputs.shape[1:], (self.features,))
        flat = inputs.reshape(-1, self.features)
        z = self._centred(flat.shape, flat.dtype)
        outputs: Array = self._outputs(flat.shape, flat.dtype)
        np.subtract(flat, flat.mean(axis=1, keepdims=True), out=z)
        np.multiply(z, z, out=outputs)
        self._deviation = np.sqrt(outputs.mean(axis=1, keepdims=True) + self.epsilon)
        z /= self._deviation
        np.multiply(z, self.parameters["weight"], out=outputs)
        outputs += self.parameters["bias"]
        return outputs.reshape(inputs.shape)

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, ..., D) to the same shape."""
        flat = upstream.reshape(-1, self.features)
        z, spare = self._centred(flat.shape, flat.dtype), self._spare(flat.shape, flat.dtype)
        np.multiply(flat, z, out=spare)
        np.add.reduce(spare, axis=0, out=self.gradients["weight"])
        np.add.reduce(flat, axis=0, out=self.gradients["bias"])
        if not to_inputs:
            return None
        downstream: Array = self._downstream(flat.shape, flat.dtype)
        np.multiply(flat, self.parameters["weight"], out=downstream)
        np.multiply(downstream, z, out=spare)
        common = spare.mean(axis=1, keepdims=True)
        downstream -= downstream.mean(axis=1, keepdims=True)
        downstream -= np.multiply(z, common, out=spare)
        downstream /= self._deviation
        return downstream.reshape(upstream.shape)


def _rows(flat: Array) -> int:
    """Examples of a block."""
    width = max(1, flat[0:1].size)
    return min(len(flat), max(1, BLOCK // width))


def _blocks(flat: Array) -> Iterator[slice]:
    """Runs of examples that stay in the cache together."""
    size = max(1, _rows(flat))
    return (slice(start, start + size) for start in range(0, len(flat), size))
