"""First filters and feature maps: the pictures that `inside.json` names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.report import words
from bakeoff.report.folder import RunFolder
from bakeoff.report.inside import read
from bakeoff.report.values import listing, mapping, text, whole

ROOM = 600_000
"""Bytes that all these pictures of a page may take."""
TILE, LARGEST = 48, 12
"""Pixels of a tile on the screen, about; and times that a pixel is drawn larger, at most."""


@dataclass(frozen=True)
class Picture:
    """One picture.

    Args:
        title: Above it.
        image: A data URI.
        width: Pixels on the screen.
        caption: What is on it.
    """

    title: str
    image: str
    width: int
    caption: str


@dataclass(frozen=True)
class Card:
    """The pictures of a recipe."""

    recipe: str
    index: int
    pictures: Sequence[Picture]


def cards(run: RunFolder) -> list[Card]:
    """A card for each recipe that has pictures, while there is room."""
    room, found = ROOM, []
    for one in read(run)[1]:
        content = mapping(one.content.get("pictures"))
        pictures = []
        for picture in (
            _filters(run, content, "start"),
            _filters(run, content, "end"),
            _maps(run, content),
        ):
            if picture is not None and len(picture.image) <= room:
                room -= len(picture.image)
                pictures.append(picture)
        if pictures:
            found.append(Card(one.recipe.name, one.recipe.index, pictures))
    return found


def note(found: Sequence[Card]) -> str:
    """How to read them."""
    told = "Pictures of the first recipes, from left to right and down. "
    told += "Each filter is scaled to its own largest weight: of three channels, red, green and "
    told += "blue around a grey that is 0; of one, blue where positive, orange where negative. "
    if any(picture.title.startswith("Feature") for card in found for picture in card.pictures):
        told += "Each feature map is scaled to its own range; black is 0, or its least value."
    return told.strip()


def _filters(run: RunFolder, content: dict[str, Any], moment: str) -> Picture | None:
    row = mapping(content.get(f"filters_{moment}"))
    image = run.image(f"artifacts/inside/{text(row.get('file'))}") if row else None
    sizes = [whole(row.get(name)) for name in ("tile", "across", "shown", "units")]
    side = " × ".join(text(value) for value in listing(row.get("side")))
    if image is None or None in sizes:
        return None
    tile, across, shown, units = (size or 0 for size in sizes)
    names = [text(name) for name in listing(content.get("classes"))]
    which = f"All {units} filters" if shown == units else f"The first {shown} of {units} filters"
    if names:
        which = f"Weights of {words.joined(names[:shown])}"
    return Picture(
        title="First layer " + ("at the start" if moment == "start" else "at the end"),
        image=image,
        width=_width(across * tile + 1, tile),
        caption=f"{which}, {side} pixels.",
    )


def _maps(run: RunFolder, content: dict[str, Any]) -> Picture | None:
    row = mapping(content.get("maps"))
    image = run.image(f"artifacts/inside/{text(row.get('file'))}") if row else None
    tile, across = whole(row.get("tile")), whole(row.get("across"))
    if image is None or tile is None or across is None:
        return None
    labels = [text(label) for label in listing(row.get("labels"))]
    stages = []
    for stage in map(mapping, listing(row.get("stages"))):
        side = " × ".join(text(value) for value in listing(stage.get("side")))
        stages.append(f"{text(stage.get('layer'))} ({side})")
    return Picture(
        title="Feature maps at the end",
        image=image,
        width=_width(across * tile + 1, tile),
        caption=f"{words.plural(len(labels), 'validation image')} ({words.joined(labels)}) behind "
        f"{words.joined(stages)}, a row each: the first {across - 1} channels, or all there are.",
    )


def _width(natural: int, tile: int) -> int:
    """On the screen: a whole number of pixels for one, or half as many again."""
    times = min(LARGEST, TILE / max(1, tile))
    return round(natural * (max(1, round(times)) if times >= 2 else max(1, round(2 * times) / 2)))
