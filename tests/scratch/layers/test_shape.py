"""Layers that change shapes alone."""

import numpy as np
import torch
from tests.scratch.layers.case import Case, normal

from bakeoff.scratch.layers import Flatten, Layer

CASES: dict[type[Layer], Case] = {Flatten: Case(Flatten, normal(5, 3, 2), torch.nn.Flatten())}


def test_flatten_is_the_same_memory() -> None:
    inputs = normal(5, 3, 2)
    assert np.shares_memory(Flatten().forward(inputs), inputs)
