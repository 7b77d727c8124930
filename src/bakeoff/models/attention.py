"""The weights of attention of a Transformer, also where fused attention never forms them."""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bakeoff.models.text_encoder import TextEncoder


@torch.no_grad()
def attention_weights(encoder: TextEncoder, ids: Tensor) -> NDArray[np.float32]:
    """The weights of one text: of layer, head, and from each token to each token.

    They are computed by Transformers' plain attention, in the place of the fused one, which gives
    the same vectors and forms no weights. The encoder is left as it was.

    Args:
        encoder: On any device, in any mode.
        ids: (T,) int64, all of them tokens.

    Returns:
        (layers, heads, T, T) float32; rows of the last two axes add up to 1.
    """
    body = cast(Any, encoder.body)
    before = body.config._attn_implementation
    modes = {layer: layer.training for layer in encoder.modules()}
    encoder.eval()
    body.set_attn_implementation("eager")
    try:
        found = encoder.outputs(ids[None], output_attentions=True).attentions
    finally:
        body.set_attn_implementation(before)
        for layer, mode in modes.items():
            layer.training = mode
    return torch.stack([layer[0] for layer in found]).float().cpu().numpy()
