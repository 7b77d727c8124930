"""Tasks by name, and by their metrics."""

import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.tasks import TASKS, metric_owner, task_of


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_found_by_its_name_and_by_each_of_its_metrics(name: str) -> None:
    task = task_of(name, ("ant", "bee"))
    assert type(task) is TASKS[name]
    assert task.name == name
    assert task.classes == (("ant", "bee") if name == "classification" else ())
    assert task.loss in task.directions
    for metric in task.directions:
        assert metric_owner(metric) is TASKS[name]
        assert metric_owner(f"test/{metric}") is TASKS[name]


def test_names_that_are_none_bring_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown task 'regresion'; did you mean 'regression'"):
        task_of("regresion")
    with pytest.raises(InputError, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        metric_owner("test/acuracy")
