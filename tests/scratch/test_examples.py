"""Examples: of every layer and loss, each with right gradients."""

import inspect
import re

import numpy as np
import pytest

from bakeoff.scratch import layers, losses
from bakeoff.scratch.examples import LAYERS, LOSSES
from bakeoff.scratch.gradient_check import check_layer, check_loss
from bakeoff.scratch.layers import Layer


def small_letters(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def test_no_layer_and_no_loss_is_forgotten() -> None:
    kinds = {
        small_letters(value.__name__)
        for value in vars(layers).values()
        if inspect.isclass(value) and issubclass(value, Layer) and value is not Layer
    }
    assert kinds == set(LAYERS)
    found = {
        small_letters(value.__name__)
        for value in vars(losses).values()
        if inspect.isclass(value) and hasattr(value, "backward") and value is not losses.Loss
    }
    assert found == set(LOSSES)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_layers(name: str) -> None:
    layer = LAYERS[name].build()
    assert small_letters(type(layer).__name__) == name
    generator = np.random.default_rng(0)
    for values in layer.parameters.values():
        values[...] = generator.standard_normal(values.shape)
    inputs = generator.standard_normal((4, *LAYERS[name].shape))
    assert all(error.right for error in check_layer(layer, inputs, generator))


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_losses(name: str) -> None:
    build, outputs = LOSSES[name]
    generator = np.random.default_rng(0)
    scores, labels = generator.standard_normal((4, outputs)), generator.integers(0, 2, 4)
    assert check_loss(build(), scores, labels, generator).right
