"""What the tasks' tables of predictions share."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.classification import Classification
from bakeoff.core.errors import InputError
from bakeoff.core.language import LanguageModelling
from bakeoff.core.regression import Regression
from bakeoff.core.task import Task, with_groups

TASKS: tuple[Task, ...] = (Classification("ab"), Regression(), LanguageModelling())
OUTPUTS = (
    np.array([[0.25, 0.75], [0.5, 0.5], [1, 0]], np.float32),
    np.array([0.1, -2.5, 1 / 3]),
    np.array([[7.5, 3, 9, 1], [1 / 3, 2, 5, 0.9], [0, 0, 0, 0]]),
)
LABELS = (np.array([1, -1, 0]), np.array([0.2, np.nan, 3.0]), np.array([4.0, np.nan, 1.0]))


def test_groups_are_a_column_where_there_are_any() -> None:
    columns = {"id": np.array(["a"])}
    assert list(with_groups(columns, None)) == ["id"]
    assert list(with_groups(columns, np.array([3]))) == ["id", "group"]


@pytest.mark.parametrize("task", range(3))
@pytest.mark.parametrize("groups", [None, np.array([5, 5, 6])])
def test_every_task_gives_its_tables_back(
    task: int, groups: NDArray[np.int64] | None, tmp_path: Path
) -> None:
    own = TASKS[task]
    table = own.table(np.array(["x", "y", "z"]), LABELS[task], OUTPUTS[task], groups)
    path = tmp_path / "predictions.csv"
    path.write_bytes(own.write(table))
    again = own.read(path)
    assert list(again) == list(table)
    for name, column in table.items():
        np.testing.assert_array_equal(again[name], column)
    assert own.metrics(again) == own.score(LABELS[task], OUTPUTS[task])
    assert own.write(again, header=False).count(b"\n") == 3


@pytest.mark.parametrize(
    ("task", "content", "fault"),
    [
        (0, "id,label,prediction,label_probability\nx,c,a,1\n", "x.csv: column label: unknown"),
        (1, "id,target,prediction\nx,1,\n", "x.csv: not a number"),
        (2, "id,target,nats,tokens\nx,1,,2\n", "x.csv: not a number"),
        (1, "id,target,prediction,group\nx,1,2,b\n", "x.csv: not a number"),
        (2, "id,target,nats\nx,1,2\n", "x.csv: missing columns tokens"),
    ],
)
def test_only_a_target_may_be_missing(task: int, content: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(InputError) as caught:
        TASKS[task].read(tmp_path / "x.csv")
    assert fault in str(caught.value)
    assert str(caught.value).count("x.csv") == 1
