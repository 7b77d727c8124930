"""Tables of numbers: what is read, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DataSettings, TableSource
from bakeoff.core.streams import Streams
from bakeoff.data import catalogue
from bakeoff.data.numbers import read_numbers
from bakeoff.data.splits import draw


def rows(count: int = 40) -> str:
    lines = [f"{i},{i * 0.5},{10 - i},{3 * i}.25,r{i},{i // 2}" for i in range(count)]
    return "\n".join(["n,a,b,y,id,who", *lines]) + "\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "table.csv"
    file.write_text(rows(), encoding="utf-8")
    return file


def source(path: Path, **fields: Any) -> TableSource:
    return TableSource.parse({"table": str(path), "target": "y", **fields})


def test_columns_are_read(path: Path) -> None:
    dataset = catalogue.load(source(path, inputs=["b", "a"], id="id"))
    assert dataset.modality == "numbers"
    assert dataset.task_name == "regression"
    assert dataset.columns == ("b", "a")
    assert dataset.test is not None
    assert (len(dataset.train), len(dataset.test)) == (32, 8)
    part = dataset.train if "r5" in dataset.train.ids else dataset.test
    at = part.ids.tolist().index("r5")
    assert np.asarray(part.items)[at].tolist() == [5.0, 2.5]
    assert part.labels[at] == 15.25


def test_inputs_default_to_all_other_columns(path: Path) -> None:
    dataset = catalogue.load(source(path, id="id", group="who"))
    assert dataset.columns == ("n", "a", "b")
    assert "inputs: n, a, b" in dataset.notes
    assert dataset.test is not None
    assert not set(dataset.train.groups.tolist()) & set(dataset.test.groups.tolist())  # type: ignore[union-attr]


def test_a_column_called_id_is_no_input(path: Path) -> None:
    dataset = catalogue.load(source(path))
    assert dataset.columns == ("n", "a", "b", "who")
    assert "column 'id' taken for the id" in dataset.notes
    assert dataset.train.ids[0].startswith("r")
    path.write_text("id,a,y\n" + "".join(f"1,{i},3\n" for i in range(20)))
    repeated = catalogue.load(source(path))
    assert repeated.columns == ("a",)
    assert any("row numbers are the ids" in note for note in repeated.notes)
    path.write_text("id,a,y\n" + "".join(f"{i},2,3\n" for i in range(20)))
    assert catalogue.load(source(path, inputs=["id"])).columns == ("id",)


def test_published_splits_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    parts = ["train"] * 6 + ["dev"] * 3 + ["test"] * 4
    lines = [f"{i},{2 * i},{part}" for i, part in enumerate(parts)]
    file.write_text("x,y,split\n" + "\n".join(lines), encoding="utf-8")
    dataset = catalogue.load(source(file, split="split"))
    assert {name: len(part) for name, part in dataset.splits.items()} == {
        "train": 6,
        "validation": 3,
        "test": 4,
    }
    data = draw(dataset, DataSettings(set="x"), Streams(0)).training_data()
    assert data.task.name == "regression"
    assert data.columns == ("x",)
    assert data.normaliser is None


def test_the_carve_is_drawn_by_seed(path: Path) -> None:
    dataset = catalogue.load(source(path, inputs=["a"]))
    drawn = [draw(dataset, DataSettings(set="x", validation=0.25), Streams(s)) for s in (0, 0, 1)]
    assert len(drawn[0].validation) == 8
    assert drawn[0].hash == drawn[1].hash != drawn[2].hash
    assert drawn[0].describe()["splits"]["train"]["classes"] == {}


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("", "line 3: column 'a' is empty, where a number is needed"),
        ("two", "line 3: column 'a' holds 'two', no number"),
        ("inf", "line 3: column 'a' holds 'inf', which is not finite"),
        ("nan", "line 3: column 'a' holds 'nan', which is not finite"),
        ("1e999", "line 3: column 'a' holds '1e999', which is not finite"),
    ],
)
def test_cells_that_are_no_finite_numbers(tmp_path: Path, cell: str, fault: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f"a,y\n1,2\n{cell},3\n4,5\n6,7\n", encoding="utf-8")
    with pytest.raises(InputError, match=fault):
        catalogue.load(source(file))


def test_many_faults_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("a,y\n" + "x,1\n" * 9, encoding="utf-8")
    with pytest.raises(InputError, match="and 4 more"):
        catalogue.load(source(file))


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"target": "z"}, "target: there is no column 'z'"),
        ({"inputs": ["a", "bb"]}, "inputs: there is no column 'bb'; did you mean 'b'"),
        ({"inputs": ["a", "y"]}, "column 'y' cannot have two roles"),
        ({"text": "a"}, "exclude each other"),
        ({"inputs": []}, "a list of 1 or more"),
        ({"target": None, "inputs": ["a"]}, "inputs need a target"),
    ],
)
def test_columns_that_do_not_fit(path: Path, fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        catalogue.load(source(path, **fields))


def test_no_inputs_left(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("y\n1\n2\n3\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column is left for the inputs"):
        catalogue.load(source(file))


def test_too_few_rows(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("x,y\n1,2\n2,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="2 rows; without a test split"):
        catalogue.load(source(file))


def test_classes_and_pixels_are_refused(path: Path) -> None:
    dataset = catalogue.load(source(path, inputs=["a"]))
    with pytest.raises(InputError, match="has no classes"):
        draw(dataset, DataSettings(set="x", classes=("a", "b")), Streams(0))
    with pytest.raises(InputError, match="numbers allow auto and none"):
        draw(dataset, DataSettings(set="x", normalise="channel"), Streams(0))


def test_new_items_need_no_target(path: Path) -> None:
    read = read_numbers(path, ("b", "a"), "missing")
    assert np.asarray(read.items)[2].tolist() == [8.0, 1.0]
    assert np.isnan(read.labels).all()
    assert read_numbers(path, ("b",), "y").labels[1] == 3.25
    assert read.ids[:2].tolist() == ["r0", "r1"]
    assert read_numbers(path, ("b",), "y", "n").ids[:2].tolist() == ["0", "1"]
    assert read_numbers(path, ("b",), "y", "gone").ids[:2].tolist() == ["r0", "r1"]
    with pytest.raises(InputError, match="no column 'c'"):
        read_numbers(path, ("c",), None)
