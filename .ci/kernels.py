"""The kernels of an installed package: the ones expected are in use, and give NumPy's numbers.

python .ci/kernels.py compiled|NumPy FOLDER
"""

import sys

import numpy as np

from bakeoff.scratch import kernels
from bakeoff.scratch.layers import AveragePool, Convolution, MaxPool
from bakeoff.scratch.network import Sequence


def numbers() -> list[bytes]:
    """The bits of a forward and a backward pass through every kernel."""
    generator = np.random.default_rng(0)
    layers = {"a": Convolution(3, 8, 3, 1, 1), "b": MaxPool(3, 2, 1), "c": AveragePool(2, 1, 1)}
    network = Sequence(layers)
    for values in network.parameters.values():
        values[...] = generator.standard_normal(values.shape)
    outputs = network.forward(generator.standard_normal((5, 9, 11, 3)).astype(np.float32))
    gradient = network.backward(generator.standard_normal(outputs.shape).astype(np.float32))
    assert gradient is not None
    return [array.tobytes() for array in (outputs, gradient, *network.gradients.values())]


expected, folder = sys.argv[1:]
assert kernels.__file__.startswith(folder), kernels.__file__
assert kernels.describe().startswith(expected), kernels.describe()
found = numbers()
with kernels.using("numpy"):
    assert found == numbers(), "the kernels differ"
print(f"{kernels.describe()}: the numbers of NumPy alone")
