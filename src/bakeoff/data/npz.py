"""Arrays from .npz files of others: never unpickled, never larger than they may be."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.data.idx import LARGEST_BYTES

DAMAGE = (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What `zipfile` and NumPy raise for damaged archives, RuntimeError for encrypted ones."""


def read_npz(path: Path, name: str = "arr_0") -> NDArray[Any]:
    """One array of an .npz file.

    Args:
        path: The file.
        name: The array's name; `arr_0` is NumPy's for arrays saved without one.

    Raises:
        InputError: where the file is missing or damaged, holds no such array, or holds Python
            objects, which would have to be unpickled.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = {Path(entry.filename).stem: entry.file_size for entry in archive.infolist()}
        if name not in inside:
            raise InputError(f"{path}: holds no array '{name}' (there are: {', '.join(inside)})")
        if inside[name] > LARGEST_BYTES:
            raise InputError(f"{path}: array '{name}' unpacks to {inside[name]:,} bytes; damaged?")
        with np.load(path, allow_pickle=False) as arrays:
            array = arrays[name]
        # NumPy hands out the plain bytes of what is no array.
        if not isinstance(array, np.ndarray):
            raise InputError(f"{path}: '{name}' is no array")
        return array
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{path}: cannot be read as an .npz file: {error}") from None


def choose_array(path: Path, usual: Sequence[str]) -> str:
    """The name of the only array in an .npz file, or the first of `usual` that it holds.

    Raises:
        InputError: where the file is damaged, or holds several and none of these.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [Path(entry.filename).stem for entry in archive.infolist()]
    except DAMAGE as error:
        raise InputError(f"{path}: cannot be read as an .npz file: {error}") from None
    found = names if len(names) == 1 else [name for name in usual if name in names]
    if not found:
        raise InputError(
            f"{path}: which array holds the images? One must be called {' or '.join(usual)} "
            f"(there are: {', '.join(names) or 'none'})"
        )
    return found[0]


def map_npy(path: Path) -> NDArray[Any]:
    """The array of an .npy file, mapped.

    Raises:
        InputError: where it is damaged or holds Python objects, which would have to be unpickled.
    """
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except DAMAGE as error:
        raise InputError(f"{path}: cannot be read as an .npy file: {error}") from None
