"""First filters as pictures of the page."""

from pathlib import Path

import pytest
from tests.report.opened import write_opened

from bakeoff.report import filters
from bakeoff.report.filters import cards, note
from bakeoff.report.folder import RunFolder, read_folder


@pytest.fixture
def opened(own_folder: Path) -> RunFolder:
    write_opened(own_folder)
    return read_folder(own_folder)


def test_cards(opened: RunFolder) -> None:
    plain, softmax = cards(opened)
    assert (plain.recipe, plain.index) == ("plain", 0)
    start, end = plain.pictures
    assert (start.title, end.title) == ("First layer at the start", "First layer at the end")
    assert start.caption == "All 20 filters, 5 × 5 pixels."
    assert start.image.startswith("data:image/png;base64,")
    assert start.width == 2 * (8 * 21 + 1)  # frames of two pixels
    assert softmax.pictures[0].caption == "Weights of cat and dog, 5 × 5 pixels."
    assert "feature map" not in note([plain, softmax])


def test_pictures_without_room_are_left_out(
    opened: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cards(opened)[0].pictures[0].image
    monkeypatch.setattr(filters, "ROOM", len(first))
    (card,) = cards(opened)
    assert [picture.title for picture in card.pictures] == ["First layer at the start"]


def test_a_picture_that_is_gone_leaves_a_gap(opened: RunFolder) -> None:
    (opened.path / "artifacts" / "inside" / "0-filters-start.png").unlink()
    assert [p.title for p in cards(opened)[0].pictures] == ["First layer at the end"]


def test_without_artifacts_there_are_none(run: RunFolder) -> None:
    assert cards(run) == []
