"""What a causal language model says of tokens: the nats of each, in windows, in bounded memory.

Models are those of Transformers with a decoder below a linear head (GPT-2, Llama and their kin).
The head works on those positions alone that are scored, and on chunks of them (`head_loss.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.models.head_loss import nats_of, weighted_nats

PASS_TOKENS = 4096
"""Tokens of windows that pass together."""


@dataclass(frozen=True)
class Window:
    """Tokens `begin` to `end` of a text, of which those from `scored` on are scored."""

    begin: int
    end: int
    scored: int


def windows(count: int, context: int, stride: int) -> list[Window]:
    """The windows of a text of `count` tokens; the last one ends where the text does.

    Args:
        count: Tokens.
        context: Of a window.
        stride: Between the beginnings of two.
    """
    found: list[Window] = []
    done = 0
    for begin in range(0, count, stride):
        end = min(begin + context, count)
        # The first token of a window has nothing before it.
        found.append(Window(begin, end, max(done, begin + 1)))
        done = end
        if end == count:
            break
    return [window for window in found if window.scored < window.end]


def head_of(model: nn.Module) -> nn.Module:
    """The layer that gives logits."""
    return cast(nn.Module, cast(Any, model).get_output_embeddings())


def hidden_states(model: nn.Module, ids: Tensor) -> Tensor:
    """(B, T, D): what the decoder gives below the head, of ids (B, T)."""
    decoder = cast(Any, model).base_model
    return cast(Tensor, decoder(input_ids=ids, use_cache=False).last_hidden_state)


def block_loss(model: nn.Module, ids: Tensor, weights: Tensor) -> Tensor:
    """The sum of the nats of the tokens of blocks, each times its weight.

    Args:
        model: Causal.
        ids: (B, T) int64.
        weights: (B, T - 1) float32, of every token but each block's first.
    """
    hidden = hidden_states(model, ids)[:, :-1].flatten(0, 1)
    return weighted_nats(head_of(model), hidden, ids[:, 1:].flatten(), weights.flatten())


@torch.inference_mode()
def sliding_nats(
    model: nn.Module, ids: NDArray[Any], context: int, stride: int
) -> NDArray[np.float64]:
    """(T,) the nats of each token of a text by the sliding window; NaN where it is not scored.

    They are infinite where the model itself gives NaN. Windows of one length pass together.

    Args:
        model: Causal, in evaluation mode.
        ids: (T,) the whole text.
        context: Of a window, within the model's limit.
        stride: Between the beginnings of two.
    """
    device = next(model.parameters()).device
    tokens = torch.as_tensor(np.asarray(ids, np.int64))
    found = np.full(len(ids), np.nan)
    for some in _passes(windows(len(ids), context, stride)):
        given = torch.stack([tokens[w.begin : w.end] for w in some]).to(device)
        hidden = hidden_states(model, given)
        spans = [(w.scored - w.begin, w.end - w.begin) for w in some]
        states = torch.cat([hidden[i, a - 1 : b - 1] for i, (a, b) in enumerate(spans)])
        targets = torch.cat([given[i, a:b] for i, (a, b) in enumerate(spans)])
        nats = nats_of(head_of(model), states, targets).double().cpu().numpy()
        places = np.concatenate([np.arange(w.scored, w.end) for w in some])
        found[places] = np.where(np.isnan(nats), np.inf, nats)
    return found


def _passes(found: list[Window]) -> Iterator[list[Window]]:
    """Windows of one length, as many together as a pass takes."""
    for length, group in groupby(found, lambda window: window.end - window.begin):
        some, size = list(group), max(1, PASS_TOKENS // length)
        for start in range(0, len(some), size):
            yield some[start : start + size]
