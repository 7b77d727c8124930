"""Weights of attention where fused attention hides them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.tiny import KINDS, LIMIT, Kind, save_tiny

from bakeoff.core.streams import Streams
from bakeoff.models.attention import attention_weights
from bakeoff.models.lora import Adapters, adapt
from bakeoff.models.pretrained import find_pretrained, load_encoder
from bakeoff.models.text_encoder import TextEncoder

IDS = torch.arange(4, 4 + LIMIT - 2)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_a_model_that_was_loaded_to_show_them(kind: Kind, tmp_path: Path) -> None:
    found = find_pretrained(str(save_tiny(tmp_path / kind, kind)))
    encoder = TextEncoder(load_encoder(found), found.family, "mean").train()
    config: Any = encoder.body.config
    before = config._attn_implementation
    weights = attention_weights(encoder, IDS)
    eager = load_encoder(found, attention="eager")
    with torch.inference_mode():
        wanted = torch.cat(eager(IDS[None], output_attentions=True).attentions).numpy()
    assert weights.shape == (2, 4, len(IDS), len(IDS))
    np.testing.assert_allclose(weights, wanted, atol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    if found.family == "decoder":
        assert not np.triu(weights, 1).any()
    assert encoder.training
    assert config._attn_implementation == before


def test_looking_changes_no_bit(tmp_path: Path) -> None:
    found = find_pretrained(str(save_tiny(tmp_path / "bert")))
    encoder = TextEncoder(load_encoder(found), found.family, "mean")
    adapt(encoder.body, Adapters(("query",)), Streams(0))
    ids = IDS[None]
    with torch.inference_mode():
        before = encoder(ids)
        attention_weights(encoder, IDS)
        assert torch.equal(encoder(ids), before)
