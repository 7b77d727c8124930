"""Arrays come back with their shapes, types and bits; what the system refuses is told as such."""

import errno
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tests.core.disk import Disk, Fault

from bakeoff.core.arrays import save_arrays

ARRAYS: dict[str, NDArray[np.generic]] = {
    "scalar": np.array(3.5, np.float64),
    "count": np.array(7),
    "empty": np.zeros((0, 3), np.float32),
    "transposed": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    "strided": np.arange(20, dtype=np.int32)[::3],
    "odd": np.array([0.0, -0.0, np.nan, np.inf, 1e-45], np.float32),
    "half": np.arange(3, dtype=np.float16),
    "true": np.array([True, False]),
    "a.b/ä": np.arange(2, dtype=np.uint8),
}


def test_arrays_survive_bit_by_bit(tmp_path: Path) -> None:
    save_arrays(tmp_path / "x.safetensors", ARRAYS)
    back = load_file(tmp_path / "x.safetensors")
    assert back.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert (back[name].shape, back[name].dtype) == (array.shape, array.dtype), name
        assert back[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("fault", ["ENOSPC", "EACCES"])
def test_errors_of_the_system_are_told_as_such(
    tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(1, fault).trying(monkeypatch)
    with pytest.raises(OSError, match=r"No space left|Permission denied") as caught:
        save_arrays(tmp_path / "x.safetensors", ARRAYS)
    assert caught.value.errno == getattr(errno, fault)
    assert caught.value.filename == str(tmp_path / "x.safetensors")


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save_arrays(tmp_path / "none" / "x.safetensors", ARRAYS)


def test_types_that_cannot_be_saved_are_no_fault_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(SafetensorError, match="dtype"):
        save_arrays(tmp_path / "x.safetensors", {"text": np.array(["a"])})
