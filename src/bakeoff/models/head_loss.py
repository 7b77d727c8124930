"""The nats of a linear head over a vocabulary, and their gradients, in one pass.

Logits are the largest array of a language model (2,048 tokens of 49,152 entries are 400 MB), and
what is made of them costs more than the product that makes them where each step writes an array of
that size anew. So positions go through in chunks; a chunk's logits stay in the precision of the
product, and become probabilities less targets in their place, a few rows at a time, which stay in
the processor's cache as float32. Gradients follow at once, so nothing is computed twice or kept.

Source of gradients on the way forward: Hsu et al. 2024, "Liger kernel: efficient Triton kernels for
LLM training", arXiv:2410.10989, section 3.2. Ours is plain torch, weighs each token, and takes
logarithms of probabilities before it takes probabilities.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax
from torch.utils.checkpoint import checkpoint

CHUNK = 512
"""Positions whose logits are in memory at once."""
ROWS = 32
"""Of them, those that a processor has as float32 at once: 6 MB of 49,152 entries."""


def nats_of(head: nn.Module, hidden: Tensor, targets: Tensor) -> Tensor:
    """(N,) float32: minus the log-probability of each target; without gradients.

    Args:
        head: Gives logits (N, V) of hidden states.
        hidden: (N, D), the decoder's outputs at the positions before the targets.
        targets: (N,) int64.
    """
    found = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
    with torch.no_grad():
        for chunk in _spans(len(targets), CHUNK):
            logits = head(hidden[chunk])
            for rows in _rows(logits):
                logs = log_softmax(logits[rows].float(), dim=-1)
                found[chunk][rows] = _picked(logs, targets[chunk][rows]).neg_()
    return found


def weighted_nats(head: nn.Module, hidden: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """The sum of the nats of targets, each times its weight: a float32 of no dimension.

    Args:
        head: As of `nats_of`; what one that is no plain `nn.Linear` (an adapted one) says of a
            chunk is computed again on the way back (Chen et al. 2016, arXiv:1604.06174).
        hidden: See `nats_of`.
        targets: (N,) int64.
        weights: (N,) float32, which get no gradient; 0 for what does not count.
    """
    if type(head) is nn.Linear:
        cast_to = _product_precision(hidden)
        found = _WeightedNats.apply(  # type: ignore[no-untyped-call]
            hidden, head.weight, head.bias, targets, weights, cast_to
        )
        return cast(Tensor, found)

    def of_chunk(states: Tensor, wanted: Tensor, counts: Tensor) -> Tensor:
        return -(_picked(log_softmax(head(states).float(), dim=-1), wanted) * counts).sum()

    split = zip(*(torch.split(part, CHUNK) for part in (hidden, targets, weights)), strict=True)
    return torch.stack([checkpoint(of_chunk, *part, use_reentrant=False) for part in split]).sum()


class _WeightedNats(torch.autograd.Function):
    """`weighted_nats` of a linear head."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        weights: Tensor,
        precision: torch.dtype,
    ) -> Tensor:
        states, table = hidden.to(precision), weight.to(precision)
        wanted = ctx.needs_input_grad
        of_hidden = torch.empty_like(states) if wanted[0] else None
        of_weight = torch.zeros_like(weight, dtype=torch.float32) if wanted[1] else None
        of_bias = None
        if bias is not None and wanted[2]:
            of_bias = torch.zeros_like(bias, dtype=torch.float32)
        room = states.new_empty(min(CHUNK, len(states)), len(table))
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        for chunk in _spans(len(states), CHUNK):
            some = states[chunk]
            logits = torch.mm(some, table.T, out=room[: len(some)])
            if bias is not None:
                logits += bias
            total += _become_gradients(logits, targets[chunk], weights[chunk])
            if of_hidden is not None:
                torch.mm(logits, table, out=of_hidden[chunk])
            if of_weight is not None:
                of_weight += logits.T @ some
            if of_bias is not None:
                of_bias += logits.sum(0, dtype=torch.float32)
        ctx.found = of_hidden, of_weight, of_bias
        ctx.precisions = hidden.dtype, weight.dtype
        return total.float()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (scale,) = gradients
        of_hidden, of_weight, of_bias = (
            None if found is None else found * scale for found in ctx.found
        )
        of_states, of_table = ctx.precisions
        return (
            None if of_hidden is None else of_hidden.to(of_states),
            None if of_weight is None else of_weight.to(of_table),
            None if of_bias is None else of_bias.to(of_table),
            *(None, None, None),
        )


def _become_gradients(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Put the gradients by logits (N, V) in their place; the weighted sum of nats, float64."""
    total = torch.zeros((), dtype=torch.float64, device=logits.device)
    for rows in _rows(logits):
        wanted, counts = targets[rows], weights[rows]
        logs = log_softmax(logits[rows].float(), dim=-1)
        total -= (_picked(logs, wanted) * counts).sum(dtype=torch.float64)
        probabilities = logs.exp_()
        probabilities[torch.arange(len(wanted), device=wanted.device), wanted] -= 1
        logits[rows] = probabilities.mul_(counts[:, None])
    return total


def _picked(logs: Tensor, targets: Tensor) -> Tensor:
    """(N,) of each row of (N, V) the entry of its target."""
    return logs.gather(1, targets[:, None])[:, 0]


def _product_precision(hidden: Tensor) -> torch.dtype:
    """What a linear layer would multiply here."""
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype


def _rows(logits: Tensor) -> list[slice]:
    """Those of a chunk that are float32 at once: on a GPU, whose calls are dear, all."""
    return _spans(len(logits), ROWS if logits.device.type == "cpu" else len(logits))


def _spans(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
