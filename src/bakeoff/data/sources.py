"""Where data sets are looked for: the user's folders first, then the cache."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bakeoff.core.cache import cache_folder
from bakeoff.core.examples import Modality
from bakeoff.data.dataset import Dataset


@dataclass(frozen=True)
class Member:
    """A file inside an archive.

    Args:
        path: Its name in the archive and, below the set's folder, on disk.
        sha256: Of its content.
        size_bytes: Of its content.
    """

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Download:
    """A file that its publisher, or a mirror, offers.

    Args:
        file: Its name below the set's folder, or an archive's own name.
        urls: Addresses of the same bytes, in order of preference.
        sha256: Of the file as it is downloaded.
        size_bytes: Of the file as it is downloaded.
        members: What is unpacked from it, where it is an archive; nothing else is.
    """

    file: str
    urls: tuple[str, ...]
    sha256: str
    size_bytes: int
    members: tuple[Member, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Args:
        name: What studies write behind `dataset:`.
        summary: One line for lists.
        modality: `image`, `text` or `numbers`.
        classes: The class names, in label order; () where the labels are numbers.
        shape: (H, W, C) of an image, (D,) of numbers; () of a text.
        sizes: Examples in train and test; 0 in test where there is no such split.
        licence: What its publisher allows.
        citation: Whom to cite.
        homepage: The publisher's page.
        load: Reads the set from its folder.
        folder: The folder's name below `$BAKEOFF_DATA`, `./data` and the cache; None for a set
            that comes with a package or is generated.
        generated: Whether it is computed, and needs no files at all.
        package: The module it comes with, where that is not one of those always installed.
        layouts: Alternative lists of files; the set is there where one list is complete. A name
            stands for `name`.gz too.
        downloads: What to fetch where it is not there; () where it cannot be fetched.
        hash: `Dataset.hash` of the set as published.
        parts: Published parts of the test split whose scores are told apart: ids of their examples
            begin with the part's name and a dash.
    """

    name: str
    summary: str
    modality: Modality
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    sizes: tuple[int, int]
    licence: str
    citation: str
    homepage: str
    load: Callable[[Path], Dataset]
    folder: str | None = None
    generated: bool = False
    package: str | None = None
    layouts: tuple[tuple[str, ...], ...] = ()
    downloads: tuple[Download, ...] = ()
    hash: str | None = None
    parts: tuple[str, ...] = ()


def mirrored(
    mirrors: tuple[str, ...], files: tuple[tuple[str, int, str], ...]
) -> tuple[Download, ...]:
    """Downloads that every mirror offers under the same names.

    Args:
        mirrors: Addresses of folders, ending in a slash, in order of preference.
        files: Name, bytes and SHA-256 of each file.
    """
    return tuple(
        Download(name, tuple(mirror + name for mirror in mirrors), sha256, size)
        for name, size, sha256 in files
    )


def cached_set(entry: Entry) -> Path:
    """The folder in the cache into which a set is fetched."""
    return cache_folder() / "datasets" / (entry.folder or entry.name)


def candidates(entry: Entry) -> tuple[Path, ...]:
    """The folders a set is looked for in, in order; empty for a set that comes with a package."""
    if entry.folder is None:
        return ()
    given = os.environ.get("BAKEOFF_DATA")
    roots = [Path(given).expanduser()] if given else []
    return (*(root / entry.folder for root in [*roots, Path("data")]), cached_set(entry))


def missing_files(entry: Entry, folder: Path) -> tuple[str, ...]:
    """The files a folder lacks to hold the set, by its nearest layout; () if it is whole."""
    lacking = [
        tuple(name for name in layout if not _there(folder, name)) for layout in entry.layouts
    ]
    return min(lacking, key=len, default=())


def locate(entry: Entry) -> Path | None:
    """The first folder that holds the whole set, or None. Never looks beyond this machine."""
    return next((f for f in candidates(entry) if not missing_files(entry, f)), None)


def _there(folder: Path, name: str) -> bool:
    return (folder / name).is_file() or (folder / f"{name}.gz").is_file()
