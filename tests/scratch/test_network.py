"""Networks: paths, gradients, initial weights, profiles, nesting."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from bakeoff.core.initial import initial_weights
from bakeoff.core.protocols import Normaliser
from bakeoff.core.streams import Streams
from bakeoff.scratch.gradient_check import check_layer
from bakeoff.scratch.layers import Affine, Flatten, Layer, Relu
from bakeoff.scratch.losses import SoftmaxCrossEntropy
from bakeoff.scratch.network import (
    ACTIVATIONS,
    ActivationName,
    NormName,
    Sequence,
    initialise,
    perceptron,
    softmax_regression,
)
from bakeoff.training.torch.initialise import initialise as initialise_torch

GENERATOR = np.random.default_rng(0)
SHAPE = (3, 2, 2)
INPUTS = GENERATOR.standard_normal((6, *SHAPE))
LABELS = GENERATOR.integers(0, 4, 6)


@pytest.fixture
def network() -> Sequence:
    """Two hidden layers in float64, biases drawn too."""
    built = perceptron(SHAPE, (5, 3), 4, np.float64)
    initialise(built, Streams(0))
    for path in built.parameters.keys() - built.weights.keys():
        built.parameters[path][...] = np.random.default_rng(1).standard_normal()
    return built


def test_parameters_by_path(network: Sequence) -> None:
    shapes = {path: values.shape for path, values in network.parameters.items()}
    assert shapes == {
        "hidden-1.weight": (5, 12),
        "hidden-1.bias": (5,),
        "hidden-2.weight": (3, 5),
        "hidden-2.bias": (3,),
        "output.weight": (4, 3),
        "output.bias": (4,),
    }
    assert network.weights == {
        "hidden-1.weight": (12, 5),
        "hidden-2.weight": (5, 3),
        "output.weight": (3, 4),
    }


def test_gradients_are_those_of_central_differences(network: Sequence) -> None:
    errors = check_layer(network, INPUTS, np.random.default_rng(2))
    assert len(errors) == 1 + len(network.parameters)
    assert all(error.right for error in errors), errors


def test_gradients_are_torchs(network: Sequence) -> None:
    sizes = [12, 5, 3, 4]
    linear = [torch.nn.Linear(a, b).double() for a, b in pairwise(sizes)]
    for module, name in zip(linear, ["hidden-1", "hidden-2", "output"], strict=True):
        for key, parameter in module.named_parameters():
            parameter.data = torch.from_numpy(network.parameters[f"{name}.{key}"].copy())
    flat = torch.from_numpy(INPUTS.reshape(6, -1))
    logits = linear[2](linear[1](linear[0](flat).relu()).relu())
    mean = torch.nn.functional.cross_entropy(logits, torch.from_numpy(LABELS))
    mean.backward()  # type: ignore[no-untyped-call]

    loss = SoftmaxCrossEntropy()
    loss.forward(network.forward(INPUTS), LABELS)
    network.backward(loss.backward(6), to_inputs=False)
    for module, name in zip(linear, ["hidden-1", "hidden-2", "output"], strict=True):
        for key, parameter in module.named_parameters():
            assert parameter.grad is not None
            np.testing.assert_allclose(
                network.gradients[f"{name}.{key}"], parameter.grad.numpy(), rtol=1e-11, atol=1e-15
            )


def test_gradients_are_the_same_without_those_of_the_inputs(network: Sequence) -> None:
    upstream = np.random.default_rng(4).standard_normal(network.forward(INPUTS).shape)
    assert network.backward(upstream) is not None
    whole = {path: gradient.copy() for path, gradient in network.gradients.items()}
    network.forward(INPUTS)
    assert network.backward(upstream, to_inputs=False) is None
    for path, gradient in network.gradients.items():
        np.testing.assert_array_equal(gradient, whole[path])


def test_networks_nest() -> None:
    inner = Sequence({"affine": Affine(12, 5, np.float64), "relu": Relu()})
    outer = Sequence({"flatten": Flatten(), "body": inner, "head": Affine(5, 4, np.float64)})
    assert list(outer.parameters)[:2] == ["body.affine.weight", "body.affine.bias"]
    initialise(outer, Streams(0))
    assert all(e.right for e in check_layer(outer, INPUTS, np.random.default_rng(2)))
    rows = outer.profile("", SHAPE)
    assert [row.name for row in rows] == ["flatten", "body.affine", "body.relu", "head"]
    assert outer.macs(SHAPE) == 12 * 5 + 5 * 4


def test_weights_depend_on_seed_path_and_shape_alone() -> None:
    deep, shallow = perceptron(SHAPE, (5, 3), 4), perceptron(SHAPE, (5,), 4)
    initialise(deep, Streams(7))
    initialise(shallow, Streams(7))
    weight = deep.parameters["hidden-1.weight"]
    np.testing.assert_array_equal(weight, shallow.parameters["hidden-1.weight"])
    expected = initial_weights(Streams(7), "hidden-1.weight", (5, 12), (12, 5), "he")
    np.testing.assert_array_equal(weight, expected)
    assert not shallow.parameters["output.bias"].any()


def test_torch_starts_from_the_same_weights() -> None:
    module = torch.nn.ModuleDict(
        {"hidden-1": torch.nn.Linear(12, 5), "output": torch.nn.Linear(5, 4)}
    )
    initialise_torch(module, Streams(3), {"output": "lecun"})
    network = perceptron(SHAPE, (5,), 4)
    initialise(network, Streams(3), {"output": "lecun"})
    theirs = {path: parameter.detach().numpy() for path, parameter in module.named_parameters()}
    assert theirs.keys() == network.parameters.keys()
    for path, values in network.parameters.items():
        np.testing.assert_array_equal(values, theirs[path])


def test_profile_adds_up(network: Sequence) -> None:
    rows = network.profile("", SHAPE)
    assert [row.name for row in rows] == list(network.children)
    assert sum(row.parameters for row in rows) == sum(p.size for p in network.parameters.values())
    assert [row.input for row in rows[1:]] == [row.output for row in rows[:-1]]
    assert rows[-1].output == network.output_shape(SHAPE) == (4,)
    assert network.macs(SHAPE) == 12 * 5 + 5 * 3 + 3 * 4


def test_the_layers_before_one(network: Sequence) -> None:
    body = network.until("output")
    assert list(body.children) == ["flatten", "hidden-1", "relu-1", "hidden-2", "relu-2"]
    assert body.parameters["hidden-1.weight"] is network.parameters["hidden-1.weight"]
    hidden = body.forward(INPUTS).copy()
    output = network.children["output"].forward(hidden)
    np.testing.assert_array_equal(output, network.forward(INPUTS))


def test_one_layer_that_looks_at_whole_batches_is_enough() -> None:
    class Whole(Relu):
        splittable = False

    children: dict[str, Layer] = {"relu": Relu(), "whole": Whole()}
    assert not Sequence(children).splittable
    assert Sequence({"relu": Relu()}).splittable


def test_softmax_regression_normalises_by_itself() -> None:
    generator = np.random.default_rng(0)
    mean = generator.uniform(0.3, 0.7, SHAPE).astype(np.float32)
    sd = generator.uniform(0.1, 0.4, SHAPE).astype(np.float32)
    normaliser = Normaliser(mean, sd)
    network = softmax_regression(normaliser, SHAPE, 4, np.float64)
    plain = perceptron(SHAPE, (), 4, np.float64)
    for built in (network, plain):
        initialise(built, Streams(0), {"output": "lecun"})
        built.parameters["output.bias"][...] = np.arange(4)
    pixels = generator.integers(0, 256, (6, *SHAPE)).astype(np.float64)
    normalised = pixels * normaliser.scale.astype(np.float64) + normaliser.shift
    upstream = generator.standard_normal((6, 4))
    np.testing.assert_allclose(network.forward(pixels), plain.forward(normalised), rtol=1e-12)
    network.backward(upstream)
    plain.backward(upstream)
    assert network.gradients.keys() == plain.gradients.keys()
    for path, gradient in plain.gradients.items():
        np.testing.assert_allclose(network.gradients[path], gradient, rtol=1e-11, atol=1e-12)
    assert network.profile("", SHAPE) == plain.profile("", SHAPE)
    assert network.macs(SHAPE) == math.prod(SHAPE) * 4


def test_what_stands_between_layers_is_in_order() -> None:
    network = perceptron(
        SHAPE, (5, 3), 4, activation="leaky-relu", normalisation="batch", dropout=0.2
    )
    expected = ["flatten", "hidden-1", "batch-norm-1", "leaky-relu-1", "dropout-1", "hidden-2"]
    assert list(network.children)[:6] == expected
    assert list(network.children)[-1] == "output"
    plain = perceptron(SHAPE, (5,), 4, normalisation="layer")
    assert list(plain.children) == ["flatten", "hidden-1", "layer-norm-1", "relu-1", "output"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
def test_gradients_of_every_kind_of_perceptron(
    activation: ActivationName, normalisation: NormName
) -> None:
    network = perceptron(
        SHAPE,
        (5, 3),
        4,
        np.float64,
        activation=activation,
        normalisation=normalisation,
        dropout=0.2,
    )
    initialise(network, Streams(0), {"": "glorot"})
    generator = np.random.default_rng(1)
    for path in sorted(network.parameters.keys() - network.weights.keys()):  # sets have no order
        network.parameters[path] += generator.normal(0, 0.3, network.parameters[path].shape)
    errors = check_layer(network, INPUTS, np.random.default_rng(2))
    assert all(error.right for error in errors), errors


def test_the_scheme_of_all_other_layers() -> None:
    network = perceptron(SHAPE, (5,), 4)
    initialise(network, Streams(1), {"": "glorot", "output": "zero"})
    expected = initial_weights(Streams(1), "hidden-1.weight", (5, 12), (12, 5), "glorot")
    np.testing.assert_array_equal(network.parameters["hidden-1.weight"], expected)
    assert not network.parameters["output.weight"].any()
