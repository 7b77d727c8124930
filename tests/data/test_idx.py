"""Tests of the IDX format."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.data.idx import grey_examples, load_idx, read_idx

Make = Callable[[NDArray[np.uint8]], bytes]
BYTES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def test_packed_or_not_whatever_the_name(tmp_path: Path, make_idx: Make) -> None:
    path = tmp_path / "a.gz"
    for data in (make_idx(BYTES), gzip.compress(make_idx(BYTES))):
        path.write_bytes(data)
        array = read_idx(path)
        assert array.dtype == np.uint8
        assert array.tolist() == BYTES.tolist()
        assert array.flags.writeable


def test_numbers_are_big_endian(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes([0, 0, 0x0C, 1, 0, 0, 0, 2]) + bytes([0, 0, 1, 0, 255, 255, 255, 254]))
    array = read_idx(path)
    assert array.tolist() == [256, -2]
    assert array.dtype == np.int32


def test_damaged_files_are_refused(tmp_path: Path, make_idx: Make) -> None:
    whole = make_idx(BYTES)
    packed = gzip.compress(whole)
    damaged = {
        "no such": None,
        "begins with nothing": b"",
        "not an IDX file: it begins with 89 50 4e 47": b"\x89PNG....",
        "header is not whole": whole[:10],
        "only 20": whole[:-4],
        "has more": whole + b"\0",
        "cannot be read as an IDX file": packed[:-12],
        "CRC check failed": packed[:-8] + bytes(8),
        "asks for": bytes([0, 0, 8, 3]) + b"\xff" * 12,
    }
    for number, (message, data) in enumerate(damaged.items()):
        path = tmp_path / f"damaged-{number}"
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(InputError, match=path.name) as caught:
            read_idx(path)
        assert message.lower() in str(caught.value).lower(), message


def test_images_and_labels_have_to_fit() -> None:
    labels = np.array([0, 1], dtype=np.uint8)
    assert grey_examples(BYTES, labels, 2, "here").items.shape == (2, 3, 4, 1)  # type: ignore[union-attr]
    for images, these, message in (
        (BYTES[0], labels, "must be"),
        (BYTES.astype(np.int16), labels, "uint8, not"),
        (BYTES, labels[:1], "2 images need as many"),
        (BYTES, labels.astype(np.float32), "integer labels"),
        (BYTES[:0], labels[:0], "no images"),
        (BYTES, labels + 1, "labels must be 0..1, found 1..2"),
    ):
        with pytest.raises(InputError, match=message):
            grey_examples(images, these, 2, "here")


def test_a_set_with_a_missing_file_names_it(write_toy: Callable[[str], Path]) -> None:
    folder = write_toy("mnist")
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match="t10k-labels-idx1-ubyte: cannot be read"):
        load_idx("mnist", tuple("0123456789"), folder)
