"""The kernels of an installed package: the ones expected are in use, and give NumPy's numbers.

python .ci/kernels.py compiled|NumPy FOLDER
"""

import sys

import numpy as np

from bakeoff.scratch import kernels
from bakeoff.scratch.layers import AveragePool, Convolution, MaxPool, Relu
from bakeoff.scratch.network import Sequence
from bakeoff.scratch.optimisers import optimiser


def numbers() -> list[bytes]:
    """The bits of a forward pass, a backward pass and an update through every kernel."""
    generator = np.random.default_rng(0)
    network = Sequence(
        {
            "a": Convolution(3, 8, 3, 1, 1),
            "b": Relu(),
            "c": MaxPool(3, 2, 1),
            "d": AveragePool(2, 1, 1),
        }
    )
    for values in network.parameters.values():
        values[...] = generator.standard_normal(values.shape)
    outputs = network.forward(generator.standard_normal((5, 9, 11, 3)).astype(np.float32))
    gradient = network.backward(generator.standard_normal(outputs.shape).astype(np.float32))
    assert gradient is not None
    found = [array.tobytes() for array in (outputs, gradient, *network.gradients.values())]
    optimiser("adam", network, l2=0.01).step(0.01)
    return found + [array.tobytes() for array in network.parameters.values()]


expected, folder = sys.argv[1:]
assert kernels.__file__.startswith(folder), kernels.__file__
assert kernels.describe().startswith(expected), kernels.describe()
found = numbers()
with kernels.using("numpy"):
    assert found == numbers(), "the kernels differ"
print(f"{kernels.describe()}: the numbers of NumPy alone")
