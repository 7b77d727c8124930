"""Classification: predictions files that give back names, numbers and metrics exactly."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.core import metrics
from bakeoff.core.classification import Classification, label_probabilities
from bakeoff.core.errors import InputError
from bakeoff.core.table import Table
from bakeoff.core.tasks import task_of

NASTY = ('comma, "quote"', "line\nfeed", "return\r", "ä 🙂", " spaces ", "nan", "0", "-1")
CHARACTERS = st.characters(exclude_categories=["Cs"])


def predictions(seed: int, count: int, classes: int, unknown: bool = False) -> Table:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 20, (count, classes))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    table = Classification([str(i) for i in range(classes)]).table(
        ids=np.array([f"item {i}" for i in range(count)]),
        labels=rng.integers(-1 if unknown else 0, classes, count),
        outputs=(odds / odds.sum(axis=1, keepdims=True)).astype(np.float32),
        groups=rng.integers(0, 5, count) if seed % 2 else None,
    )
    return table


def through_file(task: Classification, table: Table, packed: bool = False) -> Table:
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("x.csv.gz" if packed else "x.csv")
        path.write_bytes(gzip.compress(task.write(table)) if packed else task.write(table))
        return task.read(path)


def assert_equal(a: Table, b: Table) -> None:
    assert set(a) == set(b)
    for name in a:
        assert a[name].dtype.kind == b[name].dtype.kind, name
        assert a[name].tolist() == b[name].tolist(), name


@settings(max_examples=60, deadline=None)
@given(
    classes=st.lists(
        st.text(CHARACTERS, min_size=1, max_size=5), min_size=2, max_size=6, unique=True
    ),
    seed=st.integers(0, 99),
    reduce=st.booleans(),
)
def test_files_give_back_every_bit(classes: list[str], seed: int, reduce: bool) -> None:
    task, table = Classification(classes), predictions(seed, 20, len(classes), unknown=True)
    table = task.reduced(table) if reduce else table
    assert_equal(through_file(task, table), table)


def test_class_names_may_be_anything_but_empty_or_equal() -> None:
    task, table = Classification(NASTY), predictions(1, 50, len(NASTY))
    assert_equal(through_file(task, table, packed=True), table)
    with pytest.raises(InputError, match="different and not empty"):
        Classification(["a", ""])
    with pytest.raises(InputError, match="different and not empty"):
        Classification(["a", "b", "a"])


@pytest.mark.parametrize("seed", range(5))
def test_a_reduced_file_gives_the_same_bits_of_every_metric(seed: int) -> None:
    task, table = Classification("abcd"), predictions(seed, 300, 4, unknown=True)
    wanted = task.metrics(table)
    assert set(wanted) == set(task.directions)
    for form in (table, task.reduced(table)):
        assert task.metrics(form) == wanted
        assert task.metrics(through_file(task, form)) == wanted
    assert "probabilities" not in task.reduced(table)
    assert len(task.write(task.reduced(table))) < 0.7 * len(task.write(table))


def test_metrics_are_of_the_rows_whose_label_is_known() -> None:
    task, table = Classification("abc"), predictions(0, 60, 3, unknown=True)
    known = np.flatnonzero(table["label"] >= 0)
    assert 0 < len(known) < 60
    assert task.metrics(table) == task.metrics(table.take(known))
    probabilities = label_probabilities(table)
    assert probabilities.dtype == np.float32
    assert probabilities[table["label"] < 0].max() == 0
    row = known[0]
    assert probabilities[row] == table["probabilities"][row, table["label"][row]]
    unknown = table.take(np.flatnonzero(table["label"] < 0))
    assert task.metrics(unknown) == {}
    assert task.metrics(through_file(task, unknown)) == {}


def test_scores_are_the_metrics_of_probabilities() -> None:
    task, table = Classification("abc"), predictions(0, 60, 3)
    scores = task.score(table["label"], table["probabilities"])
    assert scores == task.metrics(table)
    assert scores["accuracy"] == np.mean(table["probabilities"].argmax(axis=1) == table["label"])


def test_directions_are_those_of_the_metrics() -> None:
    assert Classification.directions == metrics.DIRECTIONS
    assert Classification.directions["log_loss"] == "min"


def test_the_columns_of_a_file() -> None:
    task = Classification(["no", "yes, sir"])
    table = task.table(
        ids=np.array(["a", "b"]),
        labels=np.array([1, -1]),
        outputs=np.array([[0.1, 0.9], [0.75, 0.25]], np.float32),
        groups=np.array([7, 8]),
    )
    assert task.write(table).decode() == (
        'id,label,prediction,confidence,prob_no,"prob_yes, sir",group\n'
        'a,"yes, sir","yes, sir",0.899999976,0.100000001,0.899999976,7\n'
        "b,,no,0.75,0.75,0.25,8\n"
    )
    assert task.write(task.reduced(table)).decode() == (
        'id,label,prediction,label_probability,group\na,"yes, sir","yes, sir",0.899999976,7\n'
        "b,,no,0,8\n"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,label,prob_a,prob_b\nx,a,1,0\n", "missing columns prediction"),
        ("id,label,prediction,prob_a\nx,a,a,1\n", "missing columns prob_b"),
        ("id,label,prediction,prob_a,prob_b\nx,c,a,1,0\n", "column label: unknown class 'c'"),
        ("id,label,prediction,prob_a,prob_b\nx,a,A,1,0\n", "column prediction: unknown class 'A'"),
        ("id,label,prediction,prob_a,prob_b\nx,a,a,much,0\n", "not a number: .*much"),
        ("id,label,prediction,label_probability\nx,a,a,\n", "not a number"),
        ("id,label,prediction,label_probability,group\nx,a,a,1,b1\n", "not a number: .*b1"),
        ("", "empty"),
    ],
)
def test_files_that_are_no_predictions_are_refused(
    content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(InputError, match=rf"x\.csv: {message}"):
        Classification(["a", "b"]).read(tmp_path / "x.csv")


@pytest.mark.parametrize("classes", [("a", "b"), ()])
def test_a_file_may_be_written_in_parts(classes: tuple[str, ...]) -> None:
    task = task_of("classification" if classes else "regression", classes)
    labels = np.array([0, 1, 1]) if classes else np.array([0.5, 1.5, np.nan])
    outputs = np.full((3, 2), 0.5, np.float32) if classes else np.arange(3.0)
    table = task.table(np.array(["x", "y", "z"]), labels, outputs)
    parts = [table.take(slice(0, 2)), table.take(slice(2, 3))]
    written = task.write(parts[0]) + task.write(parts[1], header=False)
    assert written == task.write(table)
