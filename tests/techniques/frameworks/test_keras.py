"""Each scratch layer and its counterpart in Keras, in float64; weights both ways."""

import numpy as np
import pytest
from tests.techniques.frameworks.kinds import CASES, kinds, passed, upstream_of
from tests.techniques.frameworks.same import SETTLED, SHAPE, STREAMS, everything

from bakeoff.core.protocols import Position
from bakeoff.execution import numerics
from bakeoff.scratch.layers import Affine, BatchNorm, Convolution, Dropout, Layer, LeakyRelu
from bakeoff.scratch.losses import Hinge
from bakeoff.scratch.network import saved
from bakeoff.techniques.frameworks.keras import (
    CONVERSIONS,
    convert,
    hinge,
    read_weights,
    write_weights,
)
from bakeoff.training.keras.library import tf

AT = Position(step=3, epoch=0, learning_rate=0.0)


@pytest.fixture(autouse=True)
def settled() -> None:
    numerics.apply(SETTLED, "keras")


def test_no_layer_is_forgotten() -> None:
    assert CONVERSIONS.keys() == kinds()


@pytest.mark.parametrize("at", [AT, None], ids=["learning", "evaluating"])
@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_outputs_and_gradients(kind: type[Layer], at: Position | None) -> None:
    layer, inputs = CASES[kind].drawn(), CASES[kind].inputs
    layer.draw_from(STREAMS, "here")
    model, made = convert(layer, inputs.shape[1:], "float64")
    if at is not None:
        made.begin(at)
    expected = passed(layer, inputs.copy(), at)
    there = tf.constant(inputs)
    learnt = {path: made.weights[path].variable.value for path in layer.parameters}
    with tf.GradientTape() as tape:
        tape.watch(there)
        outputs = model(there, training=at is not None)
    upstream = tf.constant(upstream_of(expected["outputs"]))
    to_inputs, *gradients = tape.gradient(outputs, [there, *learnt.values()], upstream)
    found = {"outputs": outputs.numpy(), "to inputs": to_inputs.numpy()}
    for path, gradient in zip(learnt, gradients, strict=True):
        axes = made.weights[path].axes
        values = gradient.numpy()
        found[path] = values.transpose(np.argsort(axes)) if axes else values
    found |= {path: made.weights[path].variable.numpy() for path in layer.averages}
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        # TensorFlow keeps the slope of a leaky ReLU in float32.
        rtol = 1e-7 if kind is LeakyRelu else 1e-9
        np.testing.assert_allclose(found[name], values, rtol=rtol, atol=1e-11, err_msg=name)


def test_layouts() -> None:
    """(outputs, inputs) is (inputs, outputs) there, (outputs, inputs, kH, kW) ends in outputs."""
    _, made = convert(Affine(3, 2), (3,))
    assert tuple(made.weights["weight"].variable.shape) == (3, 2)
    assert made.weights["weight"].units == 1
    _, made = convert(Convolution(3, 5, (2, 4)), (6, 6, 3))
    assert tuple(made.weights["weight"].variable.shape) == (2, 4, 3, 5)
    assert made.weights["weight"].units == 3
    assert made.weights["bias"].units == 0


def test_weights_both_ways() -> None:
    network, fresh = everything(), everything()
    _, made = convert(network, SHAPE)
    for values in saved(network).values():
        values += 1
    write_weights(network, made.weights)
    read_weights(fresh, made.weights)
    for path, values in saved(network).items():
        assert saved(fresh)[path].tobytes() == values.tobytes()


def test_masks_are_the_scratch_layers() -> None:
    layer = Dropout(0.5)
    layer.draw_from(STREAMS, "here")
    model, made = convert(layer, (2, 3, 4))
    inputs = np.ones((6, 2, 3, 4), np.float32)
    made.begin(AT)
    found = model(inputs, training=True).numpy()
    np.testing.assert_array_equal(found, layer.forward(inputs, AT))
    assert 0 < (found == 0).sum() < found.size


def test_batch_norm_of_a_single_number_moves_no_average() -> None:
    layer = BatchNorm(3)
    model, made = convert(layer, (3,))
    inputs = np.array([[1.0, -2.0, 5.0]], np.float32)
    found = model(inputs, training=True).numpy()
    np.testing.assert_allclose(found, layer.forward(inputs, AT), rtol=1e-6)
    np.testing.assert_array_equal(made.weights["running_mean"].variable.numpy(), 0)


def test_hinge_is_the_scratch_loss() -> None:
    generator = np.random.default_rng(0)
    logits, labels = generator.standard_normal((9, 4)), generator.integers(0, 4, 9)
    expected = Hinge().forward(logits, labels)
    np.testing.assert_allclose(hinge(tf.constant(labels), tf.constant(logits)), expected)
