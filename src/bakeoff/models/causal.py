"""What a causal language model says of tokens: the nats of each, in windows, in bounded memory.

Models are those of Transformers with a decoder below a linear head (GPT-2, Llama and their kin).
The logits of all positions would be the largest array by far (1,024 tokens of 50,257 entries are
200 MB), so the head works on chunks of positions, and only on those that are scored.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

CHUNK = 512
"""Positions whose logits are in memory at once."""
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


def hidden_states(model: nn.Module, ids: Tensor) -> Tensor:
    """(B, T, D): what the decoder gives below the head, of ids (B, T)."""
    decoder = cast(Any, model).base_model
    return cast(Tensor, decoder(input_ids=ids, use_cache=False).last_hidden_state)


def nats_of(model: nn.Module, hidden: Tensor, targets: Tensor) -> Tensor:
    """(N,) float32: minus the log-probability of each target.

    Where gradients are wanted, each chunk's logits are computed again on the way back instead of
    kept (Chen et al. 2016, "Training deep nets with sublinear memory cost", arXiv:1604.06174).

    Args:
        model: Its head is used.
        hidden: (N, D), the decoder's outputs at the positions before the targets.
        targets: (N,) int64.
    """
    head = cast(nn.Module, cast(Any, model).get_output_embeddings())

    def of_chunk(states: Tensor, wanted: Tensor) -> Tensor:
        return cross_entropy(head(states).float(), wanted, reduction="none")

    parts = zip(torch.split(hidden, CHUNK), torch.split(targets, CHUNK), strict=True)
    if torch.is_grad_enabled():
        return torch.cat([checkpoint(of_chunk, *part, use_reentrant=False) for part in parts])
    return torch.cat([of_chunk(*part) for part in parts])


def block_nats(model: nn.Module, ids: Tensor) -> Tensor:
    """(B, T - 1) float32: the nats of every token of blocks (B, T) but each one's first."""
    hidden = hidden_states(model, ids)[:, :-1]
    nats = nats_of(model, hidden.flatten(0, 1), ids[:, 1:].flatten())
    return nats.view(len(ids), -1)


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
        nats = nats_of(model, states, targets).double().cpu().numpy()
        places = np.concatenate([np.arange(w.scored, w.end) for w in some])
        found[places] = np.where(np.isnan(nats), np.inf, nats)
    return found


def _passes(found: list[Window]) -> Iterator[list[Window]]:
    """Windows of one length, as many together as a pass takes."""
    for length, group in groupby(found, lambda window: window.end - window.begin):
        some, size = list(group), max(1, PASS_TOKENS // length)
        for start in range(0, len(some), size):
            yield some[start : start + size]
