"""Device, precision and determinism."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import Numerics
from bakeoff.training.torch import compiled, numerics
from bakeoff.training.torch.numerics import (
    apply,
    fingerprint,
    resolve_compile,
    resolve_device_and_precision,
)


@pytest.fixture
def restored() -> Iterator[None]:
    """Torch's settings as they were, afterwards."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


@pytest.mark.parametrize(("units", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_precision_follows_the_units(
    monkeypatch: pytest.MonkeyPatch, units: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(numerics, "_cpu_has", lambda question: units)
    assert resolve_device_and_precision("auto", "auto") == ("cpu", precision)


@pytest.mark.parametrize(("capability", "precision"), [((7, 5), "float32"), ((9, 0), "bfloat16")])
def test_auto_prefers_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert resolve_device_and_precision("auto", "auto") == ("cuda", precision)
    assert resolve_device_and_precision("cpu", "float32") == ("cpu", "float32")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"numerics\.device: cuda received"):
        resolve_device_and_precision("cuda", "auto")


def test_what_is_given_stays() -> None:
    assert resolve_device_and_precision("cpu", "bfloat16") == ("cpu", "bfloat16")


@pytest.mark.parametrize(
    ("asked", "device", "precision", "updates", "expected"),
    [
        (False, "cuda", "bfloat16", 10**6, False),
        (True, "cpu", "float32", 0, True),
        ("auto", "cpu", "float32", 10**9, False),
        ("auto", "cpu", "bfloat16", 4_999, False),
        ("auto", "cpu", "bfloat16", 5_000, True),
        ("auto", "cuda", "float32", 5_000, True),
        ("auto", "cuda", "bfloat16", 0, False),
    ],
)
def test_auto_compiles_where_updates_make_up_for_it(
    monkeypatch: pytest.MonkeyPatch,
    asked: Any,
    device: Any,
    precision: Any,
    updates: int,
    expected: bool,
) -> None:
    monkeypatch.setattr(compiled, "lacking", lambda device: None)
    assert resolve_compile(asked, device, precision, updates) is expected


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "lacking", lambda device: f"no compiler for {device}")
    assert resolve_compile("auto", "cpu", "bfloat16", 10**6) is False
    assert resolve_compile(False, "cpu", "bfloat16", 10**6) is False
    message = r"numerics\.compile: true received, but no compiler for cpu \(allowed here: auto, f"
    with pytest.raises(InputError, match=message):
        resolve_compile(True, "cpu", "float32", 10**6)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("deterministic", [False, True])
def test_apply(deterministic: bool) -> None:
    apply(Numerics(device="cpu", precision="float32", threads=1, deterministic=deterministic))
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled() is deterministic
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.usefixtures("restored")
def test_fingerprint_names_what_bits_depend_on() -> None:
    chosen = Numerics(device="cpu", precision="bfloat16", threads=1)
    apply(chosen)
    found = fingerprint(chosen)
    assert found["torch"] == torch.__version__
    assert found["torch_threads"] == 1
    assert found["device"] == "cpu"
    assert found["precision"] == "bfloat16"
    assert set(found) == {
        "torch",
        "device",
        "precision",
        "deterministic",
        "torch_threads",
        "cpu_capability",
        "amx",
        "onednn",
    }
    compiling = chosen.model_copy(update={"compile": True})
    assert fingerprint(compiling) == found | {
        "compile": True,
        "compiler": compiled.compiler_version(),
    }
