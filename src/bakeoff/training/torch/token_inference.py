"""A network at work on token sequences: what it says of one depends on that one alone.

Sequences are sorted by length and padded to the next multiple of `STEP`, a function of a sequence's
own length; passes of a width all have the same number of rows (`core.passes`), the last one filled
up. So neither what is beside a sequence nor how far that is padded changes a bit.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.core.passes import PassSize
from bakeoff.core.recipe import Numerics
from bakeoff.training.torch.inference import Network
from bakeoff.training.torch.numerics import Precision, resolve_device_and_precision

Ids = NDArray[np.int32]
"""(N, T), every sequence from the left, then -1."""
STEP = 8
PASS_TOKENS = {"cpu": 1 << 10, "cuda": 1 << 15}
"""Tokens of a pass, padding included."""


class TokenInference(Network):
    """A network with its passes.

    Args:
        module: Token ids (B, T) int64, -1 where there is no token, to outputs (B, ...); has
            `features`.
        device: Where it computes.
        precision: Of matrix products.
        compiles: Whether training passes are to be compiled.
        rows: Sequences of the longest passes on a CPU; None: as many as `PASS_TOKENS` allow.
        multiple: What sequences are padded to the next multiple of.
    """

    def __init__(
        self,
        module: nn.Module,
        device: torch.device,
        precision: Precision,
        compiles: bool = False,
        rows: int | None = None,
        multiple: int = STEP,
    ) -> None:
        super().__init__(module, device, precision, compiles)
        self._rows, self._multiple = rows, multiple
        self._sizes: dict[int, PassSize] = {}

    def of(self, module: nn.Module) -> "TokenInference":
        """The same with another module of the same kind."""
        device, precision = self.device, self.precision
        return TokenInference(module, device, precision, rows=self._rows, multiple=self._multiple)

    def inputs(self, items: Tensor) -> Tensor:
        """(B, T) int64 on its device."""
        return items.long()

    def compute_in(self, precision: Precision) -> None:
        """Compute in another precision from now on."""
        super().compute_in(precision)
        self._sizes = {}

    def outputs(self, items: Ids) -> NDArray[np.float32]:
        """(N, ...) float32 of (N, T) int32 that end in -1; of none, (0, ...)."""
        self.module.eval()
        lengths = (items >= 0).sum(axis=1)
        widths = np.maximum(1, -(-lengths // self._multiple)) * self._multiple
        found, rows = [], []
        with torch.inference_mode(), self.autocast():
            for width in np.unique(widths).tolist() or [self._multiple]:
                at = np.flatnonzero(widths == width)
                found.append(self._of_width(cut_to(items[at], width)))
                rows.append(at)
        together = np.concatenate(found)
        out = np.empty_like(together)
        out[np.concatenate(rows)] = together
        return out

    def _of_width(self, items: Ids) -> NDArray[np.float32]:
        """The outputs of sequences of one width (N, width)."""
        width = items.shape[1]
        most = max(1, PASS_TOKENS[self.device.type] // width)
        if self._rows is not None and self.device.type == "cpu":
            most = self._rows
        finder = self._sizes.setdefault(width, PassSize(most))
        size = finder(lambda x: self._pass(x).cpu().numpy(), lambda count: drawn(count, width))
        filled = np.zeros((size, width), np.int32)
        found = []
        for start in range(0, max(1, len(items)), size):  # no items: a pass tells how wide it is
            some = items[start : start + size]
            filled[: len(some)] = some
            found.append(self._pass(filled)[: len(some)])
        return torch.cat(found).cpu().numpy()

    def _pass(self, items: Ids) -> Tensor:
        given = torch.from_numpy(items).to(self.device)
        outputs: Tensor = self.module(self.inputs(given))
        return outputs.float()


def cut_to(items: Ids, width: int) -> Ids:
    """Sequences (N, T) with a width that all of them fit into: cut, or filled with -1."""
    if items.shape[1] >= width:
        return items[:, :width]
    return np.pad(items, ((0, 0), (0, width - items.shape[1])), constant_values=-1)


def drawn(count: int, width: int) -> Ids:
    """That many sequences that differ, of lengths that are padded to `width`, of low ids."""
    generator = np.random.default_rng(0)
    ids = generator.integers(0, 32, (count, width), np.int32)
    lengths = generator.integers(width - STEP + 1, width + 1, count)
    ids[np.arange(width) >= lengths[:, None]] = -1
    return ids


def inference_on(module: nn.Module, numerics: Numerics) -> TokenInference:
    """A network on the device and in the precision that are asked for, or are best there.

    Raises:
        InputError: where a GPU is asked for that torch cannot use.
    """
    device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
    return TokenInference(module, torch.device(device), precision)
