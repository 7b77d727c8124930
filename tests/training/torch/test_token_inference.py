"""What a network says of a sequence depends on that sequence alone."""

import copy
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.models.tiny import KINDS, Kind, save_tiny

from bakeoff.core.recipe import Numerics
from bakeoff.core.streams import Streams
from bakeoff.core.tokens import Tokens
from bakeoff.models.pretrained import find_pretrained, load_encoder
from bakeoff.models.recurrent import Recurrent
from bakeoff.models.settings import RecurrentSettings
from bakeoff.models.text_encoder import TextEncoder, TokenEncoder
from bakeoff.training.torch import token_inference
from bakeoff.training.torch.initialise import initialise
from bakeoff.training.torch.token_inference import (
    STEP,
    TokenInference,
    cut_to,
    drawn,
    inference_on,
)


@pytest.fixture(scope="module", params=["bert", "gpt2"])
def network(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> TokenInference:
    found = find_pretrained(str(save_tiny(tmp_path_factory.mktemp("x") / "m", request.param)))
    module = TextEncoder(load_encoder(found), found.family, "mean")
    return inference_on(module, Numerics(device="cpu", precision="float32"), found.limit)


def sequences(count: int = 50) -> np.ndarray:
    generator = np.random.default_rng(3)
    ids = generator.integers(0, 40, (count, 30), np.int32)
    ids[np.arange(30) >= generator.integers(1, 31, count)[:, None]] = -1
    return ids


def test_neither_order_nor_company_nor_padding_change_a_bit(network: TokenInference) -> None:
    ids = sequences()
    whole = network.outputs(ids)
    order = np.random.default_rng(0).permutation(len(ids))
    np.testing.assert_array_equal(network.outputs(ids[order]), whole[order])
    for row in (0, 7, 49):
        np.testing.assert_array_equal(network.outputs(ids[row : row + 1]), whole[row : row + 1])
        own = int((ids[row] >= 0).sum())
        np.testing.assert_array_equal(
            network.outputs(ids[row : row + 1, :own]), whole[row : row + 1]
        )
    np.testing.assert_array_equal(network.outputs(cut_to(ids, 32)), whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_nor_do_they_of_any_architecture(
    kind: Kind, precision: Literal["float32", "bfloat16"], tmp_path: Path
) -> None:
    found = find_pretrained(str(save_tiny(tmp_path / kind, kind)))
    module = TextEncoder(load_encoder(found), found.family, "mean")
    made = inference_on(module, Numerics(device="cpu", precision=precision), found.limit)
    ids = sequences()
    whole = made.outputs(ids)
    assert np.isfinite(whole).all()
    order = np.random.default_rng(0).permutation(len(ids))
    np.testing.assert_array_equal(made.outputs(ids[order]), whole[order])
    for row in (0, 7):
        np.testing.assert_array_equal(made.outputs(ids[row : row + 1]), whole[row : row + 1])


def test_equal_to_a_plain_pass(network: TokenInference) -> None:
    ids = sequences(5)
    with torch.inference_mode():
        plain = [network.module(torch.from_numpy(row[row >= 0][None]).long()) for row in ids]
    np.testing.assert_allclose(network.outputs(ids), torch.cat(plain).numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_padding_stays_within_the_limit(kind: Kind, tmp_path: Path) -> None:
    """29 tokens are padded to 30, which is all that the model reads, and not to 32."""
    found = find_pretrained(str(save_tiny(tmp_path / "m", kind, limit=30)))
    module = TextEncoder(load_encoder(found), found.family, "mean")
    made = inference_on(module, Numerics(device="cpu", precision="float32"), found.limit)
    ids = sequences(4)[:, :29]
    np.testing.assert_array_equal(made.outputs(ids[:1]), made.of(module).outputs(ids)[:1])


def test_few_words_are_enough_to_try_passes_out() -> None:
    with torch.random.fork_rng([]):
        module = Recurrent(RecurrentSettings(embedding=4, hidden=4), 5, 2)
    assert TokenInference(module, torch.device("cpu"), "float32").outputs(
        np.array([[4, 0, 3]], np.int32)
    ).shape == (1, 2)


def test_no_sequences(network: TokenInference) -> None:
    assert network.outputs(np.zeros((0, 0), np.int32)).shape == (0, 32)


def test_drawn_sequences_have_the_width_s_lengths() -> None:
    ids = drawn(200, 16)
    lengths = (ids >= 0).sum(axis=1)
    assert set(lengths) == set(range(16 - STEP + 1, 17))
    assert len(np.unique(ids, axis=0)) == 200


@pytest.mark.parametrize(("rows", "multiple"), [(None, 8), (4, 16)], ids=["by tokens", "by rows"])
def test_recurrent_networks_too(rows: int | None, multiple: int) -> None:
    with torch.random.fork_rng([]):
        module = Recurrent(RecurrentSettings(embedding=8, hidden=8), 40, 3)
    initialise(module, Streams(0))
    network = TokenInference(module, torch.device("cpu"), "float32", rows=rows, multiple=multiple)
    ids = sequences()
    whole = network.outputs(ids)
    order = np.random.default_rng(0).permutation(len(ids))
    np.testing.assert_array_equal(network.outputs(ids[order]), whole[order])
    np.testing.assert_array_equal(network.of(module).outputs(ids[:1]), whole[:1])
    np.testing.assert_array_equal(network.outputs(cut_to(ids, 32)), whole)


def test_shorter_passes_where_memory_is_short(network: TokenInference) -> None:
    ids = sequences()
    shorter = network.of(network.module)
    shorter.cut_passes(4)
    assert shorter.of(shorter.module).cuts == 4
    np.testing.assert_allclose(shorter.outputs(ids), network.outputs(ids), atol=1e-5)


def test_vectors_of_all_tokens_lie_one_text_behind_another(
    network: TokenInference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pooled, they are what the encoder gives; alone or together, the same bits."""
    generator = np.random.default_rng(0)
    lengths = [3, 17, 1, 8, 9, 12]
    texts = Tokens.of([generator.integers(0, 20, n).tolist() for n in lengths])
    encoder: TextEncoder = network.module  # type: ignore[assignment]
    on_tokens = network.of(TokenEncoder(encoder))
    found = on_tokens.token_outputs(texts)
    assert found.shape == (sum(lengths), 32)
    assert found.dtype == np.float16
    means = [found[a:b].astype(np.float64).mean(axis=0) for a, b in pairwise(texts.starts)]
    np.testing.assert_allclose(means, network.outputs(texts.padded(-1)), atol=2e-3)
    monkeypatch.setattr(token_inference, "PIECE_TOKENS", 1)
    np.testing.assert_array_equal(on_tokens.token_outputs(texts), found)
    few = texts.take(np.array([4, 1]))
    rows = [*range(texts.starts[4], texts.starts[5]), *range(texts.starts[1], texts.starts[2])]
    np.testing.assert_array_equal(on_tokens.token_outputs(few), found[rows])
    assert on_tokens.token_outputs(Tokens.of([])).shape == (0, 32)


def test_what_was_tried_out_holds_for_an_architecture(
    network: TokenInference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loaded again or trained, a network is not tried out again; another one is."""
    tried = []

    def counted(count: int, width: int, below: int) -> NDArray[np.int32]:
        tried.append((count, width))
        return drawn(count, width, below)

    monkeypatch.setattr(token_inference, "drawn", counted)
    monkeypatch.setattr(token_inference, "_lengths", {})
    ids = Tokens.of([[2, 5, 6, 3], [2, 3]]).padded(-1)
    wanted = network.of(network.module).outputs(ids)
    assert len(tried) == 1
    again = network.of(copy.deepcopy(network.module))
    np.testing.assert_array_equal(again.outputs(ids), wanted)
    assert len(tried) == 1
    again.cut_passes(2)
    again.outputs(ids)
    assert len(tried) == 2
    encoder: TextEncoder = copy.deepcopy(network.module)  # type: ignore[assignment]
    encoder.pooling = "max"
    network.of(encoder).outputs(ids)
    assert len(tried) == 3
