"""The one training loop: NumPy, torch and Keras, images and text.

What changes learning comes with the step and the plan; observers only watch. Nothing in the inner
loop waits for a device: a step's sums are added up where they are and read at validations,
checkpoints and progress ticks.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.core.errors import Interrupted
from bakeoff.core.protocols import (
    Batches,
    Fitted,
    Guarded,
    LoopPlan,
    Position,
    State,
    Step,
    Value,
)
from bakeoff.training import checkpoint
from bakeoff.training.checkpoint import Progress
from bakeoff.training.observers import Observer, Silent
from bakeoff.training.settings import check_parts

TICK_SECONDS = 0.25
TO_ONE_OF_SAVING = 20
"""Seconds of training for each that a checkpoint takes, at least: 1.6 GB of a language model's
state, written every half minute, took a seventh of the time."""
MEANS = {"correct": "accuracy"}
"""What the mean over examples of a step's sum is called, where it has a name of its own."""


@dataclass
class Surroundings:
    """Where a loop runs: its folder, who watches, who may stop it."""

    folder: Path | None = None
    """Of its checkpoints; None keeps none."""
    phase: str = "train"
    observer: Observer = field(default_factory=Silent)
    check: Callable[[], None] = lambda: None
    """Called between steps; raises to stop the loop at a checkpoint."""
    fingerprint: dict[str, Any] = field(default_factory=dict)
    """What the bits depend on in this process."""


def run_loop(
    step: Step, batches: Batches, plan: LoopPlan, where: Surroundings | None = None
) -> tuple[Fitted, Progress]:
    """Train to the end of the plan, from the last checkpoint if there is one.

    The step is left holding the selected weights: the best on validation, or the last ones (always
    the last ones where nothing validates). Where training sums, validation outputs, their loss or
    the score that selects are not finite, the loop ends at that validation with the weights
    selected before; `selected_step` 0 says that there are none. A step that computed in less than
    full precision first goes back to the validation before, and on from there in full.

    Args:
        step: What an update and an evaluation are.
        batches: What an epoch consists of.
        plan: Length, rates, validation, stopping.
        where: Folder, observer, interruption.

    Raises:
        InputError: where the plan cuts batches that the step cannot cut.
        DiskError: where a checkpoint cannot be written; the last one is intact.
    """
    check_parts(plan.parts, step.splittable)
    return _Loop(step, batches, plan, where or Surroundings()).run()


class _Loop:
    """The state of one loop while it runs."""

    def __init__(self, step: Step, batches: Batches, plan: LoopPlan, where: Surroundings) -> None:
        self.step, self.batches, self.plan, self.where = step, batches, plan, where
        self.progress = Progress(fingerprint=where.fingerprint)
        self.best: State | None = None
        self.validated: State | None = None
        """Of a step that does not compute exactly: what to go back to."""
        self.sums: dict[str, Value] = {}
        self._guard = step if isinstance(step, Guarded) else None
        self._compiled_before = 0.0
        self._cold = True
        self._began = self._saved = self._ticked = 0.0
        self._saving_seconds = 0.0
        """What the last checkpoint took."""

    def run(self) -> tuple[Fitted, Progress]:
        if self._inexact():
            self.validated = self.step.state()
        self._resume()
        now = time.perf_counter()
        self._began = self._saved = self._ticked = now
        if not self.progress.finished:
            self.where.observer.begin(self.where.phase, self.plan.steps, self.progress.step)
            try:
                self._train()
            finally:
                self.where.observer.end()
            self._finish()
        p = self.progress
        return Fitted(p.step, p.best_step, p.diverged_at, p.stopped_by), p

    def _train(self) -> None:
        plan, progress, step = self.plan, self.progress, self.step
        while progress.step < plan.steps:
            epoch, start = divmod(progress.step, self.batches.per_epoch)
            for batch in self.batches.epoch(epoch, start):
                at = Position(progress.step, epoch, plan.learning_rate(progress.step), plan.parts)
                for name, value in step(batch, at).items():
                    self.sums[name] = self.sums[name] + value if name in self.sums else value
                done = progress.step = progress.step + 1
                if self._cold:
                    self._end_warm_up()
                last = done == plan.steps
                if (last or done % plan.validate_every == 0) and self._validate(epoch):
                    return
                self._between_steps()
                if last or progress.step < done:
                    break

    def _between_steps(self) -> None:
        """Show, save and look for signals."""
        now = time.perf_counter()
        saving = now - self._saved > self._pause()
        if saving or now - self._ticked > TICK_SECONDS:
            self.where.observer.progress(self.progress.step, self._read_sums())
            self._ticked = now
        if saving:
            self._save()
        try:
            self.where.check()
        except Interrupted:
            self._save()
            raise

    def _pause(self) -> float:
        """Seconds between two checkpoints: more where one takes long; 0 is every update."""
        asked = self.plan.checkpoint_seconds
        return asked and max(asked, TO_ONE_OF_SAVING * self._saving_seconds)

    def _end_warm_up(self) -> None:
        """A process's first update allocates and reads ahead: it is booked apart.

        What it compiled is part of the price of training.
        """
        self._cold = False
        self._read_sums()
        now, compiled = time.perf_counter(), self._guard.compile_seconds if self._guard else 0.0
        self.progress.warm_up_seconds += now - self._began - compiled
        self.progress.train_seconds += compiled
        self._began = now

    def _read_sums(self) -> dict[str, float]:
        """The sums as numbers; waits for the device."""
        return {name: float(value) for name, value in self.sums.items()}

    def _validate(self, epoch: int) -> bool:
        """Score the validation examples, if there are any; whether the loop is over.

        Without them, the loss of the training batches since the last time is what the stopping
        rule sees.
        """
        plan, progress = self.plan, self.progress
        sums = self._read_sums()
        if not _finite(sums):
            return self._diverge()
        self.sums = {}
        scores: Mapping[str, float] = {}
        loss = sums["loss"] / sums["count"]
        score = -loss
        if plan.validation is not None:
            batches = list(plan.validation())
            outputs = np.concatenate([self.step.evaluate(batch) for batch in batches])
            if np.isfinite(outputs).all():
                scores = plan.score(np.concatenate([batch.labels for batch in batches]), outputs)
            asked = {name: scores.get(name, math.nan) for name in (plan.select, plan.loss)}
            if not _finite(asked):
                return self._diverge()
            score = scores[plan.select] if plan.direction == "max" else -scores[plan.select]
            loss = scores[plan.loss]
        if not self._keep(score):
            return self._diverge()
        self._add_row(epoch, sums, scores)
        if plan.stopping is not None and plan.stopping(score, loss):
            progress.stopped_by = "stopping rule"
        return progress.stopped_by is not None

    def _keep(self, score: float) -> bool:
        """Remember the state where it is the best, or to go back to; False: it is not finite."""
        plan, progress = self.plan, self.progress
        keep_last = not plan.restore_best or plan.validation is None
        better = keep_last or progress.best_score is None or score > progress.best_score
        if better or self._inexact():
            state = self.step.state()
            if plan.validation is None and not all(np.isfinite(a).all() for a in state.values()):
                return False
            if better:
                progress.best_score, progress.best_step, self.best = score, progress.step, state
            if self._inexact():
                progress.validated_step, self.validated = progress.step, state
        return True

    def _diverge(self) -> bool:
        """What to do about numbers that are not finite; whether the loop is over.

        Where the step can compute exactly and did not, the loop goes back to the last validation.
        """
        progress = self.progress
        if self._guard is None or self.validated is None or not self._guard.inexact:
            progress.diverged_at = progress.step
            return True
        progress.notes.append(
            f"numbers were not finite by update {progress.step:,}: went back to update "
            f"{progress.validated_step:,}, and on from there in full precision"
        )
        self.step.load(self.validated)
        self._guard.compute_exactly()
        progress.step, self.validated, self.sums = progress.validated_step, None, {}
        return False

    def _inexact(self) -> bool:
        return self._guard is not None and self._guard.inexact

    def _ask_guard(self) -> None:
        """What the step has to tell goes into the loop's own state."""
        if self._guard is not None:
            told = [note for note in self._guard.notes if note not in self.progress.notes]
            self.progress.notes += told
            seconds = self._compiled_before + self._guard.compile_seconds
            self.progress.compile_seconds = seconds

    def _add_row(self, epoch: int, sums: Mapping[str, float], scores: Mapping[str, float]) -> None:
        progress = self.progress
        row = {
            "phase": self.where.phase,
            "step": progress.step,
            "epoch": epoch + 1,
            "seconds": round(progress.train_seconds + time.perf_counter() - self._began, 3),
            "learning_rate": self.plan.learning_rate(progress.step - 1),
            **{
                f"train/{MEANS.get(name, name)}": value / sums["count"]
                for name, value in sums.items()
                if name != "count"
            },
            **{f"validation/{name}": value for name, value in scores.items()},
        }
        progress.rows.append(row)
        self.where.observer.row(dict(row))

    def _finish(self) -> None:
        """Select weights, and leave a checkpoint that says the phase is finished.

        `best` is the best state on validation, or the last validated one where the plan keeps the
        last weights: it is what a loop that diverged later counts with.
        """
        if self.best is not None and self.progress.best_step != self.progress.step:
            self.step.load(self.best)
        self.progress.finished = True
        self.best = self.validated = None
        self.sums = {}
        self._save()

    def _book_time(self) -> None:
        now = time.perf_counter()
        self.progress.train_seconds += now - self._began
        self._began = now

    def _save(self) -> None:
        """Write a checkpoint, but none of a loop that has diverged and is about to end.

        It would have to say when, which is known at the next validation only; from the checkpoint
        before, a resumed loop diverges at the same step again.
        """
        progress, sums = self.progress, self._read_sums()
        self._book_time()
        self._ask_guard()
        if _finite(sums):
            progress.sums = sums
            progress.stopping = self.plan.stopping.state() if self.plan.stopping else []
            if self.where.folder is not None:
                state = self.step.state()
                checkpoint.save(self.where.folder, state, self.best, progress, self.validated)
        self._saved = time.perf_counter()
        self._saving_seconds, self._began = self._saved - self._began, self._saved

    def _resume(self) -> None:
        found = checkpoint.load(self.where.folder) if self.where.folder else None
        if found is None:
            return
        state, self.best, progress, validated = found
        self.step.load(state)
        self.validated = validated if self._inexact() else None
        self._compiled_before = progress.compile_seconds
        self.sums = dict(progress.sums)
        if self.plan.stopping:
            self.plan.stopping.load(progress.stopping)
        if not progress.finished:
            progress.stops.append({"step": progress.step, "fingerprint": progress.fingerprint})
            progress.fingerprint = self.where.fingerprint
        self.progress = progress


def _finite(sums: Mapping[str, float]) -> bool:
    return all(math.isfinite(value) for value in sums.values())
