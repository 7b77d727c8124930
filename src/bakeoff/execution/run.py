"""What a technique's `fit` works through: phases that are resumed, read back, timed and watched."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bakeoff.core.cache import Price, arrays_at, shared_path
from bakeoff.core.cell import Key
from bakeoff.core.files import canonical_json
from bakeoff.core.protocols import (
    Arrays,
    Batches,
    Digests,
    Fitted,
    LoopPlan,
    Optimising,
    Step,
    ToRows,
)
from bakeoff.core.record import MACHINE, Interruption
from bakeoff.core.rows import rows_at, rows_folder
from bakeoff.core.streams import Streams
from bakeoff.execution.measure import Company
from bakeoff.training.checkpoint import Progress
from bakeoff.training.loop import Surroundings, run_loop
from bakeoff.training.observers import Observer


class CellRun:
    """The `Run` of one cell.

    Args:
        folder: Of the cell; phases live in `checkpoints/last/`.
        streams: Of the replicate.
        fingerprint: What the bits depend on in this process.
        deterministic: Whether equal fingerprints mean equal bits.
        observer: Watches the loops.
        check: Raises `Interrupted` when a signal has come.
        sharing: Whether other cells run at the same time.
    """

    def __init__(
        self,
        folder: Path,
        streams: Streams,
        fingerprint: dict[str, Any],
        deterministic: bool,
        observer: Observer,
        check: Callable[[], None],
        sharing: bool = False,
    ) -> None:
        self.streams = streams
        self.fitted: list[Fitted] = []
        self.rows: list[dict[str, Any]] = []
        self.interruptions: list[Interruption] = []
        self.train_seconds = 0.0
        self.warm_up_seconds = 0.0
        self.compile_seconds = 0.0
        self.optimiser_bytes: int | None = None
        """Of the loop whose optimiser remembers the most; None: no loop tells."""
        self.notes: list[str] = []
        self.solve_seconds: dict[str, float] = {}
        """Of each phase that is no loop; they are part of `train_seconds`."""
        self.alone = True
        """Whether these are a price: measured with nothing else at work, on a machine like this."""
        self.per_epoch: int | None = None
        """Batches in an epoch of the last loop."""
        self._folder = folder / "checkpoints" / "last"
        self._fingerprint = json.loads(canonical_json(fingerprint))
        self._machine = json.dumps([fingerprint.get(name) for name in MACHINE])
        self._phases: set[str] = set()
        self._deterministic = deterministic
        self._observer, self._check, self._sharing = observer, check, sharing

    def loop(self, phase: str, step: Step, batches: Batches, plan: LoopPlan) -> Fitted:
        """Run, resume or read back a loop over batches.

        Raises:
            ValueError: where the cell has had a phase of that name.
        """
        self._begin(phase)
        self.per_epoch = batches.per_epoch
        if isinstance(step, Optimising):
            self.optimiser_bytes = max(self.optimiser_bytes or 0, step.optimiser_bytes)
        where = Surroundings(
            folder=self._folder / phase,
            phase=phase,
            observer=self._observer,
            check=self._check,
            fingerprint=self._fingerprint,
        )
        fitted, progress = run_loop(step, batches, plan, where)
        self._note_stops(phase, progress)
        self.fitted.append(fitted)
        self.rows += progress.rows
        self.train_seconds += progress.train_seconds
        self.warm_up_seconds += progress.warm_up_seconds
        self.compile_seconds += progress.compile_seconds
        self.notes += progress.notes
        return fitted

    def solve(self, phase: str, compute: Callable[[], Arrays], share: Key | None = None) -> Arrays:
        """Compute arrays in one piece, or read them back.

        Raises:
            ValueError: where the cell has had a phase of that name.
        """
        self._begin(phase)
        self._check()
        path = shared_path(share) if share else self._folder / f"{phase}.safetensors"
        arrays, price = arrays_at(path, compute, self._measure)
        self._took(phase, [price])
        return arrays

    def solve_rows(self, phase: str, digests: Digests, compute: ToRows, share: Key) -> NDArray[Any]:
        """Compute the rows of items, or read back those that any cell has computed.

        Raises:
            ValueError: where the cell has had a phase of that name.
        """
        self._begin(phase)
        self._check()
        found, prices = rows_at(rows_folder(share), digests, compute, self._measure)
        self._took(phase, prices)
        return found

    def note(self, fitted: Fitted, rows: Sequence[Mapping[str, Any]] = ()) -> None:
        """Put what a solve came to into the record, and its curve into `metrics.jsonl`."""
        self.fitted.append(fitted)
        self.rows += [dict(row) for row in rows]

    def remark(self, sentences: Sequence[str]) -> None:
        """Put sentences into the record."""
        self.notes += sentences

    def _measure(self, compute: Callable[[], Arrays]) -> tuple[Arrays, Price]:
        """Arrays, and what computing them takes here and now."""
        company, began = Company(), time.perf_counter()
        arrays = dict(compute())
        seconds = time.perf_counter() - began
        return arrays, Price(seconds, company.alone() and not self._sharing, self._machine)

    def _took(self, phase: str, prices: Sequence[Price]) -> None:
        """Add what a solve took, whoever computed it, and when."""
        seconds = math.fsum(price.seconds for price in prices)
        self.train_seconds += seconds
        self.solve_seconds[phase] = seconds
        if not all(price.alone and price.machine == self._machine for price in prices):
            self.alone = False

    def _begin(self, phase: str) -> None:
        """A phase's name is where its results lie: a second one would read the first one's."""
        if phase in self._phases:
            raise ValueError(f"a cell has one phase '{phase}', asked for twice")
        self._phases.add(phase)

    def _note_stops(self, phase: str, progress: Progress) -> None:
        """Say of every stop whether what followed has the bits of an unbroken run.

        A finished phase that is read back under another fingerprint counts as a stop at its end.
        """
        legs = [*progress.stops, {"step": progress.step, "fingerprint": progress.fingerprint}]
        if progress.fingerprint != self._fingerprint:
            legs.append({"fingerprint": self._fingerprint})
        for stop, after in pairwise(legs):
            why = self._why_other_bits(stop["fingerprint"], after["fingerprint"])
            self.interruptions.append(
                Interruption(phase=phase, step=stop["step"], bit_equal=why is None, why=why)
            )

    def _why_other_bits(self, then: dict[str, Any], now: dict[str, Any]) -> str | None:
        changed = sorted(k for k in {*then, *now} if then.get(k) != now.get(k))
        if changed:
            return "; ".join(f"{k}: {then.get(k)} became {now.get(k)}" for k in changed)
        return None if self._deterministic else "numerics.deterministic is false"
