"""Items recipes disagree on."""

import json
from pathlib import Path

import pytest

from bakeoff.report import gallery
from bakeoff.report.folder import RunFolder, read_folder


def write(folder: Path, content: object) -> RunFolder:
    (folder / "artifacts" / "disagreements.json").write_text(json.dumps(content))
    return read_folder(folder)


def test_items_with_who_was_right(run: RunFolder) -> None:
    items = gallery.items(run)
    assert items is not None
    assert len(items) == 9
    for item in items:
        assert item.image is not None
        assert [o.recipe for o in item.opinions] == [r.name for r in run.results.recipes]
        assert item.described == f"Item {item.id}, labelled {item.label}"


def test_opinions_are_spoken() -> None:
    sure = gallery.Opinion("a", 0, "Bag", 5, 5)
    unsure = gallery.Opinion("a", 0, "Coat", 2, 5)
    assert sure.spoken == "right at 5 of 5 seeds"
    assert unsure.spoken == "right at 2 of 5 seeds; most often Coat"


def test_texts_are_cut(own_folder: Path) -> None:
    item = {"id": 7, "label": "good", "text": "word " * 1000, "predictions": {}}
    (found,) = gallery.items(write(own_folder, [item])) or []
    assert len(found.text) <= gallery.LONGEST + 2
    assert found.text.endswith(" …")
    assert found.id == "7"
    assert found.image is None


def test_pictures_have_a_limit(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "ROOM", 3000)
    items = gallery.items(run)
    assert items is not None
    kept = [item.image for item in items if item.image]
    assert 0 < len(kept) < 9
    assert sum(map(len, kept)) <= 3000


def test_odd_items(own_folder: Path) -> None:
    odd: list[object] = [
        None,
        {"predictions": {"plain": {"right": 9, "seeds": 5}, "swish": {"right": "x"}}},
        {"image": 5, "text": [], "label": None},
    ]
    items = gallery.items(write(own_folder, odd))
    assert items is not None
    assert [len(item.opinions) for item in items] == [0, 0, 0]
    assert gallery.items(write(own_folder, {"not": "a list"})) == []


def test_no_list_is_told_apart_from_an_empty_one(own_folder: Path) -> None:
    assert gallery.items(write(own_folder, [])) == []
    (own_folder / "artifacts" / "disagreements.json").unlink()
    assert gallery.items(read_folder(own_folder)) is None
