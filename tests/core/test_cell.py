"""A cell's key stands for all its result depends on, and for nothing else."""

import math
import re
import subprocess
import sys
from typing import Any

import pytest
from tests.core.samples import TinySettings, Training, cell, environment, recipe

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DataSettings

SETTLED = recipe().numerics


def test_keys_are_those_of_earlier_versions() -> None:
    """Fields that came later and change no number stay out of them."""
    assert cell().key == "492419b0b6c08827"


def test_names_are_no_part_of_the_key() -> None:
    assert cell("plain").key == cell("renamed").key
    assert re.fullmatch("[0-9a-f]{16}", cell().key)


@pytest.mark.parametrize(
    "change",
    [
        {"replicate": Replicate(seed=1)},
        {"replicate": Replicate(seed=0, fold=0)},
        {"replicate": Replicate(seed=0, repeat=1)},
        {"data_hash": "e" * 64},
        {"split_hash": "e" * 64},
        {"version": 2},
        {"inputs": {"teacher": "0123456789abcdef"}},
        {"purpose": "trial"},
        {"weights": {"minilm": "w" * 64}},
        {"recipe": recipe(technique="mlp")},
        {"recipe": recipe(data=DataSettings(set="digits", labels=100))},
        {"recipe": recipe(numerics=SETTLED.model_copy(update={"threads": 2}))},
        {"recipe": recipe(numerics=SETTLED.model_copy(update={"compile": True}))},
        {"recipe": recipe(numerics=SETTLED.model_copy(update={"channels_last": False}))},
        {"recipe": recipe(numerics=SETTLED.model_copy(update={"resident": False}))},
        {"recipe": recipe(settings=TinySettings(training=Training(rate=math.nextafter(0.1, 1))))},
    ],
)
def test_everything_else_is(change: dict[str, Any]) -> None:
    assert cell(**change).key != cell().key


def test_other_processes_find_the_same_key() -> None:
    program = "from tests.core.samples import cell; print(cell().key)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(PYTHONHASHSEED="7"),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == cell().key, done.stderr


@pytest.mark.parametrize(
    ("replicate", "folder"),
    [
        (Replicate(seed=0), "seed-0"),
        (Replicate(seed=3, fold=2), "seed-3.fold-2"),
        (Replicate(seed=0, repeat=1, fold=2), "seed-0.repeat-1.fold-2"),
    ],
)
def test_folders(replicate: Replicate, folder: str) -> None:
    of = Cell(recipe("batch-norm"), replicate, "d", "s", 1)
    assert of.folder == f"batch-norm/{folder}"


def test_seeds_are_not_negative() -> None:
    with pytest.raises(InputError, match="seed"):
        Replicate.parse({"seed": -1})
