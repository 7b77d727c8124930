"""Which files lie below a folder: images and others, links, what cannot be opened."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bakeoff.core.errors import shown
from bakeoff.data.images import SUFFIXES

SHOWN = 10
"""Faults of one kind, or names, that are listed."""
_DIGITS = re.compile("([0-9]+)")
Device = tuple[int, int]
"""Device and number of a folder: the same for every path that leads to it."""


@dataclass
class Listing:
    """What was found below a folder.

    Attributes:
        images: Files that are named like images, in no order.
        others: How many files have another suffix (lower case; "" for none).
        faults: Folders that cannot be opened, a line each.
        links: How many links lead back into a folder that is read already, or above it.
    """

    images: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    links: int = 0

    def add(self, other: "Listing") -> None:
        """Count what another folder holds too."""
        self.images += other.images
        self.others += other.others
        self.faults += other.faults
        self.links += other.links

    def notes(self) -> list[str]:
        """What was left out, a sentence each."""
        notes = []
        if total := self.others.total():
            notes.append(f"{total} files that are not images left out ({kinds(self.others)})")
        if self.links:
            notes.append(f"{self.links} links to folders that are read anyway left out")
        return notes


def list_images(folder: Path) -> Listing:
    """Every file below a folder; what file managers keep for themselves is passed over.

    Links are followed, each folder is read once.
    """
    found = Listing()
    above = {_device(parent) for parent in (folder.resolve(), *folder.resolve().parents)}
    read: set[Device | None] = set()
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for start in waiting:
            if start is not folder and _device(start) in above | read:
                found.links += 1
            else:
                links += _read(start, found, read)
        waiting = sorted(links)
    return found


def _read(start: Path, found: Listing, read: set[Device | None]) -> list[Path]:
    """Note the files below a folder; returns the links to folders, which are not followed here."""
    links: list[Path] = []

    def note(error: OSError) -> None:
        found.faults.append(f"{shown(error.filename)}: cannot be opened: {error.strerror}")

    for top, folders, names in os.walk(start, onerror=note):
        here = Path(top)
        if _device(here) in read:
            folders.clear()
            continue
        read.add(_device(here))
        inside = [name for name in folders if not hidden(name)]
        links += [here / name for name in inside if (here / name).is_symlink()]
        folders[:] = [name for name in inside if not (here / name).is_symlink()]
        for name in names:
            if hidden(name):
                continue
            path = here / name
            if path.suffix.lower() in SUFFIXES:
                found.images.append(path)
            else:
                found.others[path.suffix.lower()] += 1
    return links


def _device(folder: Path) -> Device | None:
    try:
        state = folder.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name; links count, hidden ones do not.

    Raises:
        OSError: where the folder cannot be opened.
    """
    return sorted(p for p in folder.iterdir() if p.is_dir() and not hidden(p.name))


def hidden(name: str) -> bool:
    """Whether a file manager keeps it for itself."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


def natural(path: Path) -> tuple[object, ...]:
    """A key that sorts as people count: `2.png` before `10.png`, folder by folder."""
    parts = []
    for part in path.parts:
        pieces = _DIGITS.split(part)
        # Text and digits alternate, beginning with text: like is compared with like.
        numbers = [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)]
        parts.append((tuple(numbers), part))
    return tuple(parts)


def identity(path: Path) -> str:
    """A path as the identity of an example: with `/`, and UTF-8, whatever its name is."""
    # A name that is not UTF-8 could not be written into a predictions file.
    return path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def names(found: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    every = [shown(name) for name in found]
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def kinds(counts: Counter[str]) -> str:
    """Suffixes with how often each occurs."""
    every = sorted(counts.items())
    listed = ", ".join(f"{n} x {shown(kind) or 'no suffix'}" for kind, n in every[:SHOWN])
    return listed + (", ..." if len(every) > SHOWN else "")


def first(lines: list[str]) -> Iterator[str]:
    """The first lines, and one that says how many more there are."""
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} more"
