"""The IDX format of MNIST and its relatives: a big-endian header, then the numbers.

Format: http://yann.lecun.com/exdb/mnist/ ("the IDX file format"): two zero bytes, a byte for the
type, a byte for the number of axes, each axis as a big-endian 32-bit integer, the data.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.data.dataset import Dataset, numbered

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
LARGEST_BYTES = 4 << 30
"""No array larger than this is read: a damaged header must not ask for all memory there is."""


def read_idx(path: Path) -> NDArray[Any]:
    """The array in an IDX file, compressed with gzip or not (told by its content, not its name).

    Returns:
        An array of the type and shape of the header, in the machine's own byte order.

    Raises:
        InputError: where the file is missing, no IDX file, truncated, or longer than its header
            says.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            return _parse(gzip.GzipFile(fileobj=raw) if packed else raw, path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read as an IDX file: {error}") from None


def _parse(stream: IO[bytes] | gzip.GzipFile, path: Path) -> NDArray[Any]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= 4:
        raise InputError(f"{path}: not an IDX file: it begins with {magic.hex(' ') or 'nothing'}")
    axes = magic[3]
    header = stream.read(4 * axes)
    if len(header) < 4 * axes:
        raise InputError(f"{path}: truncated: the IDX header is not whole")
    shape = struct.unpack(f">{axes}I", header)
    kind = np.dtype(TYPES[magic[2]])
    needed = math.prod(shape) * kind.itemsize
    if needed > LARGEST_BYTES:
        raise InputError(f"{path}: its header asks for {needed:,} bytes; damaged?")
    data = stream.read(needed + 1)
    if len(data) != needed:
        found = "more" if len(data) > needed else f"only {len(data):,}"
        raise InputError(f"{path}: {shape} needs {needed:,} bytes of data, the file has {found}")
    # A copy: the buffer is read-only, and torch warns about tensors over such.
    return np.frombuffer(data, dtype=kind).reshape(shape).astype(kind.newbyteorder("="))


def grey_examples(images: NDArray[Any], labels: NDArray[Any], classes: int, where: str) -> Examples:
    """Grey images and their labels as examples.

    Args:
        images: (N, H, W) uint8.
        labels: (N,) integers in 0..classes-1.
        classes: The number of classes K.
        where: The files they came from, to begin messages with.

    Raises:
        InputError: where type, shape, counts or labels do not fit.
    """
    if images.dtype != np.uint8 or images.ndim != 3:
        raise InputError(
            f"{where}: images must be (N, H, W) uint8, not {images.shape} {images.dtype}"
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise InputError(
            f"{where}: {len(images)} images need as many integer labels, "
            f"not {labels.shape} {labels.dtype}"
        )
    if len(images) == 0:
        raise InputError(f"{where}: no images")
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(
            f"{where}: labels must be 0..{classes - 1}, found {labels.min()}..{labels.max()}"
        )
    items = np.ascontiguousarray(images[..., None])
    return Examples(items, labels.astype(np.int64), numbered(len(items)))


def load_idx(name: str, classes: tuple[str, ...], folder: Path) -> Dataset:
    """A set laid out as MNIST's publishers do: four IDX files, `.gz` or not.

    Args:
        name: The set's.
        classes: The class names, in label order.
        folder: Holds `{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]`.

    Raises:
        InputError: where a file is missing or damaged, or does not fit the others.
    """
    splits = {}
    for prefix in ("train", "t10k"):
        images = read_idx(either(folder, f"{prefix}-images-idx3-ubyte"))
        labels = read_idx(either(folder, f"{prefix}-labels-idx1-ubyte"))
        splits[prefix] = grey_examples(images, labels, len(classes), f"{folder} ({prefix})")
    return Dataset(name, "image", classes, splits["train"], splits["t10k"])


def either(folder: Path, name: str) -> Path:
    """The file `name`, or `name`.gz where only that is there."""
    plain = folder / name
    packed = folder / f"{name}.gz"
    return packed if packed.exists() and not plain.exists() else plain
