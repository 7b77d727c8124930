"""Arrays computed in one piece and kept on disk: solves, features, teacher outputs, neighbours."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from bakeoff.core.cell import Key
from bakeoff.core.files import disk_errors, sync_folder
from bakeoff.core.protocols import Arrays


def cache_folder() -> Path:
    """`$BAKEOFF_CACHE` or the system's place for caches."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("BAKEOFF_CACHE")
    return Path(chosen) if chosen else user_cache_path("bakeoff")


def shared_path(key: Key) -> Path:
    """Where the cache keeps the arrays of `key`."""
    return cache_folder() / "arrays" / key[:2] / f"{key}.safetensors"


def arrays_at(path: Path, compute: Callable[[], Arrays]) -> tuple[Arrays, float]:
    """The arrays in the safetensors file `path`, computed and written whole if it is not there.

    Returns:
        The arrays, and the seconds it took to compute them (now or then).

    Raises:
        DiskError: where they cannot be written.
    """
    if (found := _read(path)) is not None:
        return found
    began = time.perf_counter()
    arrays = {name: np.ascontiguousarray(array) for name, array in compute().items()}
    seconds = time.perf_counter() - began
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with disk_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file(arrays, partial, metadata={"seconds": repr(seconds)})
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
            os.replace(partial, path)
        except SafetensorError as error:  # its writer wraps the system's error
            raise OSError(str(error)) from error
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
    return arrays, seconds


def _read(path: Path) -> tuple[Arrays, float] | None:
    """What is there and whole, or None."""
    try:
        with safe_open(path, framework="numpy") as stream:
            seconds = float((stream.metadata() or {}).get("seconds", 0))
            return {name: stream.get_tensor(name) for name in stream.keys()}, seconds  # noqa: SIM118
    except (OSError, SafetensorError):
        return None
