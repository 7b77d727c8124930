"""Numerics: nothing left open, threads really set, and a fingerprint of what the bits depend on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.core.samples import environment
from threadpoolctl import threadpool_info, threadpool_limits

from bakeoff import __version__
from bakeoff.core.errors import InputError
from bakeoff.core.files import canonical_json
from bakeoff.core.recipe import DeviceName, Numerics
from bakeoff.execution import numerics
from bakeoff.scratch import kernels

SETTLED = Numerics(device="cpu", precision="float32", threads=1, compile=False)


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = {entry["prefix"]: entry["num_threads"] for entry in threadpool_info()}
    yield
    threadpool_limits(before)
    kernels.use_threads(1)


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A stand-in for torch's side, which notes what it is asked."""
    asked: list[tuple[Any, ...]] = []

    def resolve(device: str, precision: str) -> tuple[str, str]:
        asked.append(("resolve", device, precision))
        return "cuda", "bfloat16"

    def resolve_compile(compile: Any, *given: Any) -> bool:
        asked.append(("compile", compile, *given))
        return True

    side = SimpleNamespace(
        resolve_device_and_precision=resolve,
        resolve_compile=resolve_compile,
        apply=lambda given: asked.append(("apply", given)),
        fingerprint=lambda given: {"torch": "9", "device": "H9000"},
    )
    monkeypatch.setitem(sys.modules, "bakeoff.training.torch.numerics", side)
    return asked


def test_nothing_is_left_open() -> None:
    resolved = numerics.resolve(Numerics(), {"numpy"})
    assert resolved == SETTLED.model_copy(update={"threads": numerics.core_count()})
    kept = Numerics(threads=3, deterministic=False, channels_last=False, resident=False)
    resolved = numerics.resolve(kept, {"numpy"})
    assert (resolved.threads, resolved.deterministic) == (3, False)
    assert (resolved.channels_last, resolved.resident) == (False, False)
    assert numerics.resolve(SETTLED, {"numpy"}) == SETTLED


def test_torch_decides_where_it_takes_part(torch: list[tuple[Any, ...]]) -> None:
    resolved = numerics.resolve(Numerics(threads=2), {"numpy", "torch"}, 700)
    assert (resolved.device, resolved.precision, resolved.threads) == ("cuda", "bfloat16", 2)
    assert resolved.compile is True
    assert torch == [("resolve", "auto", "auto"), ("compile", "auto", "cuda", "bfloat16", 700)]


def test_numpy_has_no_gpu_and_no_bfloat16() -> None:
    with pytest.raises(InputError) as caught:
        numerics.resolve(Numerics(device="cuda", precision="bfloat16", compile=True), {"numpy"})
    assert caught.value.faults == (
        "numerics.device: cuda received, but no technique here computes with torch "
        "(allowed: auto, cpu)",
        "numerics.precision: bfloat16 received, but no technique here computes with torch "
        "(allowed: auto, float32)",
        "numerics.compile: true received, but no technique here computes with torch "
        "(allowed: auto, false)",
    )


def test_threads_are_set() -> None:
    for threads in (1, 2):
        fingerprint = numerics.apply(SETTLED.model_copy(update={"threads": threads}), "numpy")
        assert fingerprint["threads"] == threads
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        assert pools
        assert {pool["num_threads"] for pool in pools} == {threads}
        assert kernels.threads() == threads


def test_batches_are_cut_with_blas_held_to_one_thread() -> None:
    numerics.apply(SETTLED.model_copy(update={"threads": 2}), "numpy")
    during: list[set[int]] = []

    def work(number: int, part: slice) -> None:
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        during.append({pool["num_threads"] for pool in pools})

    assert kernels.split(2, work) == 2
    assert during == [{1}, {1}]
    after = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert {pool["num_threads"] for pool in after} == {2}


def test_the_fingerprint_says_what_bits_depend_on() -> None:
    fingerprint = numerics.apply(SETTLED, "numpy")
    assert fingerprint["bakeoff"] == __version__
    assert (fingerprint["device"], fingerprint["precision"]) == ("cpu", "float32")
    assert fingerprint["framework"] == "numpy"
    assert fingerprint["kernels"] == kernels.describe()
    for name in ("python", "numpy", "system", "processor", "instruction_set", "blas"):
        assert fingerprint[name]
        assert fingerprint[name] != "unknown"
    assert json.loads(canonical_json(fingerprint)) == fingerprint
    fingerprint["bakeoff"] = "changed"
    assert numerics.apply(SETTLED, "numpy")["bakeoff"] == __version__


def test_torch_adds_its_own(torch: list[tuple[Any, ...]]) -> None:
    fingerprint = numerics.apply(SETTLED, "torch")
    assert torch == [("apply", SETTLED)]
    assert (fingerprint["framework"], fingerprint["torch"]) == ("torch", "9")
    assert fingerprint["device"] == "H9000"
    assert fingerprint["numpy"]


def test_cores_are_those_this_process_may_use() -> None:
    assert 1 <= numerics.core_count() <= (os.cpu_count() or 1)
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not bind processes to cores")
    program = (
        "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from bakeoff.execution.numerics import core_count, resolve\n"
        "from bakeoff.core.recipe import Numerics\n"
        "print(core_count(), resolve(Numerics(), {'numpy'}).threads, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["1", "1", "False"], done.stderr


def test_what_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    numerics.require("keras")
    monkeypatch.setattr(numerics, "find_spec", lambda name: None if name == "tensorflow" else name)
    for framework in ("numpy", "torch"):
        numerics.require(framework)
    message = r"framework: keras needs TensorFlow.*pip install 'bakeoff\[tensorflow\]'"
    with pytest.raises(InputError, match=message):
        numerics.require("keras")
    with pytest.raises(InputError, match=message):
        numerics.apply(SETTLED, "keras")


def test_keras_adds_its_own() -> None:
    fingerprint = numerics.apply(SETTLED, "keras")
    assert (fingerprint["framework"], fingerprint["device"]) == ("keras", "cpu")
    assert fingerprint["precision"] == "float32"
    assert fingerprint["tensorflow"]
    assert json.loads(canonical_json(fingerprint)) == fingerprint


@pytest.mark.parametrize(
    ("asked", "gpu", "found"),
    [
        ("cuda", True, "cuda"),
        ("cuda", False, "cpu"),
        ("cpu", True, "cpu"),
        ("auto", True, "auto"),
    ],
)
def test_a_device_that_is_not_there_becomes_the_cpu(
    asked: DeviceName, gpu: bool, found: DeviceName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    assert numerics.at_hand(asked) == found
