"""Scratch networks opened: gradients against differences, outputs told, nothing changed."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.protocols import Batch, Normaliser
from bakeoff.core.streams import Streams
from bakeoff.scratch.convolutional import Block, convolutional
from bakeoff.scratch.inside import LEARNING, NetworkInside
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import SoftmaxCrossEntropy
from bakeoff.scratch.network import Sequence, initialise, perceptron, saved, softmax_regression
from bakeoff.scratch.step import Inputs

SHAPE = (4, 6, 3)
GENERATOR = np.random.default_rng(0)
ITEMS = GENERATOR.standard_normal((12, *SHAPE))
LABELS = GENERATOR.integers(0, 5, 12)
BATCH = Batch(ITEMS, LABELS, np.arange(12))


def network(dropout: float = 0.0) -> Sequence:
    """Convolutions with batch norm and shortcuts, dropout, an affine layer; in float64."""
    blocks = (Block(4, 3, normalisation="batch", activation="swish", residual=True),)
    built = convolutional(SHAPE, blocks, (7,), 5, activation="tanh", dropout=dropout, dtype="f8")
    initialise(built, Streams(0))
    return built


def opened(built: Sequence, *, fresh: bool = False) -> NetworkInside:
    return NetworkInside(built, Inputs(SHAPE, "f8"), SoftmaxCrossEntropy(), fresh=fresh)


def loss(built: Layer) -> float:
    return float(SoftmaxCrossEntropy().forward(built.forward(ITEMS, LEARNING), LABELS).mean())


def test_weights_are_what_is_drawn() -> None:
    built = network()
    weights = opened(built).weights()
    assert list(weights) == [
        "convolution-1-1",
        "residual-1.body.convolution-1-2",
        "residual-1.body.convolution-1-3",
        "hidden-1",
        "output",
    ]
    assert weights["output"] is built.parameters["output.weight"]


def test_gradients_are_those_of_the_mean_loss_without_dropout() -> None:
    """Central differences of a network without dropout, batch norm looking at the batch."""
    found = opened(network(dropout=0.5)).gradients(BATCH)
    plain = network()
    for path in plain.weights:
        values, gradient = plain.parameters[path].reshape(-1), found[path.rpartition(".")[0]]
        assert gradient.shape == plain.parameters[path].shape
        for place in GENERATOR.integers(0, values.size, 4):
            kept, ends = values[place], []
            for step in (1e-5, -1e-5):
                values[place] = kept + step
                ends.append(loss(plain))
            values[place] = kept
            assert gradient.reshape(-1)[place] == pytest.approx(
                (ends[0] - ends[1]) / 2e-5, rel=1e-4
            )


def test_outputs_are_told_behind_the_layer_before() -> None:
    told: list[tuple[str, str, tuple[int, ...]]] = []
    opened(network()).outputs(ITEMS, lambda layer, kind, y: told.append((layer, kind, y.shape)))
    assert told == [
        ("convolution-1-1", "swish", (12, 2, 3, 4)),
        ("residual-1.body.convolution-1-2", "swish", (12, 2, 3, 4)),
        ("residual-1.body.convolution-1-3", "swish", (12, 2, 3, 4)),
        ("hidden-1", "tanh", (12, 7)),
    ]


def test_outputs_are_the_networks_own() -> None:
    built, found = network(), {}

    def keep(layer: str, kind: str, outputs: NDArray[Any]) -> None:
        found[layer] = outputs.copy()

    opened(built).outputs(ITEMS, keep)
    logits = built.children["output"].forward(found["hidden-1"])
    np.testing.assert_array_equal(logits.copy(), built.forward(ITEMS))


def test_batch_norm_looks_at_the_items_where_nothing_was_learnt() -> None:
    spreads = {}
    for fresh in (False, True):
        built = perceptron(SHAPE, (50,), 5, "f8", activation="relu", normalisation="batch")
        initialise(built, Streams(0))

        def keep(layer: str, kind: str, outputs: NDArray[Any], fresh: bool = fresh) -> None:
            spreads[fresh] = (outputs > 0).mean(axis=0)

        opened(built, fresh=fresh).outputs(ITEMS + 3, keep)
    assert spreads[True].min() > 0.1  # centred: every unit is on for some
    assert spreads[False].min() == 0


def test_looking_changes_nothing() -> None:
    built = network(dropout=0.5)
    before = {path: values.tobytes() for path, values in saved(built).items()}
    for fresh in (True, False):
        inside = opened(built, fresh=fresh)
        inside.gradients(BATCH)
        inside.outputs(ITEMS, lambda layer, kind, outputs: None)
    assert {path: values.tobytes() for path, values in saved(built).items()} == before


def test_filters() -> None:
    built = network()
    filters = opened(built).filters()
    assert filters is not None
    assert filters.shape == (4, 3, 3, 3)
    weight = built.parameters["convolution-1-1.weight"]
    np.testing.assert_array_equal(filters[1, 2, 0], weight[1, :, 2, 0])


def test_filters_of_an_affine_layer_are_images() -> None:
    normaliser = Normaliser(np.zeros(3, np.float32), np.ones(3, np.float32))
    built = softmax_regression(normaliser, SHAPE, 5)
    weight = built.parameters["output.weight"]
    np.copyto(weight, np.arange(weight.size).reshape(weight.shape))
    inside = NetworkInside(built, Inputs(SHAPE), SoftmaxCrossEntropy(), fresh=False)
    filters = inside.filters()
    assert filters is not None
    assert filters.shape == (5, *SHAPE)
    # The product of an image with its filter is the layer's.
    image = GENERATOR.integers(0, 9, (1, *SHAPE)).astype(np.float32)
    assert built.forward(image * 255)[0, 2] == pytest.approx(
        (filters[2] * image[0]).sum(), rel=1e-5
    )


def test_numbers_have_no_pictures() -> None:
    built = perceptron((12,), (4,), 3)
    assert NetworkInside(built, Inputs((12,)), SoftmaxCrossEntropy(), fresh=True).filters() is None
