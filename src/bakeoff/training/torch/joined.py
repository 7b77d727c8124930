"""An encoder and a head in one network, of which some layers learn."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from bakeoff.core.errors import InputError, suggest


class Joined(nn.Module):
    """A head on the vectors of an encoder: `head((vectors - mean) / sd)`.

    Layers of the encoder that do not learn stay as they are in every way: batch norm goes on with
    its averages, which do not move.

    Args:
        encoder: `features` gives vectors (B, D).
        head: Vectors to logits.
        mean: (D,) of the vectors.
        sd: (D,), positive.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        self.mean: Tensor
        self.sd: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("sd", sd)

    def forward(self, items: Tensor) -> Tensor:
        """(B, ...) to logits (B, K)."""
        compute: Any = self.encoder.features
        vectors = cast(Tensor, compute(items)).float()
        logits: Tensor = self.head((vectors - self.mean) / self.sd)
        return logits

    def train(self, mode: bool = True) -> "Joined":
        """Training mode for what learns."""
        super().train(mode)
        for layer in self.encoder.modules():
            parameters = list(layer.parameters())
            if parameters and not any(p.requires_grad for p in parameters):
                layer.eval()
        return self


def thaw(
    encoder: nn.Module,
    layers: Sequence[str] | None,
    rates: Mapping[str, float],
    example: Tensor,
) -> None:
    """Say which parameters of an encoder learn, and at which share of the rate.

    A layer is named by its path, or the first part of it; of several names the longest counts.
    The parameters that vectors do not depend on (of a layer that gave logits) never learn, nor
    those that a layer itself calls `fixed` (filters that whiten, gains that stay 1).

    Args:
        encoder: `features` gives vectors; changed in place.
        layers: Those that learn; None: all.
        rates: Shares of the learning rate by layer; under "" that of all others.
        example: Inputs (1, ...) of the encoder.

    Raises:
        InputError: as `check_layers`.
    """
    check_layers(encoder, layers, rates)
    named, paths = dict(encoder.named_parameters()), _paths(encoder)
    able = _used(encoder, named, example) - _fixed(encoder)
    for path, parameter in named.items():
        starts = list(_starts(paths[path]))
        learns = layers is None or any(start in layers for start in starts)
        parameter.requires_grad_(learns and path in able)
        share = next((rates[s] for s in reversed(starts) if s in rates), rates.get("", 1.0))
        cast(Any, parameter).rate_share = share


def check_layers(
    encoder: nn.Module, layers: Sequence[str] | None, rates: Mapping[str, float]
) -> None:
    """Whether an encoder has layers of these names. Arguments as of `thaw`.

    Raises:
        InputError: where there is no layer of a name, with the nearest.
    """
    paths = _paths(encoder).values()
    known = sorted({part for path in paths for part in _starts(path)})
    tops = ", ".join(sorted({path.partition(".")[0] for path in paths}))
    faults = [
        f"classifier.{field}: no layer {name!r}{suggest(name, known)} (allowed: {tops}, or parts "
        "of them)"
        for field, names in (("fine_tune", layers or ()), ("rates", rates))
        for name in names
        if name and name not in known
    ]
    if faults:
        raise InputError(faults)


def _paths(encoder: nn.Module) -> dict[str, str]:
    """The layers' names for the parameters, by their paths."""
    prefix = "trunk." if hasattr(encoder, "trunk") else ""
    return {path: path.removeprefix(prefix) for path, _ in encoder.named_parameters()}


def _starts(path: str) -> list[str]:
    """The layers that a parameter's path lies in, from the outermost on."""
    parts = path.split(".")[:-1]
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _fixed(encoder: nn.Module) -> set[str]:
    """The parameters that never learn, by what their layers say."""
    layers = encoder.named_modules()
    return {f"{path}.{name}" for path, layer in layers for name in getattr(layer, "fixed", ())}


def _used(encoder: nn.Module, named: Mapping[str, Tensor], example: Tensor) -> set[str]:
    """The parameters that vectors depend on."""
    encoder.eval()
    for parameter in encoder.parameters():
        parameter.requires_grad_(True)
    compute: Any = encoder.features
    with torch.enable_grad():
        total = cast(Tensor, compute(example)).float().sum()
        found: Sequence[Tensor | None] = torch.autograd.grad(
            total, list(named.values()), allow_unused=True
        )
    return {path for path, gradient in zip(named, found, strict=True) if gradient is not None}
