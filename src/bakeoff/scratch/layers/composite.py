"""Layers made of layers."""

from collections.abc import Mapping

from bakeoff.core.streams import Streams
from bakeoff.scratch.layers.base import Layer


class Composite(Layer):
    """A layer whose parameters are its children's, by path.

    A parameter's path is the names on the way to it, joined by dots: `hidden-1.weight`.

    Args:
        children: By name.
    """

    def __init__(self, children: Mapping[str, Layer]) -> None:
        super().__init__()
        self.children = dict(children)
        self.splittable = all(child.splittable for child in self.children.values())
        for name, child in self.children.items():
            self.parameters |= {f"{name}.{key}": value for key, value in child.parameters.items()}
            self.gradients |= {f"{name}.{key}": value for key, value in child.gradients.items()}
            self.weights |= {f"{name}.{key}": value for key, value in child.weights.items()}
            self.averages |= {f"{name}.{key}": value for key, value in child.averages.items()}

    def draw_from(self, streams: Streams, path: str) -> None:
        """Hand the streams to the children, each under its own path."""
        for name, child in self.children.items():
            child.draw_from(streams, f"{path}.{name}" if path else name)
