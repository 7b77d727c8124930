"""One network in several frameworks: the scratch network says what it is, the others follow it.

A network of `bakeoff.scratch` is converted layer by layer, with its weights. What was learnt comes
back into it, so that predictors are saved in one layout whatever computed them.
"""

from bakeoff.core.protocols import Normaliser
from bakeoff.scratch.layers import Layer, Shape
from bakeoff.techniques.frameworks.base import Computing, Engine, Extras

__all__ = ["Computing", "Engine", "Extras", "engine"]


def engine(
    network: Layer, computing: Computing, normaliser: Normaliser | None, shape: Shape
) -> Engine:
    """A scratch network, with the weights it has, at work in a framework.

    Args:
        network: Images (B, H, W, C) to what it gives. `Engine.keep` alone changes it, but for
            `numpy`, where it is what learns.
        computing: The framework, which loads now, and torch's device and precision.
        normaliser: Of the pixels; None: the network is given 0..255.
        shape: Of one image.

    Raises:
        InputError: where the framework is not installed, or a device is not there.
    """
    match computing.framework:
        case "numpy":
            from bakeoff.techniques.frameworks.numpy import NumpyEngine

            return NumpyEngine(network, normaliser, shape)
        case "torch":
            from bakeoff.techniques.frameworks.torch import TorchEngine

            return TorchEngine(network, normaliser, shape, computing.numerics)
        case "keras":
            from bakeoff.techniques.frameworks.keras import KerasEngine

            return KerasEngine(network, normaliser, shape)
