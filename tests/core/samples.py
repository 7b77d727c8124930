"""Small recipes, cells and records for tests."""

import os
from pathlib import Path
from typing import Any

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.frozen import Frozen
from bakeoff.core.recipe import DataSettings, Numerics, Recipe, Settings
from bakeoff.core.record import Cost, Record

ROOT = Path(__file__).resolve().parents[2]


def environment(**changes: str) -> dict[str, str]:
    """For another Python process that imports the package, and the tests."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths} | changes


class Training(Frozen):
    """A section of settings."""

    epochs: int = 3
    rate: float = 0.1


class TinySettings(Settings):
    """Settings of no technique in particular."""

    training: Training = Training()


def recipe(name: str = "plain", **changes: Any) -> Recipe:
    """A recipe with settled numerics."""
    content: dict[str, Any] = {
        "name": name,
        "technique": "softmax",
        "data": DataSettings(set="digits"),
        "numerics": Numerics(device="cpu", precision="float32", threads=1, compile=False),
        "settings": TinySettings(),
    }
    return Recipe(**(content | changes))


def cell(name: str = "plain", seed: int = 0, **changes: Any) -> Cell:
    """A cell of that recipe."""
    content: dict[str, Any] = {
        "recipe": recipe(name),
        "replicate": Replicate(seed=seed),
        "data_hash": "d" * 64,
        "split_hash": "s" * 64,
        "version": 1,
    }
    return Cell(**(content | changes))


def record(of: Cell, **changes: Any) -> Record:
    """What a cell could leave."""
    content: dict[str, Any] = {
        "name": of.recipe.name,
        "key": of.key,
        "technique_version": of.version,
        "recipe": of.recipe.resolved(),
        "replicate": of.replicate,
        "task": "classification",
        "classes": ("no", "yes"),
        "hashes": {"data": of.data_hash, "split": of.split_hash, "test": "t" * 64},
        "sizes": {"train": 80, "validation": 10, "test": 10},
        "status": "done",
        "steps": 30,
        "selected_step": 20,
        "test_opened": 1,
        "test_ledger": 1,
        "metrics": {"test/accuracy": 0.9, "test/log_loss": 0.1 + 0.2},
        "cost": Cost(
            parameters=10,
            trained_parameters=10,
            macs_per_example=20,
            train_seconds=1.5,
            peak_bytes=1000,
        ),
        "fingerprint": {"numpy": "2", "threads": 1},
        "source": {"commit": None, "uncommitted": None},
        "files": {},
    }
    return Record.model_validate(content | changes)
