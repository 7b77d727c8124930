"""Arrays as safetensors files. Nothing is ever unpickled."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file


def save_arrays(
    path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays (0-d and non-contiguous ones included) into an existing folder.

    Args:
        path: Of the file.
        arrays: By name; they come back with the same shapes, types and bits.
        metadata: Text kept beside them.

    Raises:
        OSError: where the system refuses (disk full, no right), which safetensors hides.
        SafetensorError: for types it does not know.
    """
    # Not `ascontiguousarray`, which makes 1-d arrays of 0-d ones.
    ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    try:
        save_file(ordered, path, dict(metadata) if metadata else None)
    except SafetensorError as error:
        code = re.search(r"(?:os error|code:) (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error
