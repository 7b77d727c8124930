"""Whether the gradients of what is made from first principles are right: the whole check.

Weights are drawn as for training, and whatever else is learnt (biases, gains) is moved off its
start, where kinks often are: a unit whose inputs are all off has its ReLU exactly at 0.
"""

from typing import Any, ClassVar, Protocol, runtime_checkable

from bakeoff.core.errors import InputError, suggest
from bakeoff.core.recipe import Settings
from bakeoff.core.streams import Streams
from bakeoff.scratch.examples import LAYERS, LOSSES
from bakeoff.scratch.gradient_check import GradientError, check_layer, check_loss
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import Loss
from bakeoff.scratch.network import initialise
from bakeoff.techniques import find, names

BATCH = 5
"""Examples that pass together."""
OFF_START = 0.2
"""SD of what is added to biases and gains."""


@runtime_checkable
class Checkable(Protocol):
    """A technique whose network is made of our own layers."""

    settings: ClassVar[type[Settings]]

    def differentiable(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> tuple[Layer, Loss]:
        """The network in float64 on (B, *shape), and the loss of its outputs."""
        ...


def checkable_names() -> list[str]:
    """The techniques, layers and losses that can be checked, sorted."""
    techniques = [name for name in names() if isinstance(find(name), Checkable)]
    return sorted({*techniques, *LAYERS, *LOSSES})


def check_gradients(
    name: str,
    settings: dict[str, Any],
    shape: tuple[int, ...],
    classes: int,
    seed: int = 0,
    limit: int = 50,
) -> tuple[GradientError, ...]:
    """Compare every gradient of a technique's network, a layer or a loss with differences.

    Args:
        name: Of a technique, a layer or a loss.
        settings: A technique's sections; the defaults elsewhere.
        shape: Of one input of a technique's network, (H, W, C).
        classes: That a technique tells apart.
        seed: Of weights, inputs, upstream gradients, and the coordinates compared.
        limit: Coordinates of each array that are compared at most.

    Raises:
        InputError: where there is nothing of that name, or settings are none of it.
    """
    streams = Streams(seed)
    generator = streams.generator("check-gradients")
    if name in LAYERS or name in LOSSES:
        if settings:
            raise InputError(f"--set: {name} has no settings (allowed: those of a technique)")
        if name in LOSSES:
            build, outputs = LOSSES[name]
            return (_check_loss(build(), outputs, generator, limit),)
        layer = LAYERS[name].build()
        return _check_layer(layer, LAYERS[name].shape, streams, generator, limit)
    technique = find(name) if name in names() else None
    if not isinstance(technique, Checkable):
        near = suggest(name, checkable_names())
        listing = ", ".join(checkable_names())
        raise InputError(f"no gradients of our own in '{name}'{near} (allowed: {listing})")
    parsed = technique.settings.parse(settings)
    network, loss = technique.differentiable(parsed, shape, classes)
    errors = _check_layer(network, shape, streams, generator, limit)
    (outputs,) = network.output_shape(shape)
    return (*errors, _check_loss(loss, outputs, generator, limit))


def _check_layer(
    layer: Layer, shape: tuple[int, ...], streams: Streams, generator: Any, limit: int
) -> tuple[GradientError, ...]:
    initialise(layer, streams)
    for path in layer.parameters.keys() - layer.weights.keys():
        values = layer.parameters[path]
        values += OFF_START * streams.generator("off-start", path).standard_normal(values.shape)
    inputs = generator.standard_normal((BATCH, *shape))
    return check_layer(layer, inputs, generator, limit)


def _check_loss(loss: Loss, outputs: int, generator: Any, limit: int) -> GradientError:
    scores = generator.standard_normal((BATCH, outputs))
    labels = generator.integers(0, max(2, outputs), BATCH)
    return check_loss(loss, scores, labels, generator, limit)
