"""A scratch network opened: its weights, its gradients, and what its activations give."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.examples import Items
from bakeoff.core.protocols import Arrays, Batch, Position, Watch
from bakeoff.scratch.layers import Dropout, Layer, Residual
from bakeoff.scratch.losses import Loss
from bakeoff.scratch.memory import Array
from bakeoff.scratch.network import ACTIVATIONS, Sequence
from bakeoff.scratch.step import Inputs

LEARNING = Position(step=0, epoch=0, learning_rate=0.0)
"""A pass that learns: batch norm looks at the batch. No update follows it."""
Wrap = Callable[[str, Layer], Layer]


class NetworkInside:
    """A network of our own layers.

    Args:
        network: Inputs (B, *shape) to outputs; its memory is used, its numbers stay.
        reader: Items to its inputs.
        loss: Of the outputs.
        fresh: Whether batch norm has no averages yet.
    """

    def __init__(self, network: Sequence, reader: Inputs, loss: Loss, *, fresh: bool) -> None:
        self._network, self._reader, self._loss = network, reader, loss
        self._fresh = fresh

    def weights(self) -> Arrays:
        """By layer; not copied."""
        parameters = self._network.parameters
        return {_layer(path): parameters[path] for path in self._network.weights}

    def filters(self) -> NDArray[np.float32] | None:
        """Of a convolution its windows, of an affine layer on images its weights as images."""
        first = next(iter(self.weights().values()))
        if first.ndim == 4:
            return np.moveaxis(first, 1, -1)
        shape = self._reader.shape
        if len(shape) != 3 or first.shape[1] != self._reader.size:
            return None
        return first.reshape(-1, *shape)

    def gradients(self, batch: Batch) -> Arrays:
        """Copied."""
        network = _rebuilt(self._network, lambda path, layer: layer)
        with self._averages_kept(), np.errstate(over="ignore", invalid="ignore"):
            outputs = network.forward(self._inputs(cast(Items, batch.items)), LEARNING)
            self._loss.forward(outputs, batch.labels)
            network.backward(self._loss.backward(len(batch.labels)), to_inputs=False)
        return {_layer(path): network.gradients[path].copy() for path in self._network.weights}

    def outputs(self, items: Items, watch: Watch) -> None:
        """Of every activation, in the order of the pass."""
        last = [""]

        def listening(path: str, layer: Layer) -> Layer:
            return _Listening(path, layer, last, watch)

        network = _rebuilt(self._network, listening)
        with self._averages_kept(), np.errstate(over="ignore", invalid="ignore"):
            network.forward(self._inputs(items), LEARNING if self._fresh else None)

    def _inputs(self, items: Items) -> Array:
        inputs = np.empty((len(items), self._reader.size), self._reader.dtype)
        self._reader.write(np.asarray(items), inputs)
        return inputs.reshape(len(items), *self._reader.shape)

    @contextmanager
    def _averages_kept(self) -> Iterator[None]:
        """Passes that learn move the running averages; they are put back."""
        before = {path: values.copy() for path, values in self._network.averages.items()}
        try:
            yield
        finally:
            for path, values in self._network.averages.items():
                np.copyto(values, before[path])


class _Listening(Layer):
    """A layer that is passed as it is; what activations give is told."""

    def __init__(self, path: str, layer: Layer, last: list[str], watch: Watch) -> None:
        super().__init__()
        self._path, self._layer, self._last, self._watch = path, layer, last, watch

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """The layer's own."""
        outputs = self._layer.forward(inputs, at)
        if self._layer.weights:
            self._last[0] = self._path
        if self._layer.kind in ACTIVATIONS:
            self._watch(self._last[0], self._layer.kind, outputs)
        return outputs


def _layer(path: str) -> str:
    """The layer of a weight."""
    return path.rpartition(".")[0]


def _rebuilt(network: Sequence, wrap: Wrap, path: str = "") -> Sequence:
    """The network without dropout, its other layers wrapped; memory and numbers are shared."""
    children = {}
    for name, child in network.children.items():
        below = f"{path}.{name}" if path else name
        if not isinstance(child, Dropout):
            children[name] = _wrapped(child, wrap, below)
    return Sequence(children)


def _wrapped(layer: Layer, wrap: Wrap, path: str) -> Layer:
    if isinstance(layer, Sequence):
        return _rebuilt(layer, wrap, path)
    if isinstance(layer, Residual):
        projection = layer.projection
        if projection is not None:
            projection = _wrapped(projection, wrap, f"{path}.projection")
        return Residual(_wrapped(layer.body, wrap, f"{path}.body"), projection)
    return wrap(path, layer)
