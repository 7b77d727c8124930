"""A network at work on token sequences: what it says of one depends on that one alone.

Sequences are sorted by length and padded to the next multiple of `STEP`, a function of a sequence's
own length; passes of a width all have the same number of rows (`core.passes`), the last one filled
up. So neither what is beside a sequence nor how far that is padded changes a bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.core.passes import PassSize
from bakeoff.core.recipe import Numerics
from bakeoff.core.tokens import Tokens
from bakeoff.training.torch.inference import Network
from bakeoff.training.torch.numerics import Precision, resolve_device_and_precision

Ids = NDArray[np.int32]
"""(N, T), every sequence from the left, then -1."""
STEP = 8
DRAWN_IDS = 32
"""Different ones in passes that are tried out."""
PASS_TOKENS = {"cpu": 1 << 10, "cuda": 1 << 15}
"""Tokens of a pass, padding included."""
PIECE_TOKENS = 1 << 16
"""Tokens whose vectors are held in float32 at once: 100 MB at 384 numbers each."""


_lengths: dict[tuple[object, ...], PassSize] = {}
"""How long passes are, by all that decides which kernels compute them. Weights do not: so what was
tried out holds for every network of an architecture, fitted, loaded or of another seed."""


class TokenInference(Network):
    """A network with its passes.

    Args:
        module: Token ids (B, T) int64, -1 where there is no token, to outputs (B, ...); has
            `features`. Where it has a `vocabulary`, ids are below that.
        device: Where it computes.
        precision: Of matrix products.
        compiles: Whether training passes are to be compiled.
        rows: Sequences of the longest passes on a CPU; None: as many as `PASS_TOKENS` allow.
        multiple: What sequences are padded to the next multiple of.
        limit: The longest that they may be padded to.
    """

    def __init__(
        self,
        module: nn.Module,
        device: torch.device,
        precision: Precision,
        compiles: bool = False,
        rows: int | None = None,
        multiple: int = STEP,
        limit: int | None = None,
    ) -> None:
        super().__init__(module, device, precision, compiles)
        self._rows, self._multiple, self._limit = rows, multiple, limit
        self.pass_size = self._most(multiple)
        self._ids = min(DRAWN_IDS, getattr(module, "vocabulary", DRAWN_IDS))
        self._kind = (type(self), repr(module), device.type)

    def of(self, module: nn.Module) -> "TokenInference":
        """The same with another module of the same kind."""
        made = TokenInference(
            module,
            self.device,
            self.precision,
            rows=self._rows,
            multiple=self._multiple,
            limit=self._limit,
        )
        made.cut_passes(self.cuts)
        return made

    def inputs(self, items: Tensor) -> Tensor:
        """(B, T) int64 on its device."""
        return items.long()

    def _most(self, width: int) -> int:
        """Sequences of the longest pass of a width."""
        if self._rows is not None and self.device.type == "cpu":
            return self._rows
        return max(1, PASS_TOKENS[self.device.type] // width)

    def outputs(self, items: Ids) -> NDArray[np.float32]:
        """(N, ...) float32 of (N, T) int32 that end in -1; of none, (0, ...)."""
        widths = self._widths((items >= 0).sum(axis=1))
        found, rows = [], []
        with self._evaluating():
            for width in np.unique(widths).tolist() or [self._multiple]:
                at = np.flatnonzero(widths == width)
                found.append(self._of_width(cut_to(items[at], width)))
                rows.append(at)
        together = np.concatenate(found)
        out = np.empty_like(together)
        out[np.concatenate(rows)] = together
        return out

    def token_outputs(self, tokens: Tokens) -> NDArray[np.float16]:
        """(T, D) float16 of all tokens of N sequences, one sequence behind another.

        Of a module that gives a vector of every token, (B, width) to (B, width, D). A few passes'
        outputs are held in float32 at once. What is too great for float16 becomes infinite.
        """
        widths = self._widths(tokens.lengths)
        with self._evaluating():
            none = np.zeros((0, self._multiple), np.int32)
            out = np.empty((len(tokens.ids), self._of_width(none).shape[2]), np.float16)
            for width in np.unique(widths).tolist():
                rows = np.flatnonzero(widths == width)
                for at in np.split(rows, range(0, len(rows), max(1, PIECE_TOKENS // width))[1:]):
                    items = tokens.take(at).padded(-1, width)
                    places = (tokens.starts[at][:, None] + np.arange(width))[items >= 0]
                    with np.errstate(over="ignore"):
                        out[places] = self._of_width(items)[items >= 0]
        return out

    def _widths(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) what sequences of these lengths are padded to: never beyond the limit."""
        widths = np.maximum(1, -(-lengths // self._multiple)) * self._multiple
        return widths if self._limit is None else np.minimum(widths, self._limit)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """The module in evaluation mode, nothing noted for gradients, in its precision."""
        self.module.eval()
        with torch.inference_mode(), self.autocast():
            yield

    def _of_width(self, items: Ids) -> NDArray[np.float32]:
        """The outputs of sequences of one width (N, width)."""
        width = items.shape[1]
        most = max(1, self._most(width) // self.cuts)
        threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        kind = (*self._kind, self.precision, threads, exact, width, most)
        finder = _lengths.setdefault(kind, PassSize(most))
        size = finder(
            lambda x: self._pass(x).cpu().numpy(), lambda count: drawn(count, width, self._ids)
        )
        return self.in_passes(items, size, self._pass)

    def _pass(self, items: Ids) -> Tensor:
        given = torch.from_numpy(items).to(self.device)
        outputs: Tensor = self.module(self.inputs(given))
        return outputs.float()


def cut_to(items: Ids, width: int) -> Ids:
    """Sequences (N, T) with a width that all of them fit into: cut, or filled with -1."""
    if items.shape[1] >= width:
        return items[:, :width]
    return np.pad(items, ((0, 0), (0, width - items.shape[1])), constant_values=-1)


def drawn(count: int, width: int, below: int = DRAWN_IDS) -> Ids:
    """That many sequences that differ, of lengths that are padded to `width`, of low ids."""
    generator = np.random.default_rng(0)
    ids = generator.integers(0, below, (count, width), np.int32)
    lengths = generator.integers(max(1, width - STEP + 1), width + 1, count)
    ids[np.arange(width) >= lengths[:, None]] = -1
    return ids


def inference_on(module: nn.Module, numerics: Numerics, limit: int) -> TokenInference:
    """A network on the device and in the precision that are asked for, or are best there.

    Args:
        module: As for `TokenInference`.
        numerics: What is asked for.
        limit: The most tokens of a sequence that the module reads.

    Raises:
        InputError: where a GPU is asked for that torch cannot use.
    """
    device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
    return TokenInference(module, torch.device(device), precision, limit=limit)
