"""Initial weights: a function of (seed, parameter path, shape) alone, the same in every framework.

Two networks with the same seed start with equal values wherever name and shape are equal.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.streams import Streams

Scheme = Literal["he", "glorot", "lecun", "zero"]


def initial_weights(
    streams: Streams, path: str, shape: tuple[int, ...], fan: tuple[int, int], scheme: Scheme = "he"
) -> NDArray[np.float32]:
    """Initial values of one weight array.

    Args:
        streams: The cell's.
        path: The parameter's name in its network.
        shape: Of the array.
        fan: (inputs, outputs) of one unit, receptive field included.
        scheme: `he` (He et al. 2015, "Delving deep into rectifiers", normal, eq. 10), `glorot`
            (Glorot and Bengio 2010, uniform, eq. 16), `lecun` (LeCun et al. 1998, "Efficient
            backprop", normal with variance 1 / inputs) or `zero`.

    Returns:
        float32 of the given shape.
    """
    fan_in, fan_out = fan
    if scheme == "zero":
        return np.zeros(shape, np.float32)
    generator = streams.generator("init", path)
    if scheme == "glorot":
        limit = math.sqrt(6 / (fan_in + fan_out))
        return generator.uniform(-limit, limit, shape).astype(np.float32)
    variance = (2 if scheme == "he" else 1) / fan_in
    return (math.sqrt(variance) * generator.standard_normal(shape)).astype(np.float32)
