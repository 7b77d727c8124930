"""`bakeoff doctor`: what this machine and this installation can do."""

import importlib.util
import os
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from bakeoff.cli.output import print_json, size

EXTRAS = {"parquet": "pyarrow", "cuda": "pynvml"}
BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON document on stdout.")
def doctor(as_json: bool) -> None:
    """Say what there is: cores, bf16 units, GPU, data sets, extras, disk."""
    found = findings()
    if as_json:
        print_json(found)
        return
    for section, facts in found.items():
        click.echo(f"{section}")
        for name, value in facts.items():
            click.echo(f"  {name:18} {value}")


def findings() -> dict[str, dict[str, Any]]:
    """Everything doctor knows, by section."""
    from bakeoff.execution.numerics import machine

    known = machine()
    here = shutil.disk_usage(".").free
    return {
        "machine": {
            "processor": known["processor"],
            "cores": known["cores"],
            "memory": _memory(),
            "bf16 units": ", ".join(_bfloat16_units()) or "none",
            "disk free here": size(here),
        },
        "GPU": _gpu(),
        "versions": {
            name: known.get(name) or _version(name)
            for name in ("bakeoff", "python", "numpy", "torch", "scikit-learn", "scipy")
        }
        | {"BLAS": known["blas"]},
        "extras": {
            name: "installed"
            if importlib.util.find_spec(module)
            else f"not installed (pip install 'bakeoff[{name}]')"
            for name, module in EXTRAS.items()
        },
        "data sets": _data_sets(),
    }


def _memory() -> str:
    import psutil

    memory = psutil.virtual_memory()
    return f"{size(memory.available)} free of {size(memory.total)}"


def _bfloat16_units() -> list[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            flags = next((line for line in stream if line.startswith("flags")), "").split()
    except OSError:
        return []
    return [unit for unit in BFLOAT16_UNITS if unit in flags]


def _gpu() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"CUDA": f"none that torch {torch.__version__} can use"}
    properties = torch.cuda.get_device_properties(0)
    return {
        "CUDA": properties.name,
        "memory": size(properties.total_memory),
        "runtime": torch.version.cuda,
        "devices": torch.cuda.device_count(),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES", "all"),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _data_sets() -> dict[str, str]:
    from bakeoff.cli.data import place
    from bakeoff.data.catalogue import DATASETS

    return {name: place(name) for name in sorted(DATASETS)}
