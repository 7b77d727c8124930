"""How torch computes: device and precision found out, applied to this process, recorded."""

import math
import os
import re
from typing import Any, Literal

import torch

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DeviceName, Numerics
from bakeoff.training.torch import compiled

Device = Literal["cpu", "cuda"]
Precision = Literal["float32", "bfloat16"]


def resolve_device_and_precision(
    device: DeviceName, precision: Literal["auto", "float32", "bfloat16"]
) -> tuple[Device, Precision]:
    """No `auto` left: a GPU where there is one, bfloat16 where the device has units for it.

    Raises:
        InputError: where a GPU is asked for that torch cannot use.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"numerics.device: cuda received, but torch {torch.__version__} finds no GPU it can "
            "use (allowed here: auto, cpu)"
        )
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16_units(device) else "float32"
    return device, precision


COMPILE_FROM = {("cuda", "float32"): 5_000, ("cuda", "bfloat16"): 5_000, ("cpu", "bfloat16"): 5_000}
"""Updates of a fit from which compiling is taken to be made up for, by device and precision.

In float32 a CPU never gets there: convolutions are a library's there, compiled or not, and make up
nearly all of the time. With two AVX2 cores and batches of 128, a compiled update of resnet20 took
0.91 times as long, one of simple-cnn 1.18 times.
"""


def resolve_compile(
    asked: bool | Literal["auto"], device: Device, precision: Precision, updates: int
) -> bool:
    """Whether training passes are compiled.

    Args:
        asked: `auto`: where a compiler is there and the updates make up for it.
        device: Resolved.
        precision: Resolved.
        updates: The fewest of a fit that compiles; 0: there is none.

    Raises:
        InputError: where it is asked for and cannot be done.
    """
    if asked is False:
        return False
    lacks = compiled.lacking(device)
    if asked is True and lacks:
        raise InputError(
            f"numerics.compile: true received, but {lacks} (allowed here: auto, false)"
        )
    return asked is True or (
        not lacks and updates >= COMPILE_FROM.get((device, precision), math.inf)
    )


def has_bfloat16_units(device: Device) -> bool:
    """Whether matrix products in bfloat16 are faster than in float32 there.

    On a CPU these are AMX tiles and AVX-512 BF16, on a GPU the tensor cores since Ampere.
    """
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    return _cpu_has("_is_amx_tile_supported") or _cpu_has("_is_avx512_bf16_supported")


def _cpu_has(question: str) -> bool:
    """One of torch's questions to the processor; torch versions differ in which there are."""
    ask = getattr(torch.cpu, question, None)
    return bool(ask()) if ask is not None else False


def apply(numerics: Numerics) -> None:
    """Set threads, determinism and full float32 for this process.

    Args:
        numerics: Resolved.
    """
    torch.set_num_threads(int(numerics.threads))
    torch.use_deterministic_algorithms(numerics.deterministic)
    # Otherwise every empty tensor is filled with NaN first, to find reads of memory never written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = numerics.deterministic
    torch.backends.cudnn.benchmark = not numerics.deterministic
    if numerics.device == "cuda" and numerics.deterministic:
        # cuBLAS reads this when it starts; it needs a workspace of its own to sum in one order.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if numerics.compile is True:
        compiled.keep_programs()


def fingerprint(numerics: Numerics) -> dict[str, Any]:
    """What the bits of torch's results depend on, in this process.

    Args:
        numerics: Resolved.
    """
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "device": numerics.device,
        "precision": numerics.precision,
        "deterministic": numerics.deterministic,
        "torch_threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "amx": _cpu_has("_is_amx_tile_supported"),
        "onednn": _onednn(),
    }
    if numerics.compile is True:
        found |= {"compile": True, "compiler": compiled.compiler_version()}
    if numerics.device == "cuda":
        major, minor = torch.cuda.get_device_capability()
        found |= {
            "device_name": torch.cuda.get_device_name(),
            "compute_capability": f"{major}.{minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        }
    return found


def _onednn() -> str | None:
    """The version of the library that computes convolutions on a CPU; None where it is off."""
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (there and torch.backends.mkldnn.enabled):
        return None
    found = re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show())
    return found[1] if found else "unknown"
