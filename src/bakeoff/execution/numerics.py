"""How numbers are computed: `auto` resolved once a study, applied in each process, recorded."""

import platform
from collections.abc import Mapping, Set
from functools import cache
from importlib.util import find_spec
from typing import Any

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DeviceName, Framework, Numerics
from bakeoff.execution.allocator import keep_freed
from bakeoff.execution.cores import core_count

__all__ = ["apply", "at_hand", "core_count", "limiter", "machine", "require", "resolve"]

EXTRAS: Mapping[Framework, tuple[str, str]] = {"keras": ("tensorflow", "TensorFlow")}
"""Frameworks of an extra: its name, which is its module's too, and what people call it."""


def require(framework: Framework) -> None:
    """Refuse a framework that is not installed; nothing of it is loaded.

    Raises:
        InputError: with what would install it.
    """
    module, library = EXTRAS.get(framework, ("numpy", ""))
    if find_spec(module) is None:
        raise InputError(
            f"framework: {framework} needs {library}, which is not installed "
            f"(pip install 'bakeoff[{module}]')"
        )


def resolve(numerics: Numerics, frameworks: Set[str], updates: int = 0) -> Numerics:
    """No `auto` left.

    Args:
        numerics: As the user wrote it.
        frameworks: Of all techniques of the study; torch is only asked where it is among them.
        updates: The fewest that a fit makes whose passes can be compiled; 0: there are none.

    Raises:
        InputError: where a device or precision is asked for that is not there, or a compiler.
    """
    threads = core_count() if numerics.threads == "auto" else numerics.threads
    settled: dict[str, Any] = {"device": "cpu", "precision": "float32", "compile": False}
    if "torch" in frameworks:
        from bakeoff.training.torch.numerics import resolve_compile, resolve_device_and_precision

        device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
        compiles = resolve_compile(numerics.compile, device, precision, updates)
        settled = {"device": device, "precision": precision, "compile": compiles}
    elif faults := [
        f"numerics.{name}: {_written(received)} received, but no technique here computes with "
        f"torch (allowed: auto, {_written(only)})"
        for name, only in settled.items()
        if (received := getattr(numerics, name)) not in ("auto", only)
    ]:
        raise InputError(faults)
    return numerics.model_copy(update=settled | {"threads": threads})


def at_hand(device: DeviceName) -> DeviceName:
    """The device itself, or the CPU in place of a GPU that this machine does not have."""
    if device != "cuda":
        return device
    import torch

    return device if torch.cuda.is_available() else "cpu"


def _written(value: object) -> str:
    """As in a study file."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def apply(numerics: Numerics, framework: Framework) -> dict[str, Any]:
    """Set threads, determinism and what becomes of freed memory, for this process.

    Torch computes on the device and in the precision asked for; the others on the CPU, in float32.

    Returns:
        The fingerprint: what the bits of a result depend on, besides the recipe.

    Raises:
        InputError: where the framework is not installed, or computes otherwise in this process and
            cannot be changed.
    """
    from bakeoff.scratch import kernels

    require(framework)
    keep_freed()
    threads = int(numerics.threads)
    limiter(threads)
    fingerprint = machine() | {"framework": framework, "threads": threads}
    if framework == "torch":
        from bakeoff.training.torch.numerics import apply as apply_torch
        from bakeoff.training.torch.numerics import fingerprint as torch_fingerprint

        apply_torch(numerics)
        return fingerprint | torch_fingerprint(numerics)
    fingerprint |= {"device": "cpu", "precision": "float32"}
    if framework == "keras":
        from bakeoff.training.keras.numerics import apply as apply_keras
        from bakeoff.training.keras.numerics import fingerprint as keras_fingerprint

        apply_keras(numerics)
        return fingerprint | keras_fingerprint(numerics)
    return fingerprint | {"kernels": kernels.describe()}


def limiter(threads: int) -> None:
    """Bound the threads of BLAS, in NumPy and SciPy, and of our kernels."""
    import numpy as np  # noqa: F401  BLAS must be there to be found
    from threadpoolctl import ThreadpoolController, threadpool_limits

    from bakeoff.scratch import kernels

    threadpool_limits(threads)
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers

    def limit_blas(number: int) -> None:
        for library in libraries:
            library.set_num_threads(number)

    kernels.use_threads(threads, limit_blas)


@cache
def machine() -> dict[str, Any]:
    """Versions, processor, instruction set and BLAS: the same for every cell of a process."""
    import numpy as np

    from bakeoff import __version__

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    features = np.show_config(mode="dicts")["SIMD Extensions"]
    return {
        "bakeoff": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cores": core_count(),
        "instruction_set": _widest([*features["baseline"], *features.get("found", [])]),
        "blas": f"{blas['name']} {blas.get('version', '')}".strip(),
    }


def _widest(features: list[str]) -> str:
    return features[-1] if features else "unknown"


def processor_name() -> str:
    """The processor's own name, where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
