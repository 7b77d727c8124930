"""Arrays computed in one piece and kept on disk: solves, features, teacher outputs, neighbours."""

import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from bakeoff.core.arrays import save_arrays
from bakeoff.core.cell import Key
from bakeoff.core.files import new_file
from bakeoff.core.protocols import Arrays


def cache_folder() -> Path:
    """`$BAKEOFF_CACHE` or the system's place for caches. Not created."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("BAKEOFF_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("bakeoff")


def shared_path(key: Key) -> Path:
    """Where the cache keeps the arrays of `key`."""
    return cache_folder() / "arrays" / key[:2] / f"{key}.safetensors"


def arrays_at(path: Path, compute: Callable[[], Arrays]) -> tuple[Arrays, float]:
    """The arrays in the safetensors file `path`, computed and written whole if it is not there.

    A damaged file counts as none.

    Returns:
        The arrays, and the seconds it took to compute them (now or then).

    Raises:
        DiskError: where they cannot be written.
    """
    if (found := arrays_in(path)) is not None:
        return found
    began = time.perf_counter()
    arrays = dict(compute())
    seconds = time.perf_counter() - began
    metadata = {"seconds": repr(seconds), "sha256": _digest(arrays, repr(seconds))}
    with new_file(path) as partial:
        save_arrays(partial, arrays, metadata)
    return arrays, seconds


def arrays_in(path: Path) -> tuple[Arrays, float] | None:
    """The arrays in a file of `arrays_at` and the seconds they took; None where it is not whole."""
    try:
        with safe_open(path, framework="numpy") as stream:
            metadata = stream.metadata() or {}
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        if metadata["sha256"] != _digest(arrays, metadata["seconds"]):
            return None
        return arrays, float(metadata["seconds"])
    except (OSError, KeyError, ValueError, SafetensorError):
        return None


def _digest(arrays: Arrays, seconds: str) -> str:
    """SHA-256 of seconds, names, types, shapes, values: safetensors has no checksum of its own."""
    total = sha256(seconds.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        total.update(repr((name, array.dtype.str, array.shape)).encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()
