"""Convolutional networks: what stands where, sizes, gradients."""

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.streams import Streams
from bakeoff.scratch.convolutional import Block, PoolName, convolutional
from bakeoff.scratch.gradient_check import check_layer
from bakeoff.scratch.layers import Convolution
from bakeoff.scratch.network import NormName, initialise

SHAPE = (8, 6, 3)


def test_the_pooling_is_right_behind_the_first_convolution() -> None:
    network = convolutional(SHAPE, (Block(4, 2, normalisation="batch"),), (5,), 7, dropout=0.1)
    assert list(network.children) == [
        "convolution-1-1", "max-pool-1", "batch-norm-1-1", "relu-1-1",
        "convolution-1-2", "batch-norm-1-2", "relu-1-2",
        "flatten", "dropout-flat", "hidden-1", "relu-1", "dropout-1", "output",
    ]  # fmt: skip
    assert network.output_shape(SHAPE) == (7,)
    assert not network.splittable


def test_sizes() -> None:
    network = convolutional(SHAPE, (Block(4), Block(5, kernel=5, pooling="average")), (), 7)
    weights = {path: values.shape for path, values in network.parameters.items()}
    assert weights == {
        "convolution-1-1.weight": (4, 3, 3, 3),
        "convolution-1-1.bias": (4,),
        "convolution-2-1.weight": (5, 4, 5, 5),
        "convolution-2-1.bias": (5,),
        "output.weight": (7, 2 * 1 * 5),
        "output.bias": (7,),
    }
    assert network.macs(SHAPE) == 48 * 4 * 27 + 12 * 5 * 100 + 7 * 10
    assert network.splittable


def test_a_normalised_convolution_has_no_bias() -> None:
    network = convolutional(SHAPE, (Block(4, normalisation="layer"),), (), 7)
    first = network.children["convolution-1-1"]
    assert isinstance(first, Convolution)
    assert list(first.parameters) == ["weight"]


@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("residual", [False, True])
def test_gradients(normalisation: NormName, pooling: PoolName, residual: bool) -> None:
    blocks = (
        Block(4, 2, 3, pooling, normalisation, "tanh", residual),
        Block(5, 1, 3, pooling, normalisation, "swish"),
    )
    network = convolutional(SHAPE, blocks, (6,), 3, dropout=0.2, dtype=np.float64)
    assert ("residual-1" in network.children) == residual
    initialise(network, Streams(0))
    inputs = np.random.default_rng(0).standard_normal((3, *SHAPE))
    errors = check_layer(network, inputs, np.random.default_rng(1), limit=20)
    assert all(error.right for error in errors), errors


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(InputError, match=r"model\.channels: 3 blocks .* 8 x 6 .*needed: 8 x 8"):
        convolutional(SHAPE, (Block(2), Block(2), Block(2)), (), 3)
