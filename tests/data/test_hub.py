"""Data sets of a hub: columns, splits and class names; the library where it is installed."""

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bakeoff.cli.data import parse_reference
from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DataSettings, HubSource
from bakeoff.data import catalogue
from bakeoff.data.hub import HubSplit, from_splits, load_hub

NAMES = ("negative", "positive")


def split(count: int, first: int = 0, labelled: bool = True, **more: Any) -> HubSplit:
    rows = range(first, first + count)
    columns: dict[str, Any] = {
        "sentence": [f"sentence {i}" for i in rows],
        "label": [i % 2 if labelled else -1 for i in rows],
        "idx": list(rows),
    }
    return HubSplit(columns | more, {"label": NAMES})


def test_splits_columns_and_class_names_are_told() -> None:
    found = {
        "train": split(8),
        "dev": split(4, 8),
        "test": split(6, 12),
        "unsupervised": split(5, 20, labelled=False),
    }
    made = from_splits(HubSource(hub="me/set"), found, ("revision abc",))
    assert made.name == "me/set"
    assert made.classes == NAMES, "the publisher's order, not the alphabet's"
    assert list(made.train.items) == [f"sentence {i}" for i in range(8)]
    assert made.train.labels.tolist() == [0, 1] * 4
    assert made.validation is not None
    assert made.test is not None
    assert made.validation.ids.tolist() == ["8", "9", "10", "11"]
    assert len(made.test) == 6
    assert "revision abc" in made.notes
    assert "splits that are not used: unsupervised" in made.notes
    order = from_splits(HubSource(hub="me/set"), {"train": HubSplit(found["train"].columns, {
        "label": ("z", "a")
    })})  # fmt: skip
    assert order.classes == ("z", "a")


def test_splits_without_labels_are_left_out_and_told() -> None:
    """As GLUE's test splits: a test split is then set aside, or another one takes the part."""
    found = {"train": split(20), "validation": split(4, 20), "test": split(6, 30, labelled=False)}
    made = from_splits(HubSource(hub="me/set"), found)
    assert made.test is not None
    assert len(made.train) + len(made.test) == 20
    assert "split for test left out: it has no labels" in made.notes
    named = from_splits(HubSource(hub="me/set", test="validation"), found)
    assert named.test is not None
    assert named.validation is None
    assert named.test.ids.tolist() == ["20", "21", "22", "23"]
    assert "splits that are not used: test" in named.notes


def test_several_columns_of_texts_are_put_together() -> None:
    titles = [f"title {i}" for i in range(8)]
    titles[3] = ""
    train = split(8, title=titles)
    made = from_splits(HubSource(hub="x", text=("title", "sentence")), {"train": train})
    assert made.test is not None
    texts = {*made.train.items, *made.test.items}
    assert "title 2 sentence 2" in texts
    assert "sentence 3" in texts
    with pytest.raises(InputError, match="no column 'titel'; did you mean 'title'"):
        from_splits(HubSource(hub="x", text=("titel", "sentence")), {"train": train})
    with pytest.raises(InputError, match="'idx' holds other things than texts"):
        from_splits(HubSource(hub="x", text=("idx", "sentence")), {"train": train})


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(InputError, match="no split 'tran'; did you mean 'train'"):
        from_splits(HubSource(hub="x", train="tran"), {"train": split(8)})
    with pytest.raises(InputError, match="no split has a usual name to learn from"):
        from_splits(HubSource(hub="x"), {"first": split(8)})
    with pytest.raises(InputError, match="not all splits have the columns other"):
        from_splits(HubSource(hub="x"), {"train": split(8), "test": split(4, 8, other=["a"] * 4)})
    with pytest.raises(InputError, match="there is no column 'labl'; did you mean 'label'"):
        from_splits(HubSource(hub="x", label="labl"), {"train": split(8)})
    with pytest.raises(InputError, match="each split once"):
        HubSource.parse({"hub": "x", "train": "train", "test": "train"})


def test_references() -> None:
    wanted = HubSource(hub="stanfordnlp/sst2", test="validation", text=("a", "b"))
    written = "{hub: stanfordnlp/sst2, test: validation, text: [a, b]}"
    assert parse_reference(written) == wanted
    content = {"set": {"hub": "stanfordnlp/sst2", "test": "validation", "text": ["a", "b"]}}
    assert DataSettings.parse(content).set == wanted
    with pytest.raises(InputError, match="revison"):
        DataSettings.parse({"set": {"hub": "x", "revison": "main"}})


def test_without_the_library_it_is_said_which_extra_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r'pip install "bakeoff\[hub\]"'):
        catalogue.load(HubSource(hub="stanfordnlp/sst2"))


def test_versions_that_can_run_code_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(__version__="3.6.0"))
    with pytest.raises(InputError, match=r"4 or later, 3\.6\.0 received: earlier"):
        load_hub(HubSource(hub="stanfordnlp/sst2"))


needs_library = pytest.mark.skipif(
    find_spec("datasets") is None, reason="the library `datasets` is not installed (extra hub)"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "reviews"
    place.mkdir()
    for name, first, count in (("train", 0, 20), ("test", 20, 6)):
        rows = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(first, first + count)]
        (place / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return place


@needs_library
def test_a_folder_through_the_library(folder: Path) -> None:
    made = catalogue.load(HubSource(hub=str(folder)))
    assert made.classes == ("a", "b")
    assert made.train.items[3] == "text 3"
    assert made.test is not None
    assert len(made.test) == 6


@needs_library
def test_class_names_of_the_features(folder: Path, tmp_path: Path) -> None:
    datasets: Any = import_module("datasets")
    pyarrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["zero", "a one"])}
    )
    rows = {"text": [f"text {i}" for i in range(12)], "label": [i % 2 for i in range(12)]}
    (tmp_path / "set").mkdir()
    table = pyarrow.table(rows, schema=features.arrow_schema)
    parquet.write_table(table, tmp_path / "set" / "train.parquet")
    made = catalogue.load(HubSource(hub=str(tmp_path / "set")))
    assert made.classes == ("zero", "a one")
    assert made.test is not None


@needs_library
def test_a_hub_that_must_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKEOFF_OFFLINE", "1")
    with pytest.raises(InputError, match=r"\{hub: nobody/none\}"):
        catalogue.load(HubSource(hub="nobody/none"))
