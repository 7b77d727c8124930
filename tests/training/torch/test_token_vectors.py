"""A network on looked-up or computed vectors: the same numbers, whatever the company."""

import numpy as np
import pytest
import torch
from tests.models.tiny import save_tiny

from bakeoff.core.recipe import Numerics
from bakeoff.core.tokens import Tokens
from bakeoff.models.pretrained import find_pretrained, load_encoder
from bakeoff.models.text_encoder import TextEncoder, TokenEncoder
from bakeoff.models.token_cnn import Filters, TokenCnn
from bakeoff.training.torch.token_inference import TokenInference, inference_on
from bakeoff.training.torch.token_vectors import Computed, Table, TokenVectorInference


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TokenInference:
    found = find_pretrained(str(save_tiny(tmp_path_factory.mktemp("x") / "m")))
    module = TokenEncoder(TextEncoder(load_encoder(found), found.family, "mean"))
    return inference_on(module, Numerics(device="cpu", precision="float32"), found.limit)


def network() -> TokenCnn:
    torch.manual_seed(0)
    filters = Filters(torch.zeros(32), torch.ones(32), (2, 3), 5)
    return TokenCnn(filters, 10, 3, 0.5)


TEXTS = Tokens.of([[2, 5, 6, 3], [2, 3], [2, 9, 8, 7, 6, 5, 4, 9, 8, 3], [2, 5, 3]])


def test_computed_and_kept_vectors_give_the_same(encoder: TokenInference) -> None:
    vectors = encoder.token_outputs(TEXTS)
    cpu = torch.device("cpu")
    computed = TokenVectorInference(network(), cpu, "float32", Computed(encoder))
    wanted = computed.outputs(TEXTS.padded(-1))
    kept = computed.on(Table(vectors, cpu))
    places = Tokens(np.arange(len(TEXTS.ids), dtype=np.int32), TEXTS.starts)
    np.testing.assert_allclose(kept.outputs(places.padded(-1)), wanted, atol=1e-5)
    for row in range(len(TEXTS)):  # alone, and farther padded
        alone = kept.outputs(places.take(np.array([row])).padded(-1, 24))
        np.testing.assert_array_equal(alone[0], kept.outputs(places.padded(-1))[row])


def test_another_module_reads_the_same_vectors(encoder: TokenInference) -> None:
    table = Table(encoder.token_outputs(TEXTS), torch.device("cpu"))
    first = TokenVectorInference(network(), torch.device("cpu"), "float32", table)
    items = np.arange(6, dtype=np.int32).reshape(2, 3)
    filters: torch.nn.Module = first.module.filters  # type: ignore[assignment]
    assert first.of(filters).outputs(items).shape == (2, 10)
    assert first.outputs(np.zeros((0, 1), np.int32)).shape == (0, 3)
