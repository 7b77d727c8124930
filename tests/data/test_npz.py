"""Tests of reading .npz files."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.data import npz
from bakeoff.data.npz import choose_array, map_npy, read_npz


def test_arrays_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, np.arange(3), images=np.eye(2))
    assert read_npz(path).tolist() == [0, 1, 2]
    assert read_npz(path, "images").tolist() == [[1, 0], [0, 1]]
    with pytest.raises(InputError, match=r"no array 'labels' \(there are: images, arr_0\)"):
        read_npz(path, "labels")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"cannot be read as an \.npz file: Object arrays"):
        read_npz(path)


def test_damaged_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match="cannot be read"):
        read_npz(path)
    np.savez(path, np.arange(100))
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(InputError, match="cannot be read"):
        read_npz(path)
    path.write_bytes(whole[:300] + b"\xff" + whole[301:])
    with pytest.raises(InputError, match="cannot be read"):
        read_npz(path)
    encrypted = bytearray(whole)
    encrypted[whole.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(encrypted)
    with pytest.raises(InputError, match="cannot be read"):
        read_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("arr_0.npy", b"no array")
    with pytest.raises(InputError, match="'arr_0' is no array"):
        read_npz(path)
    np.savez(path, np.arange(100))
    monkeypatch.setattr(npz, "LARGEST_BYTES", 100)
    with pytest.raises(InputError, match="unpacks to 928 bytes"):
        read_npz(path)


def test_the_only_array_or_one_that_is_called_as_usual(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, any_name=np.arange(3))
    assert choose_array(path, ("images", "arr_0")) == "any_name"
    np.savez(path, np.arange(3), images=np.arange(3), labels=np.arange(3))
    assert choose_array(path, ("images", "arr_0")) == "images"
    assert choose_array(path, ("arr_0", "images")) == "arr_0"
    with pytest.raises(InputError, match=r"called x \(there are: images, labels, arr_0\)"):
        choose_array(path, ("x",))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"a\.npz: cannot be read as an \.npz file"):
        choose_array(path, ("x",))


def test_npy_files_are_mapped_and_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6).reshape(2, 3))
    assert map_npy(path).tolist() == [[0, 1, 2], [3, 4, 5]]
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"a\.npy: cannot be read as an \.npy file"):
        map_npy(path)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read"):
        map_npy(path)
