"""From settings to the plan of a loop."""

from collections.abc import Callable, Iterator

from bakeoff.core.errors import unknown
from bakeoff.core.protocols import Batch, Batches, LoopPlan
from bakeoff.core.task import Task
from bakeoff.training.schedules import schedule
from bakeoff.training.settings import LoopSettings
from bakeoff.training.stopping import Trigger


def plan(
    settings: LoopSettings,
    batches: Batches,
    task: Task,
    validation: Callable[[], Iterator[Batch]] | None,
) -> LoopPlan:
    """The plan of a loop over `batches`.

    Args:
        settings: Length, rate, schedule, validation, stopping.
        batches: What an epoch consists of.
        task: Scores the validation predictions.
        validation: Gives the validation batches, anew for each validation; None: there are none,
            the stopping rule sees the training loss, and the last weights are kept.
    """
    # A study's metric comes in the place of `auto`; alone, each task has its usual one.
    usual = "accuracy" if "accuracy" in task.directions else task.loss
    select = usual if settings.select == "auto" else settings.select
    if select not in task.directions:
        raise unknown("metric", select, list(task.directions), "training.select")
    steps = settings.iterations or (settings.epochs or 0) * batches.per_epoch
    return LoopPlan(
        steps=steps,
        validate_every=settings.validate_every or batches.per_epoch,
        learning_rate=schedule(settings, steps),
        select=select,
        direction=task.directions[select],
        validation=validation,
        score=task.score,
        loss=task.loss,
        stopping=Trigger(settings.stopping) if settings.stopping else None,
        restore_best=settings.restore_best,
        parts=settings.parts,
        checkpoint_seconds=settings.checkpoint_seconds,
    )
