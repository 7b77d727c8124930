"""Arrays computed in one piece and kept on disk: solves, features, teacher outputs, neighbours."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from bakeoff.core.arrays import save_arrays
from bakeoff.core.cell import Key
from bakeoff.core.files import new_file
from bakeoff.core.protocols import Arrays

TOLD = ("seconds", "alone", "machine")
"""What a file says of its arrays' price; files of earlier versions say the seconds alone."""


@dataclass(frozen=True)
class Price:
    """What computing took.

    Args:
        seconds: Of the clock.
        alone: Whether nothing else kept the machine busy meanwhile; False where nobody knows.
        machine: On what it was measured; empty where nobody knows.
    """

    seconds: float
    alone: bool = False
    machine: str = ""


Measure = Callable[[Callable[[], Arrays]], tuple[Arrays, Price]]
"""Computes, and tells what that took."""


def cache_folder() -> Path:
    """`$BAKEOFF_CACHE` or the system's place for caches. Not created."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("BAKEOFF_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("bakeoff")


def shared_path(key: Key) -> Path:
    """Where the cache keeps the arrays of `key`."""
    return cache_folder() / "arrays" / key[:2] / f"{key}.safetensors"


def of_device(device: str) -> dict[str, str]:
    """What a key says of the device of a computation: of the CPU nothing.

    So keys are what they were before any of them named a device.
    """
    return {} if device == "cpu" else {"device": device}


def arrays_at(path: Path, compute: Callable[[], Arrays], measure: Measure) -> tuple[Arrays, Price]:
    """The arrays in the safetensors file `path`, computed and written whole if it is not there.

    A damaged file counts as none.

    Args:
        path: Of the file.
        compute: The arrays.
        measure: Calls it, where that is needed.

    Returns:
        The arrays, and what it took to compute them (now or then).

    Raises:
        DiskError: where they cannot be written.
    """
    if (found := arrays_in(path)) is not None:
        return found
    arrays, price = measure(compute)
    told = {"seconds": repr(price.seconds), "alone": str(price.alone), "machine": price.machine}
    with new_file(path) as partial:
        save_arrays(partial, arrays, told | {"sha256": _digest(arrays, told)})
    return arrays, price


def arrays_in(path: Path) -> tuple[Arrays, Price] | None:
    """The arrays in a file of `arrays_at` and what they took; None where it is not whole."""
    try:
        with safe_open(path, framework="numpy") as stream:
            metadata = stream.metadata() or {}
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        if metadata["sha256"] != _digest(arrays, metadata):
            return None
        alone, machine = metadata.get("alone") == str(True), metadata.get("machine", "")
        return arrays, Price(float(metadata["seconds"]), alone, machine)
    except (OSError, KeyError, ValueError, SafetensorError):
        return None


def _digest(arrays: Arrays, told: Mapping[str, str]) -> str:
    """SHA-256 of price, names, types, shapes, values: safetensors has no checksum of its own."""
    total = sha256("\n".join(told[name] for name in TOLD if name in told).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        total.update(repr((name, array.dtype.str, array.shape)).encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()
