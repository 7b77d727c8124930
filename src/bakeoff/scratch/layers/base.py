"""What every layer promises: a forward pass, a backward pass and a price.

A layer keeps from `forward` what `backward` needs, so the two alternate. Arrays that a layer
returns live in its own memory and hold until its next pass; arrays that it is given it never
writes to, for others may need them (`Residual` does). Gradients are written, not added: a
step that cuts a batch adds up the parts itself.
Source: Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors".
"""

from typing import ClassVar

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import LayerProfile, Position
from bakeoff.core.streams import Streams
from bakeoff.scratch.memory import Array

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
        averages: What it keeps of the batches it has seen besides (running means); changed in
            place by passes that learn, part of what is saved, never of what is differentiated.
    """

    kind: ClassVar[str]
    splittable: bool = True

    def __init__(self) -> None:
        self.parameters: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self.weights: dict[str, tuple[int, int]] = {}
        self.averages: dict[str, Array] = {}

    def draw_from(self, streams: Streams, path: str) -> None:
        """Take whatever is random in learning from these streams, under the layer's path.

        Done by `network.initialise`; most layers draw nothing.
        """

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """The outputs (B, ...) of inputs (B, ...).

        Args:
            inputs: Kept until `backward`.
            at: The update this pass belongs to; None where nothing is learnt from it.
        """
        raise NotImplementedError

    def expect(self, received: Shape, needed: Shape) -> None:
        """Refuse an example's shape (or the end of it) that the layer was not made for.

        Raises:
            InputError: naming both.
        """
        if received[len(received) - len(needed) :] != needed or len(received) < len(needed):
            listing = ", ".join(map(str, needed))
            raise InputError(
                f"{self.kind}: examples of shape {received} received (allowed: ending in {listing})"
            )

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
