"""ResNet-20 is killed at random moments and run again, and ends in the bits of an undisturbed run.

The same at length, with more kills: `benchmarks/kills.py`.
"""

import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.study.tiny import bits, command, finish, start, study

from bakeoff.core.record import read_record
from bakeoff.study.study import Study
from bakeoff.training.torch import compiled


def resnet(**numerics: Any) -> Study:
    """ResNet-20, half as wide, for two epochs of a few digits; saved after every update."""
    training = {"epochs": 2, "batch_size": 32, "checkpoint_seconds": 0}
    control = {
        "technique": "cnn",
        "model": {"name": "resnet20", "width": 8},
        "training": training,
        "augmentation": {"flip": True, "crop": 1},
        "data": {"labels": 200},
        "numerics": {"threads": 1, "precision": "float32"} | numerics,
    }
    return study(control=control, variants={"majority": {"technique": "majority"}})


def saved_at(loop: Path) -> int | None:
    """When a checkpoint was last written; None where none is there, or just being replaced."""
    try:
        return loop.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def killed(arguments: list[str], out: Path, draw: random.Random) -> bool:
    """Start it and kill it at a random moment of its training; False: it had ended by then."""
    process = start(arguments)
    loop = out / "cells" / "cnn" / "seed-0" / "checkpoints" / "last" / "train"
    before = saved_at(loop)
    while process.poll() is None and saved_at(loop) in (None, before):
        time.sleep(0.02)
    time.sleep(draw.uniform(0, 0.5))
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return not ended


@pytest.mark.parametrize(
    ("numerics", "kills"),
    [
        ({}, 3),
        pytest.param(
            {"compile": True},
            2,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(compiled.lacking("cpu") is not None, reason="no compiler"),
            ],
        ),
    ],
    ids=["eager", "compiled"],
)
@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_killed_at_random_resnet20_ends_in_the_same_bits(
    numerics: Mapping[str, Any], kills: int, tmp_path: Path
) -> None:
    given, draw = resnet(**numerics), random.Random(0)
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "killed"
    code, _, told = finish(command(given, undisturbed), seconds=600)
    assert code == 0, told
    assert sum(killed(command(given, out), out, draw) for _ in range(kills)) > 0
    code, _, told = finish(command(given, out), seconds=600)
    assert code == 0, told
    wanted = bits(undisturbed)
    assert len(wanted) == 6
    assert bits(out) == wanted
    record = read_record(out / "cells" / "cnn" / "seed-0")
    assert record is not None
    assert all(stop.bit_equal for stop in record.interruptions)
    assert record.notes == ()
    assert (record.cost.compile_seconds > 0) is bool(numerics)
    # Compiled programs are kept, but never in the folder of a run.
    programs = [p for p in out.rglob("*") if p.suffix in {".so", ".cpp"} or "inductor" in p.name]
    assert programs == []
