"""Scratch networks in torch: each layer's counterpart, weights both ways, and the network at work.

Modules have the names of the scratch layers, so that parameters have the same paths. Images lie as
(B, C, H, W) between them; weights lie in torch as they do in the scratch network.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import batch_norm, layer_norm, leaky_relu, linear, multi_margin_loss

from bakeoff.core.protocols import Normaliser, Position, Step
from bakeoff.core.recipe import Numerics
from bakeoff.core.streams import Streams
from bakeoff.scratch import layers
from bakeoff.scratch.kernels.window import Pair, Window
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import LossName
from bakeoff.scratch.network import Sequence, saved
from bakeoff.techniques.frameworks.base import NONE, Extras
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.arrays import named_tensors
from bakeoff.training.torch.inference import Inference
from bakeoff.training.torch.losses import LabelLoss, Loss, summed_cross_entropy, taught
from bakeoff.training.torch.numerics import resolve_device_and_precision
from bakeoff.training.torch.step import TorchStep
from bakeoff.training.torch.transforms import Augmentation, Pixels


class Passes:
    """Where in training the passes through a network are, for layers that draw by it."""

    def __init__(self) -> None:
        self.at: Position | None = None

    def begin(self, at: Position) -> None:
        """Passes from now on are at this position."""
        self.at = at


class ScaledLinear(nn.Linear):
    """`layers.NormalisedAffine`: an affine layer on `s x + t`, which is computed first."""

    def __init__(self, layer: layers.NormalisedAffine) -> None:
        outputs, inputs = layer.parameters["weight"].shape
        super().__init__(inputs, outputs)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", torch.from_numpy(layer.scale.copy()))
        self.register_buffer("shift", torch.from_numpy(layer.shift.copy()))

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        return linear(inputs * self.scale + self.shift, self.weight, self.bias)


class Flatten(nn.Module):
    """(B, C, H, W) to (B, D) with the channels fastest, as the scratch network flattens."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, ...) to (B, D)."""
        return _channels_last(inputs).flatten(1)


class LeakyRelu(nn.Module):
    """`layers.LeakyRelu`."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self._slope = slope

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return leaky_relu(inputs, self._slope)


class Dropout(nn.Module):
    """`layers.Dropout` with that layer's own masks."""

    def __init__(self, layer: layers.Dropout, passes: Passes) -> None:
        super().__init__()
        self._layer, self._passes = layer, passes

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape to the same shape."""
        rate, at = self._layer.rate, self._passes.at
        if not self.training or at is None or not rate:
            return inputs
        kept = torch.from_numpy(self._layer.mask(tuple(_channels_last(inputs).shape), at))
        factors = _channels_first(kept).to(inputs.device, inputs.dtype) * (1 / (1 - rate))
        return inputs * factors


class BatchNorm(nn.Module):
    """`layers.BatchNorm`; a single number a feature is normalised by the averages, as there."""

    def __init__(self, layer: layers.BatchNorm) -> None:
        super().__init__()
        self._momentum, self._epsilon = layer.momentum, layer.epsilon
        self.weight, self.bias = (nn.Parameter(torch.empty(layer.features)) for _ in range(2))
        self.running_mean: Tensor
        self.running_var: Tensor
        for name in layer.averages:
            self.register_buffer(name, torch.empty(layer.features))

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, D) or (B, C, H, W) to the same shape."""
        return batch_norm(
            inputs,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training and inputs.numel() > inputs.shape[1],
            self._momentum,
            self._epsilon,
        )


class LayerNorm(nn.Module):
    """`layers.LayerNorm`: over the last axis of (B, D), over the channels of (B, C, H, W)."""

    def __init__(self, layer: layers.LayerNorm) -> None:
        super().__init__()
        self._features, self._epsilon = layer.features, layer.epsilon
        self.weight, self.bias = (nn.Parameter(torch.empty(layer.features)) for _ in range(2))

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, D) or (B, C, H, W) to the same shape."""
        last = _channels_last(inputs)
        normal = layer_norm(last, (self._features,), self.weight, self.bias, self._epsilon)
        return _channels_first(normal)


class Residual(nn.Module):
    """`layers.Residual`."""

    def __init__(self, body: nn.Module, projection: nn.Module | None) -> None:
        super().__init__()
        self.body, self.projection = body, projection

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, ...) to the body's outputs."""
        shortcut = inputs if self.projection is None else self.projection(inputs)
        return cast(Tensor, self.body(inputs) + shortcut)


def _channels_last(values: Tensor) -> Tensor:
    """(B, C, H, W) as (B, H, W, C); others as they are."""
    return values.permute(0, 2, 3, 1) if values.dim() == 4 else values


def _channels_first(values: Tensor) -> Tensor:
    """(B, H, W, C) as (B, C, H, W); others as they are."""
    return values.permute(0, 3, 1, 2) if values.dim() == 4 else values


def _affine(layer: layers.Affine, passes: Passes) -> nn.Module:
    outputs, inputs = layer.parameters["weight"].shape
    return nn.Linear(inputs, outputs)


def _convolution(layer: layers.Convolution, passes: Passes) -> nn.Module:
    outputs, inputs = layer.parameters["weight"].shape[:2]
    bias = "bias" in layer.parameters
    return nn.Conv2d(inputs, outputs, *_window(layer.window), bias=bias)


def _window(window: Window) -> tuple[Pair, Pair, Pair]:
    """Kernel, stride and padding, as torch's layers take them."""
    return window.kernel, window.stride, window.padding


def _sequence(layer: Sequence, passes: Passes) -> nn.Module:
    return nn.Sequential(
        OrderedDict((name, _build(child, passes)) for name, child in layer.children.items())
    )


def _residual(layer: layers.Residual, passes: Passes) -> nn.Module:
    projection = None if layer.projection is None else _build(layer.projection, passes)
    return Residual(_build(layer.body, passes), projection)


CONVERSIONS: Mapping[type[Layer], Callable[[Any, Passes], nn.Module]] = {
    Sequence: _sequence,
    layers.Affine: _affine,
    layers.AveragePool: lambda layer, _: nn.AvgPool2d(*_window(layer.window)),
    layers.BatchNorm: lambda layer, _: BatchNorm(layer),
    layers.Convolution: _convolution,
    layers.Dropout: Dropout,
    layers.Flatten: lambda layer, _: Flatten(),
    layers.LayerNorm: lambda layer, _: LayerNorm(layer),
    layers.LeakyRelu: lambda layer, _: LeakyRelu(layer.slope),
    layers.MaxPool: lambda layer, _: nn.MaxPool2d(*_window(layer.window)),
    layers.NormalisedAffine: lambda layer, _: ScaledLinear(layer),
    layers.Relu: lambda layer, _: nn.ReLU(),
    layers.Residual: _residual,
    layers.Sigmoid: lambda layer, _: nn.Sigmoid(),
    layers.Swish: lambda layer, _: nn.SiLU(),
    layers.Tanh: lambda layer, _: nn.Tanh(),
}
"""How each kind of layer is made in torch."""


def _build(layer: Layer, passes: Passes) -> nn.Module:
    return CONVERSIONS[type(layer)](layer, passes)


def convert(network: Layer, passes: Passes | None = None) -> nn.Module:
    """A scratch network as a torch module of the same function, with its weights.

    Args:
        network: Left as it is.
        passes: Tells dropout where in training a pass is; None: nothing is dropped.

    Returns:
        On the CPU, in the network's dtype; images go in and come out as (B, C, H, W).
    """
    with torch.random.fork_rng([]):  # torch draws weights that we replace
        module = _build(network, passes or Passes())
    if network.parameters:
        dtype = next(iter(network.parameters.values())).dtype
        module.to(torch.from_numpy(np.empty(0, dtype)).dtype)
    write_weights(network, module)
    return module


def write_weights(network: Layer, module: nn.Module) -> None:
    """Copy a network's parameters and averages into the module made of it."""
    tensors = named_tensors(module)
    with torch.no_grad():
        for path, values in saved(network).items():
            tensors[path].copy_(torch.from_numpy(values))


def read_weights(network: Layer, module: nn.Module) -> None:
    """Copy a module's parameters and averages into the network it was made of."""
    tensors = named_tensors(module)
    for path, values in saved(network).items():
        np.copyto(values, tensors[path].detach().cpu().numpy(), casting="no")


def summed_hinge(logits: Tensor, labels: Tensor, rows: NDArray[np.intp]) -> Tensor:
    """The sum over the examples of `scratch.losses.Hinge`, from (B, K), (B,) and (B,)."""
    return multi_margin_loss(logits, labels, reduction="sum")


LOSSES: Mapping[LossName, LabelLoss | None] = {"cross-entropy": None, "hinge": summed_hinge}
"""By the names of `training.loss`; None: the step's own."""


class TorchEngine:
    """A scratch network at work on images, in torch.

    Args:
        network: Images (B, H, W, C) to what it gives.
        normaliser: Of the pixels; None: the network is given 0..255.
        shape: (H, W, C) of one image.
        numerics: Device and precision.

    Raises:
        InputError: where a device is asked for that is not there.
    """

    def __init__(
        self,
        network: Layer,
        normaliser: Normaliser | None,
        shape: tuple[int, ...],
        numerics: Numerics,
    ) -> None:
        device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
        if normaliser is None:  # (x / 255 - 0) / (1 / 255) is x itself, to the bit
            ones = np.ones(shape[-1], np.float32)
            normaliser = Normaliser(np.zeros_like(ones), ones / np.float32(255))
        pixels = Pixels(normaliser, cast(tuple[int, int, int], shape), torch.device(device))
        self._network, self._passes = network, Passes()
        self._step: TorchStep | None = None
        module, layout = convert(network, self._passes), numerics.channels_last
        self._inference = Inference(module, pixels, precision, channels_last=layout)

    def step(self, training: TrainingSettings, streams: Streams, extras: Extras = NONE) -> Step:
        """The loop's step."""
        augmentation, changes = None, extras.augmentation
        if changes is not None:
            augmentation = Augmentation(changes.draws, changes.mean, self._inference.pixels.device)
        loss: Loss | None = LOSSES[extras.loss]
        if extras.teaching is not None:
            labels = LOSSES[extras.loss] or partial(
                summed_cross_entropy, smoothing=training.label_smoothing
            )
            loss = taught(labels, extras.teaching)
        step = TorchStep(
            self._inference,
            training,
            streams,
            augmentation,
            loss=loss,
            on_pass=self._passes.begin,
        )
        step.splittable = self._network.splittable
        self._step = step
        return step

    def keep(self) -> None:
        """Copy what the step has learnt into the scratch network."""
        if self._step is not None:
            self._step.keep()
        read_weights(self._network, self._inference.module)

    def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, ...) float32, the network's outputs of (N, H, W, C) uint8."""
        found = self._inference.outputs(images)
        return np.ascontiguousarray(np.moveaxis(found, 1, -1)) if found.ndim == 4 else found

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) float32 class probabilities of (N, H, W, C) uint8."""
        return self._inference.probabilities(images)
