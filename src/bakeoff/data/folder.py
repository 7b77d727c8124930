"""Folders of images: one folder a class, with or without `train/validation/test` above.

That is `FOLDER/cat/1.png` and `FOLDER/dog/2.png`, or `FOLDER/train/cat/1.png`,
`FOLDER/test/cat/3.png` and so on.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.recipe import FolderSource
from bakeoff.data.dataset import SPLIT_NAMES, Dataset, hold_out_test
from bakeoff.data.images import SUFFIXES, UnreadableImageError, read_image, to_channels

SHOWN = 10
LONGEST_SIDE = 1024
"""Images are kept at their own size up to this many pixels a side, the largest `size`."""
MOST_BYTES = 16 << 30
USUAL_SIDES = (224, 128, 96, 64, 32, 28)


@dataclass(frozen=True)
class _File:
    path: Path
    split: str
    label: str


def load_folder(source: FolderSource) -> Dataset:
    """The images of a folder, decoded.

    Classes are the folders' names, sorted. Other files are left out and counted in the notes.
    Without a test folder, a fifth of the examples is set aside, the same ones for every seed.

    Args:
        source: The folder, and to which size and channels its images are brought.

    Returns:
        Images (N, H, W, 1 or 3) uint8; an example's identity is its path below the folder.

    Raises:
        InputError: where the folder or a class is empty, class folders of the splits do not fit,
            images cannot be read (all of them are told), or sizes differ and none is given.
    """
    root = Path(source.folder).expanduser()
    files, notes = _list_files(root)
    classes = tuple(sorted({file.label for file in files if file.split == "train"}))
    _check_classes(root, files, classes)
    items = _decode(root, files, source)
    labels = np.array([classes.index(file.label) for file in files], dtype=np.int64)
    ids = np.array([_identity(file.path.relative_to(root)) for file in files], dtype=np.str_)
    splits = np.array([file.split for file in files])
    if source.channels == "auto" and items.shape[-1] == 1:
        notes.append("every image is grey: one channel")
    if (splits == "train").all():
        train, test, note = hold_out_test(Examples(items, labels, ids), classes, str(root))
        notes.append(note)
        return Dataset(str(root), "image", classes, train, test, None, tuple(notes))
    parts = {}
    for name in SPLIT_NAMES:
        rows = np.flatnonzero(splits == name)
        # Files are listed split by split, so each split is a slice: a view, not a copy.
        part = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0, 0)
        parts[name] = Examples(items[part], labels[part], ids[part])
    dataset = Dataset(str(root), "image", classes, parts["train"], None)
    if len(parts["validation"]):
        dataset = replace(dataset, validation=parts["validation"])
    if len(parts["test"]):
        return replace(dataset, test=parts["test"], notes=tuple(notes))
    train, test, note = hold_out_test(parts["train"], classes, str(root))
    return replace(dataset, train=train, test=test, notes=(*notes, note))


def _list_files(root: Path) -> tuple[list[_File], list[str]]:
    """Every image file, sorted by split, class and name; and notes on what was left out."""
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "no such folder"
        raise InputError(f"{root}: {what}; a folder with one folder of images a class is needed")
    ignored: Counter[str] = Counter()
    files: list[_File] = []
    faults: list[str] = []
    for split, folder in _split_folders(root):
        classes = _folders(folder)
        if not classes:
            faults.append(_no_classes(folder))
        for class_folder in classes:
            found = sorted(_images(class_folder, ignored))
            if not found:
                faults.append(f"{class_folder}: no images ({', '.join(SUFFIXES)}) in this class")
            files += [_File(path, split, _identity(Path(class_folder.name))) for path in found]
    if faults:
        raise InputError(faults)
    notes = []
    if ignored:
        kinds = ", ".join(f"{n} x {kind or 'no suffix'}" for kind, n in sorted(ignored.items()))
        notes.append(f"{sum(ignored.values())} files that are not images left out ({kinds})")
    return files, notes


def _split_folders(root: Path) -> list[tuple[str, Path]]:
    """The folders that hold class folders, with the split each stands for."""
    folders = {folder.name.casefold(): folder for folder in _folders(root)}
    named = {
        split: [folders[name] for name in names if name in folders]
        for split, names in SPLIT_NAMES.items()
    }
    if doubled := [f for found in named.values() if len(found) > 1 for f in found]:
        raise InputError(f"{root}: more than one folder for a split: {_names(doubled)}")
    found = [(split, places[0]) for split, places in named.items() if places]
    if not named["train"]:
        if found and len(found) == len(folders):
            raise InputError(f"{root}: has {_names(folders.values())}, but no folder train")
        return [("train", root)]
    if others := [f for name, f in folders.items() if f not in [place for _, place in found]]:
        raise InputError(
            f"{root}: has a folder train, so {_names(others)} beside it can be no class; allowed "
            "there: train, validation, test"
        )
    return found


def _check_classes(root: Path, files: list[_File], classes: tuple[str, ...]) -> None:
    if len(classes) < 2:
        raise InputError(f"{root}: only one class, '{classes[0]}'; at least two are needed")
    faults = []
    for split in SPLIT_NAMES:
        here = {file.label for file in files if file.split == split}
        if extra := sorted(here - set(classes)):
            faults.append(f"{root}: classes in {split} that are not in train: {', '.join(extra)}")
    if faults:
        raise InputError(faults)


def _decode(root: Path, files: list[_File], source: FolderSource) -> NDArray[np.uint8]:
    """All images in one array, allocated once the first is read."""
    channels = 3 if source.channels == "rgb" else 1
    unreadable: list[str] = []
    sizes: dict[tuple[int, int], tuple[int, Path]] = {}
    items: NDArray[np.uint8] | None = None
    for i, file in enumerate(files):
        try:
            pixels = read_image(file.path, source.size)
        except UnreadableImageError as error:
            unreadable.append(f"  {file.path}: {error}")
            continue
        size = pixels.shape[:2]
        count, example = sizes.get(size, (0, file.path))
        sizes[size] = (count + 1, example)
        if len(sizes) > 1 or unreadable or max(size) > LONGEST_SIDE:
            continue  # there is an error to tell: look at the rest, keep nothing
        found = pixels.shape[-1] if source.channels == "auto" else channels
        if items is None:
            channels = found
            items = _allocate(root, len(files), size, channels)
        elif found > channels:  # the first colour image after grey ones
            channels, items = found, np.repeat(items, found, axis=-1)
        items[i] = to_channels(pixels, channels)
    faults = _tell_unreadable(unreadable) + _tell_sizes(root, sizes)
    if faults or items is None:
        raise InputError(faults)
    return items


def _allocate(root: Path, count: int, size: tuple[int, ...], channels: int) -> NDArray[np.uint8]:
    needed = count * size[0] * size[1] * channels
    if needed > MOST_BYTES:
        raise InputError(
            f"{root}: {count} images of {size[1]} x {size[0]} need {needed / 2**30:.0f} GiB; bring "
            f"them to a smaller size: {{folder: {root}, size: {_propose(size)}}}"
        )
    return np.empty((count, *size, channels), dtype=np.uint8)


def _tell_unreadable(lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [f"{len(lines)} images cannot be read; repair or remove them:", *lines[:SHOWN], *more]


def _tell_sizes(root: Path, sizes: dict[tuple[int, int], tuple[int, Path]]) -> list[str]:
    if not sizes:
        return []
    common = sorted(sizes.items(), key=lambda item: -item[1][0])
    largest = max(max(size) for size in sizes)
    proposal = f"give one: {{folder: {root}, size: {_propose(common[0][0])}}}"
    if len(sizes) == 1 and largest > LONGEST_SIDE:
        (height, width), _ = common[0]
        return [f"{root}: images of {width} x {height} are too large to keep whole; {proposal}"]
    if len(sizes) == 1:
        return []
    shown = [
        f"  {width} x {height}: {count} images, e.g. {path}"
        for (height, width), (count, path) in common[:3]
    ]
    return [f"{root}: images have {len(sizes)} different sizes; {proposal}", *shown]


def _propose(size: tuple[int, ...]) -> int:
    """The largest usual side that the image has."""
    return next((side for side in USUAL_SIDES if side <= min(size)), max(min(size), 4))


def _images(folder: Path, ignored: Counter[str]) -> Iterator[Path]:
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _hidden(name)]
        for name in names:
            if _hidden(name):
                continue
            path = Path(top) / name
            if path.suffix.lower() in SUFFIXES:
                yield path
            else:
                ignored[path.suffix.lower()] += 1


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not _hidden(p.name))


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


def _no_classes(folder: Path) -> str:
    loose = sum(1 for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    has = f"{loose} images, but no class folders" if loose else "no class folders"
    return f"{folder}: {has}; each class needs a folder of its own: {folder / 'CLASS' / 'a.png'}"


def _names(folders: Iterable[Path]) -> str:
    return ", ".join(folder.name for folder in folders)


def _identity(path: Path) -> str:
    # A name that is not UTF-8 could not be written into a predictions file.
    return path.as_posix().encode("utf-8", "replace").decode()
