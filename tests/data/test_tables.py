"""Tests of tables of texts: guesses, what is left out, what is refused."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import TableSource
from bakeoff.data.dataset import Dataset
from bakeoff.data.tables import load_table, read_texts

Write = Callable[..., Path]
ROWS = [[f"text number {i}", "pos" if i % 2 else "neg"] for i in range(40)]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(header: list[str], rows: list[list[Any]] = ROWS, name: str = "a.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([header, *rows])
        return path

    return write


def load(path: Path, **columns: Any) -> Dataset:
    return load_table(TableSource(table=str(path), **columns))


def faults(path: Path, **columns: str) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        load(path, **columns)
    return caught.value.faults


@pytest.mark.parametrize(
    "header",
    [["text", "label"], ["Review", "Sentiment"], ["sentence", "target"], [" content", "y"]],
)
def test_usual_names_are_guessed_and_told(write: Write, header: list[str]) -> None:
    dataset = load(write(header))
    assert dataset.classes == ("neg", "pos")
    assert dataset.modality == "text"
    assert dataset.test is not None
    assert (len(dataset.train), len(dataset.test)) == (32, 8)
    assert any("taken for the text" in note for note in dataset.notes)
    assert any("8 of 40 examples set aside" in note for note in dataset.notes)
    row = int(dataset.test.ids[3])
    assert dataset.test.items[3] == ROWS[row][0]
    assert dataset.classes[dataset.test.labels[3]] == ROWS[row][1]


def test_named_columns_are_not_guessed(write: Write) -> None:
    dataset = load(write(["stars", "what"]), text="stars", label="what")
    assert not any("taken for" in note for note in dataset.notes)
    lines = faults(write(["stars", "what"]), text="star", label="what")
    assert "text: there is no column 'star'; did you mean 'stars'?" in lines[0]
    assert (
        "'what' cannot have two roles"
        in faults(write(["stars", "what"]), text="what", label="what")[0]
    )


def test_what_is_unclear_is_refused_with_the_columns(write: Write) -> None:
    rows = [[*row, "x"] for row in ROWS]
    lines = faults(write(["text", "kind", "review"], rows))
    assert "the text could be any of text, review; name one" in lines[0]
    assert "no column has a usual name for the label; name one" in lines[1]
    assert lines[2] == "  columns: 'text', 'kind', 'review'"
    assert lines[3].startswith("  name them so: {table: ")
    assert len(lines) == 4


def test_a_missing_header_is_suspected(write: Write) -> None:
    header = ["3", "Fears for T N pension after talks", "Unions say they are " * 4]
    lines = faults(write(header, [["4", "title", "text"]] * 9))
    assert lines[-1] == "  the first line looks like data: a line with column names is needed"


def test_published_splits(write: Write) -> None:
    names = ["train", "Training", "val", "dev", "test", "TEST"]
    rows = [[*row, names[i % 6]] for i, row in enumerate(ROWS[:36])]
    dataset = load(write(["text", "label", "split"], rows))
    assert {split: len(e) for split, e in dataset.splits.items()} == {
        "train": 12,
        "validation": 12,
        "test": 12,
    }
    rows[3][2], rows[4][2] = "holdout", ""
    assert (
        "has 'holdout' (line 5), '(empty)' (line 6); allowed: train"
        in faults(write(["text", "label", "split"], rows))[0]
    )
    for row in rows:
        row[2] = "test"
    assert (
        "no row belongs to train (found: test)"
        in faults(write(["text", "label", "split"], rows))[0]
    )


def test_labels_of_the_splits_have_to_fit(write: Write) -> None:
    rows = [[*row, "train"] for row in ROWS] + [["new", "meh", "test"], ["new", "bah", "val"]]
    assert [line.split(": ", 1)[1] for line in faults(write(["text", "label", "split"], rows))] == [
        "labels in validation that are not in train: 'bah'",
        "labels in test that are not in train: 'meh'",
    ]


def test_rows_that_lack_something_are_left_out_and_told(write: Write) -> None:
    rows = [list(row) for row in ROWS]
    rows[0][0], rows[5][0], rows[7][1] = "", "  ", ""
    dataset = load(write(["text", "label"], rows))
    assert len(dataset.train) + len(dataset.test or ()) == 37
    assert "2 rows without a text left out (lines 2, 7)" in dataset.notes
    assert "1 rows without a label left out (lines 9)" in dataset.notes
    assert "0" not in dataset.train.ids
    for row in rows[:20]:
        row[1] = ""
    lines = faults(write(["text", "label"], rows))
    assert "without a label left out" in lines[1]
    assert lines[-1] == "  over 10% of the rows: are these the columns? text: text, label: label"


def test_lost_characters_are_told(write: Write) -> None:
    rows = [list(row) for row in ROWS]
    rows[2][0] = "caf\ufffd"
    assert (
        "1 texts hold the sign for a lost character (lines 4)"
        in load(write(["text", "label"], rows)).notes
    )


def test_numbers_as_labels_are_sorted_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": f"t{i}", "label": i % 12} for i in range(60)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert load(path).classes == tuple(str(i) for i in range(12))
    rows = [{"text": f"t{i}", "label": bool(i % 2)} for i in range(20)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert load(path).classes == ("false", "true")
    rows = [{"text": f"t{i}", "label": ("1", "--1")[i % 2]} for i in range(20)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert load(path).classes == ("--1", "1")
    # A missing number makes whole numbers floats in many a writer.
    rows = [{"text": f"t{i}", "label": float(i % 2)} for i in range(20)]
    path.write_text("\n".join(json.dumps(row) for row in rows) + '\n{"text": "x", "label": NaN}')
    assert load(path).classes == ("0", "1")


def test_labels_that_are_no_classes_are_refused(write: Write, tmp_path: Path) -> None:
    assert (
        "only the label 'x'; two are needed"
        in faults(write(["text", "label"], [[f"t{i}", "x"] for i in range(9)]))[0]
    )
    assert (
        "40 different values in 40 rows (v0, v1, v10, ...): these are no classes"
        in faults(write(["text", "label"], [[f"t{i}", f"v{i}"] for i in range(40)]))[0]
    )
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": ["x"]}\n')
    assert "line 1: column 'label' holds ['x'], no text" in faults(path)[0]
    path.write_text('{"text": 3, "label": "x"}\n')
    assert "line 1: column 'text' holds the number 3, no text" in faults(path)[0]


def test_groups_stay_together_and_leaks_are_told(write: Write) -> None:
    rows = [[*row, f"author {i // 4}" if i < 36 else ""] for i, row in enumerate(ROWS)]
    dataset = load(write(["text", "label", "group"], rows))
    assert dataset.train.groups is not None
    assert dataset.test is not None
    assert dataset.test.groups is not None
    assert not set(dataset.train.groups.tolist()) & set(dataset.test.groups.tolist())
    together = np.concatenate([dataset.train.groups, dataset.test.groups])
    assert len(set(together.tolist())) == 13  # nine authors, and four rows without one
    rows = [[*row, "test" if i % 4 == 1 else "train"] for i, row in enumerate(rows)]
    dataset = load(write(["text", "label", "group", "split"], rows, "b.csv"))
    assert any("9 groups have rows in more than one split" in note for note in dataset.notes)


def test_ids(write: Write) -> None:
    rows = [[*row, f"r{i}"] for i, row in enumerate(ROWS)]
    dataset = load(write(["text", "label", "id"], rows))
    assert all(identity.startswith("r") for identity in dataset.train.ids)
    rows[1][2] = "r0"
    path = write(["text", "label", "id"], rows, "b.csv")
    dataset = load(path)
    assert "column 'id' does not tell the rows apart: row numbers are the ids" in dataset.notes
    assert "does not tell the rows apart; it cannot be the id" in faults(path, id="id")[0]
    rows = [[*row, "x"] for row in rows]
    dataset = load(write(["text", "label", "id", "idx"], rows, "c.csv"))
    assert "id and idx could be the id: row numbers are" in dataset.notes


def test_the_order_of_rows_does_not_move_the_test_split(write: Write) -> None:
    one = load(write(["text", "label"]))
    other = load(write(["text", "label"], ROWS[::-1], "b.csv"))
    assert one.test is not None
    assert other.test is not None
    assert set(one.test.items) == set(other.test.items)


def test_texts_to_predict_keep_their_order(write: Write) -> None:
    rows = [["b", "pos"], ["", "neg"], ["a", "new"], ["c", ""]]
    source = TableSource(table=str(write(["text", "label"], rows)))
    texts = read_texts(source, ("neg", "pos"))
    assert texts.items == ["b", "", "a", "c"]
    assert texts.labels.tolist() == [1, 0, -1, -1]
    assert texts.ids.tolist() == ["0", "1", "2", "3"]
    path = write(["text", "id"], [["x", "7"], ["y", "8"]], "b.csv")
    bare = read_texts(TableSource(table=str(path)))
    assert (bare.labels.tolist(), bare.ids.tolist()) == ([-1, -1], ["7", "8"])
    decoys = write(["text", "kind", "category", "class"], [["x", "pos", "1", "2"]], "d.csv")
    assert read_texts(TableSource(table=str(decoys))).labels.tolist() == [-1]
    named = TableSource(table=str(decoys), label="kind", id="key")  # of which one is not there
    assert read_texts(named, ("neg", "pos")).labels.tolist() == [1]
    with pytest.raises(InputError, match="no column has a usual name for the text"):
        read_texts(TableSource(table=str(write(["a", "b"], ROWS, "c.csv"))))
