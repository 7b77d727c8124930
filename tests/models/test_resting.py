"""Weights that rest in bfloat16: the same bits, where `autocast` would round them anyway."""

from pathlib import Path
from typing import cast

import pytest
import torch
from tests.models.tiny import Kind, save_tiny
from torch import Tensor, nn

from bakeoff.core.streams import Streams
from bakeoff.models.lora import Adapters, adapt, adapted_layers, usual_targets
from bakeoff.models.pretrained import find_pretrained, load_causal, load_encoder
from bakeoff.models.resting import rest
from bakeoff.models.text_encoder import TextEncoder

IDS = torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, -1, -1]])
KINDS: list[Kind] = ["bert", "distilbert", "gpt2", "llama"]


def adapted(kind: Kind, folder: Path) -> TextEncoder:
    """A small model with adapters that say something."""
    found = find_pretrained(str(save_tiny(folder / kind, kind)))
    encoder = TextEncoder(load_encoder(found), found.family, "mean")
    adapt(encoder.body, Adapters(usual_targets(found.kind), rank=2), Streams(0))
    for layer in adapted_layers(encoder.body).values():
        nn.init.constant_(cast(Tensor, layer.lora_B.weight), 0.1)
    return encoder


def told(encoder: TextEncoder) -> tuple[Tensor, dict[str, Tensor]]:
    """Vectors in bfloat16, and the gradients of the adapters."""
    encoder.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        vectors = encoder(IDS)
    vectors.float().square().sum().backward()
    named = encoder.named_parameters()
    return vectors, {name: p.grad.clone() for name, p in named if p.grad is not None}


@pytest.mark.parametrize("kind", KINDS)
def test_no_bit_changes_of_vectors_or_gradients(kind: Kind, tmp_path: Path) -> None:
    encoder = adapted(kind, tmp_path)
    vectors, gradients = told(encoder)
    changed = rest(encoder)
    again, gradients_again = told(encoder)
    assert torch.equal(vectors, again)
    assert gradients.keys() == gradients_again.keys() != set()
    assert all(torch.equal(gradients[name], gradients_again[name]) for name in gradients)
    # Of each of two blocks, at least what makes and what gathers attention, and the two layers
    # behind it; none that is trained, and none that is no product.
    assert len(changed) >= 8
    kinds = {name: p.dtype for name, p in encoder.named_parameters()}
    assert all(kinds[f"{path}.weight"] == torch.bfloat16 for path in changed)
    assert all(p.dtype == torch.float32 for p in encoder.parameters() if p.requires_grad)
    assert all(p.dtype == torch.float32 for name, p in encoder.named_parameters() if "norm" in name)
    assert rest(encoder) == []


@pytest.mark.parametrize("kind", KINDS)
def test_without_autocast_weights_follow_their_inputs(kind: Kind, tmp_path: Path) -> None:
    encoder = adapted(kind, tmp_path).eval()
    before = encoder(IDS)
    rest(encoder)
    after = encoder(IDS)
    assert after.dtype == torch.float32
    torch.testing.assert_close(after, before, rtol=0.02, atol=0.02)
    assert not torch.equal(after, before)


@pytest.mark.parametrize("kind", KINDS)
def test_merging_keeps_small_updates(kind: Kind, tmp_path: Path) -> None:
    encoder = adapted(kind, tmp_path).eval()
    rest(encoder)
    before = encoder(IDS)
    for layer in adapted_layers(encoder.body).values():
        layer.merge()
    torch.testing.assert_close(encoder(IDS), before, rtol=1e-5, atol=1e-5)


def test_what_learns_and_what_is_shared_stays(tmp_path: Path) -> None:
    found = find_pretrained(str(save_tiny(tmp_path / "gpt2", "gpt2", causal=True)))
    module = load_causal(found)
    assert rest(module) == []  # everything could learn
    module.requires_grad_(False)
    changed = rest(module)
    assert changed
    assert "lm_head" not in changed  # its weight is the embedding's
    assert cast(Tensor, module.lm_head.weight).dtype == torch.float32  # type: ignore[union-attr]
