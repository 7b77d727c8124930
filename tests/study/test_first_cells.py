"""The first cell of each recipe: what is shown of a run."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from tests.study.tiny import QUICK, study

from bakeoff.core.cell import Replicate
from bakeoff.study.first_cells import first_cells, is_made
from bakeoff.study.folder import Folder
from bakeoff.study.prepare import Ready, prepare

FIRST, SECOND = Replicate(seed=3), Replicate(seed=4)


@pytest.fixture(scope="module")
def ready() -> Ready:
    """Two levels; `again` is the control with other seeds."""
    variants = {"softmax": QUICK, "other": QUICK | {"training": {"epochs": 2}}, "again": None}
    return prepare(study(variants=variants, seeds=[3, 4], factors={"data.labels": [100, "all"]}))


def folder(ready: Ready, *without: str) -> Folder:
    """Its records are only their names; that of the first seed is missing in some recipes."""
    records: dict[str, dict[Replicate, Any]] = {
        planned.name: {SECOND: f"{planned.name} 4"} for planned in ready.planned
    }
    for name in records.keys() - set(without):
        records[name][FIRST] = f"{name} 3"
    return Folder(Path("run"), cast(Any, {}), cast(Any, None), records)


def test_those_of_the_controls_level(ready: Ready) -> None:
    found = [(planned.name, str(record)) for planned, record in first_cells(ready, folder(ready))]
    assert [record for _, record in found] == [f"{name} 3" for name, _ in found]
    assert [name for name, _ in found] == [
        "majority@labels=100",
        "softmax@labels=100",
        "other@labels=100",
    ]


def test_those_of_every_level(ready: Ready) -> None:
    found = [planned.name for planned, _ in first_cells(ready, folder(ready), every_level=True)]
    assert len(found) == 6
    assert not any(name.startswith("again") for name in found)


def test_recipes_without_a_first_cell_are_left_out(ready: Ready) -> None:
    some = folder(ready, "softmax@labels=100")
    found = [planned.name for planned, _ in first_cells(ready, some)]
    assert found == ["majority@labels=100", "other@labels=100"]


def test_what_is_made_tells_of_which_cells(tmp_path: Path) -> None:
    path, about = tmp_path / "x.json", {"version": 1, "keys": {"a": "0", "b": "1"}}
    assert not is_made(path, about)
    for content in ("", "[]", "{}", '{"about": 3}', '{"about": {"version": 1}}'):
        path.write_text(content)
        assert not is_made(path, about)
    path.write_text(json.dumps({"about": about | {"more": [1]}}))
    assert is_made(path, about)
    assert not is_made(path, about | {"keys": {"a": "0"}})
    assert not is_made(path, about | {"version": 2})
