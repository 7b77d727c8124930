"""Weights of attention where fused attention hides them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.tiny import Kind, save_tiny

from bakeoff.core.streams import Streams
from bakeoff.models.attention import attention_weights
from bakeoff.models.fused_attention import NAME
from bakeoff.models.lora import Adapters, adapt
from bakeoff.models.pretrained import find_pretrained, load_encoder
from bakeoff.models.text_encoder import TextEncoder

IDS = torch.tensor([2, 7, 9, 11, 3])


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2", "llama"])
def test_equal_to_a_model_that_was_loaded_to_show_them(kind: Kind, tmp_path: Path) -> None:
    found = find_pretrained(str(save_tiny(tmp_path / kind, kind)))
    encoder = TextEncoder(load_encoder(found), found.family, "mean").train()
    weights = attention_weights(encoder, IDS)
    eager = load_encoder(found, attention="eager")
    with torch.inference_mode():
        wanted = torch.cat(eager(IDS[None], output_attentions=True).attentions).numpy()
    assert weights.shape == (2, 4, 5, 5)
    np.testing.assert_allclose(weights, wanted, atol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    if found.family == "decoder":
        assert not np.triu(weights, 1).any()
    assert encoder.training
    assert encoder.body.config._attn_implementation == NAME  # type: ignore[union-attr]


def test_looking_changes_no_bit(tmp_path: Path) -> None:
    found = find_pretrained(str(save_tiny(tmp_path / "bert")))
    encoder = TextEncoder(load_encoder(found), found.family, "mean")
    adapt(encoder.body, Adapters(("query",)), Streams(0))
    ids = IDS[None]
    with torch.inference_mode():
        before = encoder(ids)
        attention_weights(encoder, IDS)
        assert torch.equal(encoder(ids), before)
