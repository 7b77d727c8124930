"""The layers models share."""

import math
from typing import get_args

import pytest
import torch

from bakeoff.models.layers import ACTIVATIONS
from bakeoff.models.settings import Activation


def test_every_activation_of_the_settings_is_there() -> None:
    assert set(ACTIVATIONS) == set(get_args(Activation))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("relu", 0.0),
        ("leaky-relu", -0.01),
        ("elu", math.exp(-1) - 1),
        ("swish", -1 / (1 + math.e)),
        ("gelu", -0.5 * (1 + math.erf(-1 / math.sqrt(2)))),
        ("tanh", math.tanh(-1)),
    ],
)
def test_activations_at_minus_one(name: Activation, value: float) -> None:
    assert ACTIVATIONS[name]()(torch.tensor(-1.0)).item() == pytest.approx(value, abs=1e-6)
