"""Folders of images: one folder a class, with or without `train/validation/test` above.

That is `FOLDER/cat/1.png` and `FOLDER/dog/2.png`, or `FOLDER/train/cat/1.png`,
`FOLDER/test/cat/3.png` and so on.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError, nearest, shown
from bakeoff.core.examples import Examples
from bakeoff.core.recipe import FolderSource
from bakeoff.data.dataset import SPLIT_NAMES, Dataset, hold_out_test
from bakeoff.data.images import (
    LONGEST_SIDE,
    SUFFIXES,
    Changes,
    LargeImageError,
    UnreadableImageError,
    read_image,
    to_channels,
)
from bakeoff.data.listing import (
    Listing,
    first,
    identity,
    kinds,
    list_images,
    names,
    subfolders,
)

MOST_BYTES = 16 << 30
USUAL_SIDES = (224, 128, 96, 64, 32, 28)


@dataclass(frozen=True)
class _File:
    path: Path
    split: str
    label: str


def load_folder(source: FolderSource) -> Dataset:
    """The images of a folder, decoded.

    Classes are the folders' names, sorted. Other files are left out and counted in the notes, which
    also tell how images were changed. Without a test folder, a fifth of the examples is set aside,
    the same ones for every seed.

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
    items, changes = _decode(root, files, source)
    notes += changes
    labels = np.array([classes.index(file.label) for file in files], dtype=np.int64)
    ids = np.array([identity(file.path.relative_to(root)) for file in files], dtype=np.str_)
    splits = np.array([file.split for file in files])
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
        where = "" if root.is_absolute() else f" in {Path.cwd()}"
        what = "is a file, not a folder" if root.exists() else f"no such folder{where}"
        raise InputError(f"{root}: {what}; a folder with one folder of images a class is needed")
    files: list[_File] = []
    faults: list[str] = []
    found, loose = Listing(), 0
    for split, folder in _split_folders(root):
        classes = _folders(folder)
        loose += _loose(folder)
        if not classes:
            faults.append(_no_classes(folder))
        for class_folder in classes:
            inside = list_images(class_folder)
            if not inside.images and not inside.faults:
                faults.append(_no_images(class_folder, inside))
            label = identity(Path(class_folder.name))
            files += [_File(path, split, label) for path in sorted(inside.images)]
            found.add(inside)
    if faults or found.faults:
        raise InputError([*first(faults), *first(found.faults)])
    notes = found.notes()
    if loose:
        notes.append(f"{loose} images outside the class folders left out")
    return files, notes


def _split_folders(root: Path) -> list[tuple[str, Path]]:
    """The folders that hold class folders, with the split each stands for."""
    folders = {folder.name.casefold(): folder for folder in _folders(root)}
    named = {
        split: [folders[name] for name in spellings if name in folders]
        for split, spellings in SPLIT_NAMES.items()
    }
    if doubled := [f.name for found in named.values() if len(found) > 1 for f in found]:
        raise InputError(f"{root}: more than one folder for a split: {names(doubled)}")
    found = [(split, places[0]) for split, places in named.items() if places]
    if not named["train"]:
        if found and len(found) == len(folders):
            here = names(folder.name for folder in folders.values())
            raise InputError(f"{root}: has {here}, but no folder train")
        return [("train", root)]
    splits = [place for _, place in found]
    if others := [place.name for place in folders.values() if place not in splits]:
        raise InputError(
            f"{root}: has a folder train, so {names(others)} beside it can be no class; allowed "
            "there: train, validation, test"
        )
    return found


def _check_classes(root: Path, files: list[_File], classes: tuple[str, ...]) -> None:
    if len(classes) < 2:
        raise InputError(_one_class(root, files, classes[0]))
    faults = []
    for split in SPLIT_NAMES:
        here = {file.label for file in files if file.split == split}
        if extra := sorted(here - set(classes)):
            near = [shown(n) for name in extra if (n := nearest(name, classes)) is not None]
            meant = f"; is {', '.join(near)} meant?" if near and len(extra) == 1 else ""
            faults.append(
                f"{root}: classes in {split} that are not in train: {names(extra)}{meant} "
                f"(train has {names(classes)})"
            )
    if faults:
        raise InputError(faults)


def _one_class(root: Path, files: list[_File], name: str) -> str:
    """Often the class folders lie one folder deeper."""
    message = f"{root}: only one class, '{shown(name)}'; at least two are needed"
    folder = root / name
    inside = _folders(folder) if folder.is_dir() else []
    if len(inside) > 1 and not any(file.path.parent == folder for file in files):
        message += f"; are {names(f.name for f in inside)} the classes? {{folder: {folder}}}"
    return message


def _decode(
    root: Path, files: list[_File], source: FolderSource
) -> tuple[NDArray[np.uint8], list[str]]:
    """All images in one array, allocated once the first is read; and what was done to them."""
    channels = 3 if source.channels == "rgb" else 1
    unreadable: list[str] = []
    sizes: dict[tuple[int, ...], tuple[int, Path]] = {}
    changes, greys = Changes(), 0
    items: NDArray[np.uint8] | None = None
    for i, file in enumerate(files):
        try:
            pixels = read_image(file.path, source.size, changes)
            size = pixels.shape[:2]
        except LargeImageError as error:
            size = (error.height, error.width)
        except UnreadableImageError as error:
            unreadable.append(f"  {shown(file.path)}: {error}")
            continue
        count, example = sizes.get(size, (0, file.path))
        sizes[size] = (count + 1, example)
        if len(sizes) > 1 or unreadable or max(size) > LONGEST_SIDE:
            continue  # there is an error to tell: look at the rest, keep nothing
        found = pixels.shape[-1] if source.channels == "auto" else channels
        greys += pixels.shape[-1] == 1
        if items is None:
            channels = found
            items = _allocate(root, len(files), size, channels)
        elif found > channels:  # the first colour image after grey ones
            channels, items = found, np.repeat(items, found, axis=-1)
        items[i] = to_channels(pixels, channels)
    faults = _tell_unreadable(unreadable) + _tell_sizes(root, sizes)
    if faults or items is None:
        raise InputError(faults)
    return items, [*changes.notes(root), *_tell_channels(greys, len(files), channels, source)]


def _tell_channels(greys: int, count: int, channels: int, source: FolderSource) -> list[str]:
    """What became of grey images among colour, or the reverse."""
    if channels == 1 and greys < count:
        return [f"{count - greys} of {count} images in colour brought to grey, as asked"]
    if channels == 3 and greys:
        return [f"{greys} of {count} images are grey: their channel is repeated for colour"]
    return ["every image is grey: one channel"] if source.channels == "auto" and greys else []


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
    return [f"{len(lines)} images cannot be read; repair or remove them:", *first(lines)]


def _tell_sizes(root: Path, sizes: dict[tuple[int, ...], tuple[int, Path]]) -> list[str]:
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
    lines = [
        f"  {width} x {height}: {count} images, e.g. {shown(path)}"
        for (height, width), (count, path) in common[:3]
    ]
    return [f"{root}: images have {len(sizes)} different sizes; {proposal}", *lines]


def _propose(size: tuple[int, ...]) -> int:
    """The largest usual side that the image has."""
    return next((side for side in USUAL_SIDES if side <= min(size)), max(min(size), 4))


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder.

    Raises:
        InputError: where it cannot be opened.
    """
    try:
        return subfolders(folder)
    except OSError as error:
        raise InputError(f"{shown(folder)}: cannot be opened: {error.strerror}") from None


def _loose(folder: Path) -> int:
    """The images that lie beside class folders."""
    return sum(1 for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())


def _no_classes(folder: Path) -> str:
    loose = _loose(folder)
    has = f"{loose} images, but no class folders" if loose else "no class folders"
    return f"{folder}: {has}; each class needs a folder of its own: {folder / 'CLASS' / 'a.png'}"


def _no_images(folder: Path, found: Listing) -> str:
    others = f"; found: {kinds(found.others)}" if found.others else ""
    return f"{shown(folder)}: no images ({', '.join(SUFFIXES)}) in this class{others}"
