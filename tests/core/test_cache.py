"""The cache computes once, keeps every bit, and computes again what was damaged."""

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.core.disk import ERRORS, Fault, Killed, each_call

from bakeoff.core.cache import (
    Price,
    arrays_at,
    arrays_in,
    cache_folder,
    of_device,
    shared_path,
)
from bakeoff.core.errors import DiskError
from bakeoff.core.protocols import Arrays


class Counted:
    """Computes arrays, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Arrays:
        self.times += 1
        rng = np.random.default_rng(0)
        return {
            "features": rng.standard_normal((50, 8)).astype(np.float32).T,
            "scale": np.array(2.5),
            "none": np.zeros((0, 4), np.int64),
            "bits": np.array([np.nan, -0.0, np.inf]),
        }


PRICE = Price(0.1 + 0.2, alone=True, machine='["mine", 2, 1]')


def measured(compute: Callable[[], Arrays]) -> tuple[Arrays, Price]:
    return dict(compute()), PRICE


def assert_same(a: Arrays, b: Arrays) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert (a[name].dtype, a[name].shape) == (b[name].dtype, b[name].shape), name
        assert a[name].tobytes() == b[name].tobytes(), name


def test_arrays_are_computed_once(tmp_path: Path) -> None:
    path, compute = tmp_path / "deep" / "x.safetensors", Counted()
    first, price = arrays_at(path, compute, measured)
    again, price_then = arrays_at(path, compute, measured)
    assert compute.times == 1
    assert price == price_then == PRICE
    assert_same(first, Counted()())
    assert_same(again, first)
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]


def test_a_damaged_file_is_computed_again(tmp_path: Path) -> None:
    path, compute = tmp_path / "x.safetensors", Counted()
    arrays, _ = arrays_at(path, compute, measured)
    whole = path.read_bytes()
    places = [0, 7, 8, 20, *range(30, len(whole), 23), len(whole) - 1]
    for damaged in [
        b"",
        whole[:4],
        whole[: len(whole) // 2],
        whole[:-1],
        *(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :] for at in places),
    ]:
        path.write_bytes(damaged)
        before = compute.times
        assert_same(arrays_at(path, compute, measured)[0], arrays)
        assert_same(arrays_at(path, compute, measured)[0], arrays)
        assert compute.times == before + 1


def test_a_file_of_others_is_computed_again(tmp_path: Path) -> None:
    path, compute = tmp_path / "x.safetensors", Counted()
    save_file({"features": np.zeros(3)}, path)
    arrays_at(path, compute, measured)
    assert compute.times == 1


@pytest.mark.parametrize("alone", [True, False])
def test_a_file_says_how_its_seconds_were_measured(tmp_path: Path, alone: bool) -> None:
    price = Price(2.5, alone, "[null]")
    arrays_at(tmp_path / "x.safetensors", Counted(), lambda compute: (compute(), price))
    found = arrays_in(tmp_path / "x.safetensors")
    assert found is not None
    assert found[1] == price


def test_of_files_of_earlier_versions_only_the_seconds_are_known(tmp_path: Path) -> None:
    """Their checksum is of arrays and seconds; nobody looked who else was at work."""
    path, compute = tmp_path / "x.safetensors", Counted()
    features = np.arange(3.0)
    total = sha256(b"1.5")
    total.update(repr(("features", features.dtype.str, features.shape)).encode())
    total.update(features.tobytes())
    save_file({"features": features}, path, {"seconds": "1.5", "sha256": total.hexdigest()})
    arrays, price = arrays_at(path, compute, measured)
    assert compute.times == 0
    assert_same(arrays, {"features": features})
    assert price == Price(1.5, alone=False, machine="")


def test_a_key_says_no_device_but_a_gpu() -> None:
    assert of_device("cpu") == {}
    assert of_device("cuda") == {"device": "cuda"}


@pytest.mark.parametrize("fault", ERRORS)
def test_a_failing_disk_leaves_no_half_file(tmp_path: Path, fault: Fault) -> None:
    for number, disk in enumerate(each_call(fault)):
        path = tmp_path / str(number) / "x.safetensors"
        with pytest.MonkeyPatch.context() as patch:
            disk.trying(patch)
            error = None
            try:
                arrays_at(path, Counted(), measured)
            except DiskError as caught:
                error = str(caught)
        assert path.exists() if error is None else error.startswith(f"cannot write {path}: ")
        assert "\n" not in (error or "")
        left = [p.name for p in path.parent.iterdir()] if path.parent.exists() else []
        assert left in ([], ["x.safetensors"])
        compute = Counted()
        assert_same(arrays_at(path, compute, measured)[0], Counted()())
        assert compute.times == (not left)


def test_a_kill_leaves_no_half_file(tmp_path: Path) -> None:
    for number, disk in enumerate(each_call("killed")):
        path = tmp_path / str(number) / "x.safetensors"
        with pytest.MonkeyPatch.context() as patch:
            disk.trying(patch)
            with suppress(Killed):
                arrays_at(path, Counted(), measured)
        there, compute = path.exists(), Counted()
        assert_same(arrays_at(path, compute, measured)[0], Counted()())
        assert compute.times == (not there)


def test_what_fails_to_compute_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> Arrays:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        arrays_at(tmp_path / "x.safetensors", fail, measured)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKEOFF_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    assert shared_path("abcd") == Path("/somewhere/arrays/ab/abcd.safetensors")
    monkeypatch.delenv("BAKEOFF_CACHE")
    assert cache_folder().name == "bakeoff"
