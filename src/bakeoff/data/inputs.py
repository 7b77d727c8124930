"""Images that are to be predicted, from folders and files, in parts that bound the memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError, shown
from bakeoff.core.examples import Examples
from bakeoff.data.cifar10 import read_batch
from bakeoff.data.dataset import numbered
from bakeoff.data.idx import read_idx
from bakeoff.data.images import (
    SUFFIXES,
    Changes,
    LargeImageError,
    UnreadableImageError,
    read_image,
    to_channels,
)
from bakeoff.data.listing import first, identity, list_images, natural
from bakeoff.data.npz import choose_array, map_npy, read_npz

PART_BYTES = 16 << 20
"""So many bytes of pixels are in memory at a time."""
IMAGE_ARRAYS = ("images", "arr_0")
"""What an array of images is called in an .npz file that holds several."""


@dataclass(frozen=True)
class Wanted:
    """What a predictor of images reads.

    Args:
        shape: (H, W, C) of its images; None where it looks at nothing.
        size: The side that image files are resized to; None: they must have the shape already.
        classes: The names that folders are looked up in.
    """

    shape: tuple[int, ...] | None
    size: int | None = None
    classes: tuple[str, ...] = ()


def read_images(source: Path, wanted: Wanted, notes: list[str]) -> Iterator[Examples]:
    """The images of a folder, of an image file, or of a file that holds an array of them.

    A folder is read with all below it, in natural order (2.png before 10.png), folder by folder.
    An image in a folder named like a class has that label, all others have -1. Arrays are .npz,
    .npy and IDX files and CIFAR-10's binary batches; labels in them are not read.

    Args:
        source: The folder or file.
        wanted: What the predictor reads.
        notes: What was left out or changed is added, once all is read.

    Yields:
        The next images, in order.

    Raises:
        InputError: where there are none, or some cannot be read or do not fit. All files are
            looked at first; after the first fault, nothing more is yielded.
    """
    if source.is_file() and (read := _array_reader(source)) is not None:
        yield from _from_array(source, read(source), wanted, notes)
        return
    paths = [source]
    if source.is_dir():
        found = list_images(source)
        if found.faults:
            raise InputError(first(found.faults))
        paths = sorted(found.images, key=natural)
        notes += found.notes()
        if not paths:
            raise InputError(
                "\n".join([f"{source}: no images (looked for {', '.join(SUFFIXES)})", *notes])
            )
    yield from _from_files(paths, source if source.is_dir() else source.parent, wanted, notes)


def _from_files(
    paths: Sequence[Path], base: Path, wanted: Wanted, notes: list[str]
) -> Iterator[Examples]:
    index = {name: i for i, name in enumerate(wanted.classes)}
    reader = _Reader(wanted)
    step = _part(reader.shape)
    for start in range(0, len(paths), step):
        part = paths[start : start + step]
        items = np.zeros((len(part), *reader.shape), np.uint8)
        for row, path in enumerate(part):
            reader.read(path, items[row])
        if not reader.unreadable and not reader.unfit:
            labels = np.array([_label(path, base, index) for path in part], np.int64)
            ids = np.array([identity(path.relative_to(base)) for path in part], np.str_)
            yield Examples(items, labels, ids)
    reader.refuse()
    notes += reader.notes(base)


class _Reader:
    """Reads image after image, and remembers what was wrong or changed."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted, self.shape = wanted, wanted.shape or (1, 1, 1)
        self.unreadable: list[str] = []
        self.unfit: list[str] = []
        self.changes = Changes()

    def read(self, path: Path, out: NDArray[np.uint8]) -> None:
        """Write the pixels of an image into `out` (H, W, C), if it can be read and fits."""
        try:
            pixels = read_image(path, self.wanted.size, self.changes)
        except LargeImageError as error:
            self._misfit(path, error.height, error.width)
            return
        except UnreadableImageError as error:
            self.unreadable.append(f"{shown(path)}: cannot be read: {error}")
            return
        height, width, channels = pixels.shape
        if self.wanted.shape is None:
            return
        if (height, width) != self.shape[:2]:
            self._misfit(path, height, width)
            return
        if channels != self.shape[2]:
            grey = "in colour brought to grey, as was learnt"
            colour = "in grey, whose channel is repeated: colour was learnt"
            self.changes.add(grey if self.shape[2] == 1 else colour, path)
        out[:] = to_channels(pixels, self.shape[2])

    def _misfit(self, path: Path, height: int, width: int) -> None:
        if self.wanted.shape is not None:
            self.unfit.append(
                f"{shown(path)}: {width} x {height} pixels, where "
                f"{self.shape[1]} x {self.shape[0]} were learnt"
            )

    def refuse(self) -> None:
        """Tell what was wrong.

        Raises:
            InputError: if anything was.
        """
        faults = [*first(self.unreadable), *first(self.unfit)]
        if self.unfit and self.shape[0] == self.shape[1]:
            faults.append("  resize them; or ask for their middle squares, resized: --resize")
        if faults:
            raise InputError(faults)

    def notes(self, base: Path) -> list[str]:
        """What was changed, a sentence for each kind."""
        return self.changes.notes(base)


def _part(shape: Sequence[int]) -> int:
    """How many images are read at a time: a power of two.

    Predictors take images in batches of powers of two, and the last bit of a product may depend on
    the place in the batch; so the places are the same as if all were predicted at once.
    """
    return 1 << max(1, PART_BYTES // prod(shape)).bit_length() - 1


def _label(path: Path, base: Path, index: dict[str, int]) -> int:
    """The class that a folder between `base` and the image is named like, the outermost first.

    Where there is none, `base` itself is asked: `photos/cat` may be all that is predicted.
    """
    folders = [*path.relative_to(base).parts[:-1], base.absolute().name]
    names = [identity(Path(name)) for name in folders]
    return next((index[name] for name in names if name in index), -1)


def _channels_first(array: Sequence[int], learnt: Sequence[int]) -> bool:
    """Whether (N, ., ., .) are images of the sides learnt, if and only if channels come first."""
    first = tuple(array[2:]) == tuple(learnt[:2]) and array[1] in (1, 3)
    return first and not (tuple(array[1:3]) == tuple(learnt[:2]) and array[3] in (1, 3))


def _array_reader(path: Path) -> Callable[[Path], NDArray[Any]] | None:
    """What reads a file as an array; None where it is taken for an image."""
    if path.suffix.lower() in SUFFIXES:
        return None
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened: {error.strerror}") from None
    if start[:2] == b"PK":
        return lambda path: read_npz(path, choose_array(path, IMAGE_ARRAYS))
    if start == b"\x93NUM":
        return map_npy
    if start[:2] in (b"\0\0", b"\x1f\x8b") and path.suffix != ".bin":
        return read_idx
    if start[:1] == b"\x80":
        raise InputError(
            f"{path}: is pickled, as the Python version of CIFAR-10 is, and nothing from outside "
            "is unpickled; give the binary version (.bin), an .npz file or a folder of images"
        )
    return read_batch if path.suffix == ".bin" else None


def _from_array(
    path: Path, array: NDArray[Any], wanted: Wanted, notes: list[str]
) -> Iterator[Examples]:
    """Images (N, H, W), (N, H, W, 1 or 3) or (N, 1 or 3, H, W) uint8, part by part.

    What could be either has its channels last.
    """
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or not len(array):
        raise InputError(
            f"{path}: images must be (N, H, W) or (N, H, W, channels) uint8, at least one; this is "
            f"{array.shape} {array.dtype}"
        )
    images = array[..., None] if array.ndim == 3 else array
    shape = wanted.shape or images.shape[1:]
    if wanted.shape is not None and _channels_first(images.shape, shape):
        notes.append(
            f"{path}: {images.shape} read as (N, channels, H, W), since images of "
            f"{shape[0]} x {shape[1]} pixels were learnt"
        )
        images = np.moveaxis(images, 1, -1)
    if images.shape[1:3] != shape[:2] or images.shape[3] not in (1, 3):
        raise InputError(f"{path}: images of {images.shape[1:]}, where {shape} were learnt")
    ids = numbered(len(images))
    step = _part(shape)
    for start in range(0, len(images), step):
        part = np.ascontiguousarray(images[start : start + step])
        labels = np.full(len(part), -1, np.int64)
        yield Examples(to_channels(part, shape[2]), labels, ids[start : start + step])
