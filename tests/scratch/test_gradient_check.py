"""The check itself: it finds faults, says where, and leaves values as they were."""

import numpy as np
import pytest

from bakeoff.core.protocols import Position
from bakeoff.core.streams import Streams
from bakeoff.scratch.gradient_check import check_layer, check_loss
from bakeoff.scratch.layers import Affine, Relu
from bakeoff.scratch.losses import Hinge, SoftmaxCrossEntropy
from bakeoff.scratch.memory import Array
from bakeoff.scratch.network import Sequence, initialise, perceptron

INPUTS = np.random.default_rng(0).standard_normal((4, 6))


class Careless(Affine):
    """Forgets that the bias is used once for every example."""

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        gradient = super().backward(upstream, to_inputs)
        self.gradients["bias"] /= len(upstream)
        return gradient


class Doubling(Relu):
    """Wrong by a millionth at its inputs."""

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        gradient = super().backward(upstream, to_inputs)
        return None if gradient is None else gradient * (1 + 1e-6)


class Silent(Relu):
    """Gives no gradient."""

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        return super().forward(inputs)

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        return None


def wrong(errors: tuple[object, ...]) -> set[str]:
    return {error.name for error in errors if not error.right}  # type: ignore[attr-defined]


def test_a_wrong_parameter_gradient_is_found() -> None:
    layer = Careless(6, 3, np.float64)
    layer.parameters["weight"][...] = 1.0
    assert wrong(check_layer(layer, INPUTS, np.random.default_rng(0))) == {"bias"}


def test_a_wrong_input_gradient_is_found() -> None:
    assert wrong(check_layer(Doubling(), INPUTS, np.random.default_rng(0))) == {"inputs"}


def test_a_fault_deep_in_a_network_is_found() -> None:
    network = Sequence({"a": Careless(6, 3, np.float64), "b": Affine(3, 2, np.float64)})
    initialise(network, Streams(0))
    assert wrong(check_layer(network, INPUTS, np.random.default_rng(0))) == {"a.bias"}


def test_few_of_many_coordinates() -> None:
    network = perceptron((6,), (30,), 4, np.float64)
    initialise(network, Streams(0))
    errors = check_layer(network, INPUTS, np.random.default_rng(0), limit=10)
    assert {error.checked for error in errors} == {10, 4}
    assert not wrong(errors)


def test_values_end_as_they_began() -> None:
    layer, inputs = Affine(6, 3, np.float64), INPUTS.copy()
    layer.parameters["weight"][...] = 0.1
    check_layer(layer, inputs, np.random.default_rng(0))
    np.testing.assert_array_equal(inputs, INPUTS)
    assert (layer.parameters["weight"] == 0.1).all()


def test_no_gradient_is_an_error() -> None:
    with pytest.raises(ValueError, match="no gradient at the inputs"):
        check_layer(Silent(), INPUTS, np.random.default_rng(0))


def test_coordinates_at_a_kink_are_left_out_and_counted() -> None:
    inputs = np.array([[1.0, 0.0, 3e-6, -2.0]])
    (error,) = check_layer(Relu(), inputs, np.random.default_rng(0))
    assert (error.checked, error.kinks) == (4, 2)
    assert error.right


def test_kinks_alone_prove_nothing() -> None:
    (error,) = check_layer(Relu(), np.full((2, 3), 1e-7), np.random.default_rng(0))
    assert error.kinks == error.checked == 6
    assert not error.right


def test_a_gradient_of_0_is_right_up_to_rounding() -> None:
    """A bias before batch norm changes nothing: its differences are noise."""
    network = perceptron((6,), (5,), 3, np.float64, normalisation="batch", activation="tanh")
    initialise(network, Streams(0))
    errors = {e.name: e for e in check_layer(network, INPUTS.copy(), np.random.default_rng(0))}
    assert np.abs(network.gradients["hidden-1.bias"]).max() < 1e-12
    assert all(error.right for error in errors.values())


@pytest.mark.parametrize("size", [1e-6, 1e3])
def test_a_fault_is_found_whatever_the_size(size: float) -> None:
    class Wrong(Affine):
        def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
            gradient = super().backward(upstream, to_inputs)
            self.gradients["weight"] *= 1 + 1e-5
            return gradient

    layer = Wrong(6, 3, np.float64)
    layer.parameters["weight"][...] = size
    assert wrong(check_layer(layer, INPUTS * size, np.random.default_rng(0))) == {"weight"}


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy, Hinge])
def test_losses_are_checked_at_the_outputs(loss: type[SoftmaxCrossEntropy] | type[Hinge]) -> None:
    labels = np.array([0, 2, 1, 0])
    error = check_loss(loss(), INPUTS[:, :3].copy(), labels, np.random.default_rng(0))
    assert (error.name, error.right, error.checked) == ("outputs", True, 12)

    class Wrong(loss):  # type: ignore[misc, valid-type]
        def backward(self, count: int) -> Array:
            gradient: Array = super().backward(count)
            return gradient * (1 + 1e-6)

    assert not check_loss(Wrong(), INPUTS[:, :3].copy(), labels, np.random.default_rng(0)).right
