"""PyTorch's fused attention, in the precision that it is fast in.

On processors its kernel for bfloat16 converts what it multiplies piece by piece: of short texts its
backward pass takes some ten times as long as that of its own kernel for float32, and its forward
pass no less. So there attention is computed in float32, which is more exact too; the products of
the layers around it stay in bfloat16. An encoder's short texts go through plain products in
bfloat16 instead, as in Transformers' eager attention, faster than either kernel, in training too.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

NAME = "bakeoff-fused"
"""What Transformers calls it once it is registered."""
SHORT_TOKENS = 128
"""Texts up to here go through products: encoding is 1.14 times as fast in all, at some 60 tokens
each; attention that learns takes 0.4 to 0.6 of its time with two threads, 0.7 to 1.1 with one. Its
weights are kept for gradients then, of 16 texts of 128 tokens and 12 heads 20 MB a layer."""
LOWEST = -1e30
"""The score of what is not to be seen: its weight is 0 beside any other's."""
OWN_ATTENTION = frozenset({"deberta-v2", "gpt_neo", "mpnet"})
"""Architectures whose attention is part of Transformers' model: no other can take its place."""


def attention_of(kind: str) -> str:
    """Which attention Transformers is to build an architecture with: this one, where it can."""
    return "eager" if kind in OWN_ATTENTION else register()


@cache
def register() -> str:
    """Make it known to Transformers; its name there."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, whole_mask)
    return NAME


def whole_mask(
    *,
    attention_mask: Tensor | None = None,
    allow_is_bidirectional_skip: bool = False,
    **options: Any,
) -> Tensor | None:
    """Transformers' mask of a layer, also where nothing happens to be padded.

    Transformers leaves out a mask that hides nothing, and then computes in another way: what is
    beside a text would change its bits.

    Args:
        attention_mask: (B, T), true where there is a token; None: everywhere.
        allow_is_bidirectional_skip: Whether a mask that hides nothing may be left out at all.
        options: Transformers' own: sizes, and what of the layer's window a token sees.

    Returns:
        (B, 1, T, T) bool; None: nothing is hidden, whatever the batch.
    """
    from transformers.masking_utils import sdpa_mask

    skip = allow_is_bidirectional_skip and attention_mask is None
    mask: Tensor | None = sdpa_mask(
        attention_mask=attention_mask, allow_is_bidirectional_skip=skip, **options
    )
    return mask


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Transformers' call of PyTorch's `scaled_dot_product_attention`, as suits the device.

    Args:
        module: The layer, which may say how many queries share a key.
        query: (B, heads, T, D), like `key` and `value`, whose heads may be fewer.
        key: See above.
        value: See above.
        attention_mask: (B, 1, T, T) bool, or float to be added; None: none.
        options: Transformers' own.

    Returns:
        (B, T, heads, D) in the precision of `query`; no weights.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if query.device.type != "cpu":
        out: Tensor
        out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return out, None
    if attention_mask is not None and _is_short(query, key, attention_mask, options):
        return _by_products(query, key, value, attention_mask, options.get("scaling")), None
    if attention_mask is not None and attention_mask.is_floating_point():
        attention_mask = attention_mask.float()
    with torch.autocast("cpu", enabled=False):
        out, _ = sdpa_attention_forward(
            module, query.float(), key.float(), value.float(), attention_mask, **options
        )
    return out.to(query.dtype), None


def _is_short(query: Tensor, key: Tensor, mask: Tensor, options: Mapping[str, Any]) -> bool:
    """Whether two products in bfloat16 are faster."""
    return (
        query.dtype == torch.bfloat16
        and mask.dtype == torch.bool
        and query.shape == key.shape
        and query.shape[2] <= SHORT_TOKENS
        and not any(options.get(name) for name in ("dropout", "position_bias", "softcap"))
    )


def _by_products(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scaling: float | None
) -> Tensor:
    """(B, T, heads, D): scores in bfloat16, their softmax in float32."""
    scale = query.shape[3] ** -0.5 if scaling is None else scaling
    scores = torch.matmul(query, key.transpose(2, 3)).float().mul_(scale)
    weights = scores.masked_fill_(~seen, LOWEST).softmax(dim=-1)
    return torch.matmul(weights.to(query.dtype), value).transpose(1, 2)
