"""Tests of networks that give vectors."""

import torch
from tests.training.torch.small import Small

from bakeoff.training.torch.embedding import Embedding

IMAGES = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_the_trunks_outputs_on_the_sphere() -> None:
    trunk = Small()
    vectors = Embedding(trunk, normalise=True, hidden=False)(IMAGES)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
    outputs = trunk(IMAGES)
    torch.testing.assert_close(vectors, outputs / outputs.norm(dim=1, keepdim=True))
    plain = Embedding(trunk, normalise=False, hidden=False)
    torch.testing.assert_close(plain.features(IMAGES), outputs)


def test_the_last_hidden_layer_has_no_output_layer() -> None:
    trunk = Small()
    expected, parameters = trunk.features(IMAGES), sum(1 for _ in trunk.parameters())
    module = Embedding(trunk, normalise=False, hidden=True)
    torch.testing.assert_close(module(IMAGES), expected)
    assert sum(1 for _ in module.parameters()) == parameters - 2


def test_a_vector_of_zeros_stays() -> None:
    trunk = torch.nn.Identity()
    vectors = Embedding(trunk, normalise=True, hidden=False)(torch.zeros(2, 4))
    assert not vectors.any()
