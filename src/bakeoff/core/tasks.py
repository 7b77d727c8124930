"""The tasks by name, and which of them knows a metric."""

from collections.abc import Mapping, Sequence
from typing import Literal

from bakeoff.core.classification import Classification
from bakeoff.core.errors import unknown
from bakeoff.core.language import LanguageModelling
from bakeoff.core.measures import bare
from bakeoff.core.regression import Regression
from bakeoff.core.task import Task

TaskName = Literal["classification", "regression", "language-modelling"]

TASKS: Mapping[str, type[Task]] = {
    "classification": Classification,
    "regression": Regression,
    "language-modelling": LanguageModelling,
}


def task_of(name: str, classes: Sequence[str] = ()) -> Task:
    """The task of that name.

    Args:
        name: As records and data sets call it.
        classes: The class names, where there are any.

    Raises:
        InputError: where there is none, or the class names are not allowed.
    """
    if name not in TASKS:
        raise unknown("task", name, tuple(TASKS))
    if name == "classification":
        return Classification(classes)
    return Regression() if name == "regression" else LanguageModelling()


def metric_owner(metric: str) -> type[Task]:
    """The task that knows a metric.

    Args:
        metric: Its name, with or without the split (`test/accuracy`).

    Raises:
        InputError: where no task knows it.
    """
    name = bare(metric)
    for task in TASKS.values():
        if name in task.directions:
            return task
    every = [name for task in TASKS.values() for name in task.directions]
    raise unknown("metric", name, every)
