"""What a technique's `fit` works through: phases that are resumed, read back, timed and watched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bakeoff.core.cache import arrays_at, shared_path
from bakeoff.core.cell import Key
from bakeoff.core.protocols import Arrays, Batches, Fitted, LoopPlan, Step
from bakeoff.core.record import Interruption
from bakeoff.core.streams import Streams
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
    """

    def __init__(
        self,
        folder: Path,
        streams: Streams,
        fingerprint: dict[str, Any],
        deterministic: bool,
        observer: Observer,
        check: Callable[[], None],
    ) -> None:
        self.streams = streams
        self.fitted: list[Fitted] = []
        self.rows: list[dict[str, Any]] = []
        self.interruptions: list[Interruption] = []
        self.train_seconds = 0.0
        self.warm_up_seconds = 0.0
        self._folder = folder / "checkpoints" / "last"
        self._fingerprint = fingerprint
        self._deterministic = deterministic
        self._observer, self._check = observer, check

    def loop(self, phase: str, step: Step, batches: Batches, plan: LoopPlan) -> Fitted:
        """Run, resume or read back a loop over batches."""
        where = Surroundings(
            folder=self._folder / phase,
            phase=phase,
            observer=self._observer,
            check=self._check,
            fingerprint=self._fingerprint,
            resumed=lambda at, then: self._note(phase, at, then),
        )
        fitted, progress = run_loop(step, batches, plan, where)
        self.fitted.append(fitted)
        self.rows += progress.rows
        self.train_seconds += progress.train_seconds
        self.warm_up_seconds += progress.warm_up_seconds
        return fitted

    def solve(self, phase: str, compute: Callable[[], Arrays], share: Key | None = None) -> Arrays:
        """Compute arrays in one piece, or read them back."""
        self._check()
        path = shared_path(share) if share else self._folder / f"{phase}.safetensors"
        arrays, seconds = arrays_at(path, compute)
        self.train_seconds += seconds
        return arrays

    def _note(self, phase: str, at: int, then: dict[str, Any]) -> None:
        """Say whether going on gives the bits of an unbroken run, and if not, why."""
        now = self._fingerprint
        changed = sorted(k for k in {*then, *now} if then.get(k) != now.get(k))
        why = None if self._deterministic else "numerics.deterministic is false"
        if changed:
            why = "; ".join(f"{k}: {then.get(k)} became {now.get(k)}" for k in changed)
        self.interruptions.append(
            Interruption(phase=phase, step=at, bit_equal=why is None, why=why)
        )

