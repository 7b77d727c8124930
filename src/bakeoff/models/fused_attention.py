"""PyTorch's fused attention, in the precision that it is fast in.

On processors its kernel for bfloat16 converts what it multiplies piece by piece: of short texts its
backward pass takes some ten times as long as that of its own kernel for float32, and its forward
pass no less. So there attention is computed in float32, which is more exact too; the products of
the layers around it stay in bfloat16.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

NAME = "bakeoff-fused"
"""What Transformers calls it once it is registered."""


@cache
def register() -> str:
    """Make it known to Transformers; its name there."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Transformers' call of PyTorch's `scaled_dot_product_attention`, in float32 on a processor.

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
        out: Tensor = sdpa_attention_forward(module, query, key, value, attention_mask, **options)[
            0
        ]
        return out, None
    if attention_mask is not None and attention_mask.is_floating_point():
        attention_mask = attention_mask.float()
    with torch.autocast("cpu", enabled=False):
        out = sdpa_attention_forward(
            module, query.float(), key.float(), value.float(), attention_mask, **options
        )[0]
    return out.to(query.dtype), None
