"""A technique's run without a folder: phases are worked through at once, nothing is read back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Key
from bakeoff.core.protocols import Arrays, Batches, Digests, Fitted, LoopPlan, Step, ToRows
from bakeoff.core.streams import Streams
from bakeoff.training.loop import Surroundings, run_loop


class MemoryRun:
    """Implements `core.protocols.Run`.

    Args:
        streams: What a technique draws from.
        where: Who watches its loops.

    Attributes:
        fitted: What loops and noted solves came to, in their order.
        rows: Their curves.
        notes: What people should know of them.
    """

    def __init__(self, streams: Streams | None = None, where: Surroundings | None = None) -> None:
        self.streams = streams or Streams(0)
        self.fitted: list[Fitted] = []
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self._where = where

    def loop(self, phase: str, step: Step, batches: Batches, plan: LoopPlan) -> Fitted:
        """Run a loop over batches."""
        fitted, progress = run_loop(step, batches, plan, self._where)
        self.note(fitted, progress.rows)
        return fitted

    def solve(self, phase: str, compute: Callable[[], Arrays], share: Key | None = None) -> Arrays:
        """Compute arrays in one piece."""
        return compute()

    def solve_rows(self, phase: str, digests: Digests, compute: ToRows, share: Key) -> NDArray[Any]:
        """Compute the rows of items."""
        return compute(np.arange(len(digests)))

    def note(self, fitted: Fitted, rows: Sequence[Mapping[str, Any]] = ()) -> None:
        """Remember what a solve came to, and its curve."""
        self.fitted.append(fitted)
        self.rows += [dict(row) for row in rows]

    def remark(self, sentences: Sequence[str]) -> None:
        """Remember what people should know of a fit."""
        self.notes += sentences
