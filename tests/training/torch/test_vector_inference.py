"""Heads at work on vectors."""

import numpy as np
import pytest
import torch
from torch import nn

from bakeoff.training.torch.inference import LARGEST_PASS
from bakeoff.training.torch.vector_inference import VectorInference


@pytest.fixture
def network() -> VectorInference:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 3))
    return VectorInference(module.train(), torch.device("cpu"), "float32")


@pytest.mark.parametrize("count", [1, LARGEST_PASS + 3])
@pytest.mark.parametrize("cuts", [1, 4])
def test_equal_to_a_plain_pass_without_dropout(
    network: VectorInference, count: int, cuts: int
) -> None:
    vectors = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    network.cut_passes(cuts)
    linear = network.module[1]  # type: ignore[index]
    wanted = vectors @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
    np.testing.assert_allclose(network.outputs(vectors), wanted, atol=1e-5)
    shares = network.probabilities(vectors)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("cuts", [1, 4])
def test_company_changes_no_bit(network: VectorInference, cuts: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(LARGEST_PASS + 3, 5)).astype(np.float32)
    network.cut_passes(cuts)
    whole = network.outputs(vectors)
    for row in (0, 1, LARGEST_PASS + 2):
        np.testing.assert_array_equal(network.outputs(vectors[row : row + 1])[0], whole[row])


def test_no_vectors(network: VectorInference) -> None:
    assert network.outputs(np.zeros((0, 5), np.float32)).shape == (0, 3)
