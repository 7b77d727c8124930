"""Scratch networks in Keras: each layer's counterpart, weights both ways, and the network at work.

Images lie as (B, H, W, C) in both. Keras keeps an affine weight as (inputs, outputs) and a
convolution's as (kH, kW, inputs, outputs), where the scratch network has (outputs, inputs) and
(outputs, inputs, kH, kW).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.protocols import Normaliser, Position, Step
from bakeoff.core.streams import Streams
from bakeoff.scratch import layers
from bakeoff.scratch.kernels.window import Window
from bakeoff.scratch.layers import Layer, Shape
from bakeoff.scratch.losses import LossName
from bakeoff.scratch.network import Sequence, saved
from bakeoff.techniques.frameworks.base import NONE, Extras
from bakeoff.training.keras.inference import Inference
from bakeoff.training.keras.layers import BatchNorm, NamedDropout, Padding, Residual, Scaled
from bakeoff.training.keras.library import keras, tf
from bakeoff.training.keras.step import KerasStep, Learning, Loss
from bakeoff.training.settings import TrainingSettings

AS_IT_IS, AFFINE, CONVOLUTION = (), (1, 0), (2, 3, 1, 0)
"""The axes of a scratch array in the order in which Keras has them; (): the same order."""


@dataclass(frozen=True, eq=False)
class Weight:
    """A variable of Keras's, and where the axes of its scratch counterpart lie in it."""

    variable: Any
    axes: tuple[int, ...] = AS_IT_IS

    @property
    def units(self) -> int:
        """The axis that counts a weight's outputs: the scratch array's first."""
        return self.axes.index(0) if self.axes else 0

    def write(self, values: NDArray[Any]) -> None:
        """Copy the scratch network's numbers into the variable."""
        self.variable.assign(np.transpose(values, self.axes) if self.axes else values)

    def read(self, out: NDArray[Any]) -> None:
        """Copy the variable's numbers into the scratch network's array."""
        values = self.variable.numpy()
        back = np.transpose(values, np.argsort(self.axes)) if self.axes else values
        np.copyto(out, back, casting="no")


@dataclass(eq=False)
class Conversion:
    """A scratch network that is being converted, layer by layer.

    Attributes:
        dtype: Of all layers.
        at: Where in training a pass is, for layers that draw by it; None: nothing is dropped.
        weights: What was made so far, by path.
    """

    dtype: str = "float32"
    at: Position | None = None
    weights: dict[str, Weight] = field(default_factory=dict)
    made: int = 0

    def begin(self, at: Position) -> None:
        """Passes from now on are at this position."""
        self.at = at

    def options(self) -> dict[str, Any]:
        """What every Keras layer is made with."""
        self.made += 1
        return {"dtype": self.dtype, "name": f"layer-{self.made}"}

    def add(self, path: str, variable: Any, axes: tuple[int, ...] = AS_IT_IS) -> None:
        """Note the counterpart of a scratch array."""
        self.weights[path] = Weight(variable, axes)

    def model(self, layer: Layer, path: str, shape: Shape) -> Any:
        """A layer at a path, of inputs (B, *shape), as a Keras model without its weights."""
        parts = CONVERSIONS[type(layer)](layer, self, path, shape)
        return keras.Sequential([keras.Input(shape, dtype=self.dtype), *parts])


Convert = Callable[[Any, Conversion, str, Shape], list[Any]]
"""Keras layers in the place of a scratch layer at a path, built for inputs of a shape."""


def _sequence(layer: Sequence, made: Conversion, path: str, shape: Shape) -> list[Any]:
    parts: list[Any] = []
    for name, child in layer.children.items():
        parts += CONVERSIONS[type(child)](child, made, _join(path, name), shape)
        shape = child.output_shape(shape)
    return parts


def _residual(layer: layers.Residual, made: Conversion, path: str, shape: Shape) -> list[Any]:
    body = made.model(layer.body, _join(path, "body"), shape)
    projection = None
    if layer.projection is not None:
        projection = made.model(layer.projection, _join(path, "projection"), shape)
    return [Residual(body, projection, **made.options())]


def _affine(layer: layers.Affine, made: Conversion, path: str, shape: Shape) -> list[Any]:
    options = made.options() | {"kernel_initializer": "zeros"}
    dense = keras.layers.Dense(len(layer.parameters["bias"]), **options)
    dense.build((None, *shape))
    made.add(_join(path, "weight"), dense.kernel, AFFINE)
    made.add(_join(path, "bias"), dense.bias)
    return [dense]


def _normalised_affine(
    layer: layers.NormalisedAffine, made: Conversion, path: str, shape: Shape
) -> list[Any]:
    scaled = Scaled(layer.scale, layer.shift, **made.options())
    return [scaled, *_affine(layer, made, path, shape)]


def _convolution(layer: layers.Convolution, made: Conversion, path: str, shape: Shape) -> list[Any]:
    window, bias = layer.window, "bias" in layer.parameters
    parts = _padded(window, made)
    options = made.options() | {"use_bias": bias, "kernel_initializer": "zeros"}
    filters = len(layer.parameters["weight"])
    convolution = keras.layers.Conv2D(filters, window.kernel, strides=window.stride, **options)
    (down, right), (height, width, channels) = window.padding, shape
    convolution.build((None, height + 2 * down, width + 2 * right, channels))
    made.add(_join(path, "weight"), convolution.kernel, CONVOLUTION)
    if bias:
        made.add(_join(path, "bias"), convolution.bias)
    return [*parts, convolution]


def _average_pool(
    layer: layers.AveragePool, made: Conversion, path: str, shape: Shape
) -> list[Any]:
    window = layer.window
    pool = keras.layers.AveragePooling2D(window.kernel, strides=window.stride, **made.options())
    return [*_padded(window, made), pool]


def _max_pool(layer: layers.MaxPool, made: Conversion, path: str, shape: Shape) -> list[Any]:
    window = layer.window
    pool = keras.layers.MaxPooling2D(window.kernel, strides=window.stride, **made.options())
    return [*_padded(window, made, "-inf"), pool]


def _padded(window: Window, made: Conversion, filling: str = "0") -> list[Any]:
    """Padding as a layer of its own: Keras's `same` pads more below than above."""
    if not any(window.padding):
        return []
    return [Padding(window.padding, float(filling), **made.options())]


def _batch_norm(layer: layers.BatchNorm, made: Conversion, path: str, shape: Shape) -> list[Any]:
    norm = BatchNorm(layer.momentum, layer.epsilon, **made.options())
    norm.build((None, *shape))
    made.add(_join(path, "weight"), norm.gain)
    made.add(_join(path, "bias"), norm.shift)
    made.add(_join(path, "running_mean"), norm.mean)
    made.add(_join(path, "running_var"), norm.variance)
    return [norm]


def _layer_norm(layer: layers.LayerNorm, made: Conversion, path: str, shape: Shape) -> list[Any]:
    norm = keras.layers.LayerNormalization(epsilon=layer.epsilon, **made.options())
    norm.build((None, *shape))
    made.add(_join(path, "weight"), norm.gamma)
    made.add(_join(path, "bias"), norm.beta)
    return [norm]


def _dropout(layer: layers.Dropout, made: Conversion, path: str, shape: Shape) -> list[Any]:
    def mask(passing: tuple[int, ...]) -> NDArray[np.bool_]:
        kept = np.ones(passing, np.bool_)
        return kept if made.at is None else layer.mask(passing, made.at)

    # Nothing is left out, nothing scaled, where no position says which mask is meant.
    return [NamedDropout(layer.rate, mask, **made.options())]


def _activation(function: str) -> Convert:
    return lambda layer, made, path, shape: [keras.layers.Activation(function, **made.options())]


CONVERSIONS: Mapping[type[Layer], Convert] = {
    Sequence: _sequence,
    layers.Affine: _affine,
    layers.AveragePool: _average_pool,
    layers.BatchNorm: _batch_norm,
    layers.Convolution: _convolution,
    layers.Dropout: _dropout,
    layers.Flatten: lambda layer, made, path, shape: [keras.layers.Flatten(**made.options())],
    layers.LayerNorm: _layer_norm,
    layers.LeakyRelu: lambda layer, made, path, shape: [
        keras.layers.LeakyReLU(layer.slope, **made.options())
    ],
    layers.MaxPool: _max_pool,
    layers.NormalisedAffine: _normalised_affine,
    layers.Relu: _activation("relu"),
    layers.Residual: _residual,
    layers.Sigmoid: _activation("sigmoid"),
    layers.Swish: _activation("silu"),
    layers.Tanh: _activation("tanh"),
}
"""How each kind of layer is made in Keras."""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def convert(network: Layer, shape: Shape, dtype: str | None = None) -> tuple[Any, Conversion]:
    """A scratch network as a Keras model of the same function, with its weights.

    Args:
        network: Left as it is.
        shape: Of one example.
        dtype: Of the model; None: of the network's parameters, or float32 where it has none.

    Returns:
        The model, and what was converted: weights by path, and `begin`,
        which tells dropout where in training a pass is.
    """
    own = next((values.dtype.name for values in network.parameters.values()), "float32")
    made = Conversion(dtype or own)
    model = made.model(network, "", shape)
    write_weights(network, made.weights)
    return model, made


def write_weights(network: Layer, weights: Mapping[str, Weight]) -> None:
    """Copy a network's parameters and averages into the model made of it."""
    for path, values in saved(network).items():
        weights[path].write(values)


def read_weights(network: Layer, weights: Mapping[str, Weight]) -> None:
    """Copy a model's parameters and averages into the network it was made of."""
    for path, values in saved(network).items():
        weights[path].read(values)


def hinge(labels: Any, logits: Any) -> Any:
    """Each example's `scratch.losses.Hinge` (B,), from labels (B,) and logits (B, K)."""
    classes = tf.shape(logits)[1]
    right = tf.gather(logits, labels, batch_dims=1)[:, None]
    others = 1 - tf.one_hot(labels, classes, dtype=logits.dtype)
    margins = tf.nn.relu(1 - right + logits) * others
    return tf.reduce_sum(margins, axis=1) / tf.cast(classes, logits.dtype)


def smoothed_cross_entropy(smoothing: float) -> Loss:
    """Each example's `scratch.losses.SoftmaxCrossEntropy` (B,) with that smoothing."""
    plain = tf.nn.sparse_softmax_cross_entropy_with_logits

    def loss(labels: Any, logits: Any) -> Any:
        others = tf.reduce_logsumexp(logits, axis=1) - tf.reduce_mean(logits, axis=1)
        return (1 - smoothing) * plain(labels, logits) + smoothing * others

    return loss if smoothing else plain


def loss_of(name: LossName, smoothing: float) -> Loss:
    """By the names of `training.loss`; smoothing is of cross-entropy alone."""
    return smoothed_cross_entropy(smoothing) if name == "cross-entropy" else hinge


class KerasEngine:
    """A scratch network at work on images, in Keras on the CPU.

    Args:
        network: Images (B, H, W, C) to what it gives.
        normaliser: Of the pixels; None: the network is given 0..255.
        shape: (H, W, C) of one image.
    """

    def __init__(
        self, network: Layer, normaliser: Normaliser | None, shape: tuple[int, ...]
    ) -> None:
        model, self._made = convert(network, shape)
        self._network = network
        self._inference = Inference(model, normaliser, shape)

    def step(self, training: TrainingSettings, streams: Streams, extras: Extras = NONE) -> Step:
        """The loop's step."""
        weights = {path: weight.variable.value for path, weight in self._made.weights.items()}
        network = self._network
        step = KerasStep(
            self._inference,
            training,
            parameters={path: weights[path] for path in network.parameters},
            averages={path: weights[path] for path in network.averages},
            decayed={path: self._made.weights[path].units for path in network.weights},
            how=Learning(
                loss=loss_of(extras.loss, training.label_smoothing),
                augmentation=extras.augmentation,
                on_pass=self._made.begin,
            ),
        )
        step.splittable = network.splittable
        return step

    def keep(self) -> None:
        """Copy what the step has learnt into the scratch network."""
        read_weights(self._network, self._made.weights)

    def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, ...) float32, the network's outputs of (N, H, W, C) uint8."""
        return self._inference.outputs(images)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) float32 class probabilities of (N, H, W, C) uint8."""
        return self._inference.probabilities(images)
