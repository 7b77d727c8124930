"""What becomes of cells, and how failures are told."""

from pathlib import Path

import pytest
from tests.study.tiny import Watch, cells, study

from bakeoff.core.cell import Cell
from bakeoff.core.errors import BakeoffError, InputError
from bakeoff.core.store import Store
from bakeoff.execution.cells import Cells, Outcome, Unwatched, Watcher, lacking, note_failure, tell


@pytest.fixture
def two() -> list[Cell]:
    """A cell, and one that needs it."""
    encoded = {"technique": "knn", "encoder": {"recipe": "mlp"}}
    return cells(study(variants={"encoded": encoded, "mlp": {"technique": "mlp"}}))[1:]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (BakeoffError("what went wrong"), "what went wrong"),
        (InputError(["one", "two"]), "one\ntwo"),
        (MemoryError(), "out of memory"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_errors_are_told_in_a_line(error: Exception, line: str) -> None:
    assert tell(error) == line


def test_a_failed_input_is_told(two: list[Cell]) -> None:
    mlp, encoded = two
    outcome = Outcome()
    assert lacking(encoded, outcome) is None
    outcome.failures[mlp.key] = "crashed"
    assert lacking(encoded, outcome) == "its input mlp failed"
    assert lacking(mlp, outcome) is None


def test_failures_are_noted_and_told(tmp_path: Path, two: list[Cell]) -> None:
    watch, outcome = Watch(), Outcome()
    Cells(two, Store(tmp_path), watcher=watch).fail(two[0], "crashed", outcome)
    assert outcome.failures == {two[0].key: "crashed"}
    assert watch.failed_ == {"mlp/seed-0": "crashed"}


def test_a_traceback_is_left_where_the_cell_is(tmp_path: Path, two: list[Cell]) -> None:
    store = Store(tmp_path)
    folder = store.open(two[0])
    try:
        raise RuntimeError("no more luck")
    except RuntimeError as error:
        note_failure(store, two[0], error)
        note_failure(store, two[1], error)  # whose folder is not there
    text = (folder / "failure.txt").read_text()
    assert text.startswith("Traceback")
    assert text.endswith("RuntimeError: no more luck\n")
    assert not store.cell(two[1]).exists()


def test_nobody_need_watch() -> None:
    watchers: list[Watcher] = [Unwatched(), Watch()]
    assert len(watchers) == 2
