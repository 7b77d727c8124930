"""Fused attention: Transformers' own in float32, and float32 inside products in bfloat16."""

from pathlib import Path

import pytest
import torch
from tests.models.tiny import Kind, save_tiny
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from bakeoff.models.fused_attention import SHORT_TOKENS, attend
from bakeoff.models.pretrained import find_pretrained, load_encoder

IDS = torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, 5, 6]])


def drawn(heads: int, dtype: torch.dtype) -> Tensor:
    """(2, heads, 5, 8)."""
    generator = torch.Generator().manual_seed(heads)
    return torch.randn(2, heads, 5, 8, generator=generator).to(dtype).requires_grad_()


class Grouped(nn.Module):
    """A layer whose keys serve two queries each."""

    num_key_value_groups = 2
    is_causal = True


@pytest.mark.parametrize("masked", [None, "bool", "float"])
@pytest.mark.parametrize("grouped", [False, True])
def test_float32_is_transformers_to_the_bit(masked: str | None, grouped: bool) -> None:
    layer = Grouped() if grouped else nn.Module()
    query, key, value = drawn(4, torch.float32), *[drawn(2 if grouped else 4, torch.float32)] * 2
    mask = torch.ones(2, 1, 5, 5, dtype=torch.bool).tril() if masked else None
    if masked == "float":
        assert mask is not None
        mask = torch.zeros(mask.shape).masked_fill(~mask, -1e30)
    own, weights = attend(layer, query, key, value, mask)
    theirs, _ = sdpa_attention_forward(layer, query, key, value, mask)
    assert weights is None
    assert torch.equal(own, theirs)


def test_bfloat16_differs_from_float32_by_the_rounding_of_its_result_alone() -> None:
    query, key, value = (drawn(heads, torch.bfloat16) for heads in (4, 4, 4))
    with torch.autocast("cpu", torch.bfloat16):
        own, _ = attend(nn.Module(), query, key, value, None, is_causal=False)
    exact, _ = sdpa_attention_forward(
        nn.Module(), query.float(), key.float(), value.float(), None, is_causal=False
    )
    assert own.dtype == torch.bfloat16
    assert torch.equal(own, exact.bfloat16())


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2", "llama"])
def test_models_give_what_they_give_with_transformers_fused_attention(
    kind: Kind, tmp_path: Path
) -> None:
    module = load_encoder(find_pretrained(str(save_tiny(tmp_path / kind, kind))))
    with torch.inference_mode():
        own = module(IDS).last_hidden_state
        module.set_attn_implementation("sdpa")  # type: ignore[operator]
        theirs = module(IDS).last_hidden_state
    assert torch.equal(own, theirs)


@pytest.mark.parametrize("tokens", [5, SHORT_TOKENS, SHORT_TOKENS + 1])
def test_short_texts_go_through_products(tokens: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, tokens, 8, generator=generator).bfloat16()
    seen = torch.ones(2, 1, tokens, tokens, dtype=torch.bool)
    seen[1, :, :, 3:] = False
    exact, _ = sdpa_attention_forward(
        nn.Module(), query.float(), key.float(), value.float(), seen, is_causal=False
    )
    with torch.inference_mode():
        own, _ = attend(nn.Module(), query, key, value, seen, is_causal=False)
        alone, _ = attend(nn.Module(), query[1:, :, :3], key[1:, :, :3], value[1:, :, :3],
                          seen[1:, :, :3, :3], is_causal=False)  # fmt: skip
    assert own.shape == exact.shape
    torch.testing.assert_close(own.float(), exact, rtol=0.02, atol=0.02)
    assert torch.equal(own, exact.bfloat16()) == (tokens > SHORT_TOKENS)
    torch.testing.assert_close(
        own[1:, :3], alone, rtol=0.02, atol=0.02
    )  # what is not seen counts for nothing


def test_gradients_through_products_are_those_of_fused_attention() -> None:
    generator = torch.Generator().manual_seed(0)
    given = torch.randn(3, 2, 4, 20, 8, generator=generator).bfloat16()
    upstream = torch.randn(2, 20, 4, 8, generator=generator)
    seen = torch.ones(2, 1, 20, 20, dtype=torch.bool)
    seen[1, :, :, 7:] = False
    own, exact = given.clone().requires_grad_(), given.float().requires_grad_()
    through, _ = attend(nn.Module(), own[0], own[1], own[2], seen, is_causal=False)
    fused, _ = sdpa_attention_forward(
        nn.Module(), exact[0], exact[1], exact[2], seen, is_causal=False
    )
    torch.autograd.backward([through.float(), fused], [upstream, upstream])
    assert own.grad is not None
    assert exact.grad is not None
    torch.testing.assert_close(own.grad.float(), exact.grad, rtol=0.03, atol=0.03)
    assert not own.grad[1:, 1, :, 7:].any()  # keys and values of what is not seen
