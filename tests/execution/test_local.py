"""Stopped, killed or out of disk at any moment: what is left is whole, and a rerun finishes it."""

import json
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.study.tiny import (
    Watch,
    bits,
    cells,
    command,
    finish,
    openings,
    records,
    run,
    start,
    study,
)

from bakeoff.core.errors import DiskError, Interrupted
from bakeoff.core.store import Store
from bakeoff.execution.cells import Cells
from bakeoff.execution.local import run_cells
from bakeoff.execution.signals import Interruptions
from bakeoff.study.study import Study
from bakeoff.study.verify import verify
from bakeoff.techniques.softmax import Softmax

SLOW: dict[str, Any] = {
    "technique": "softmax",
    "training": {"iterations": 20_000, "validate_every": 100, "checkpoint_seconds": 0.2},
}
"""Some seconds of training."""
STEPPED: dict[str, Any] = {
    "technique": "softmax",
    "training": {"iterations": 60, "validate_every": 7, "checkpoint_seconds": 0},
}
"""A checkpoint after every step."""


def soon(happened: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    """Wait until something happened."""
    limit = time.monotonic() + 60
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "nothing happened"
        time.sleep(0.01)


# In this process.


def test_finished_cells_are_read_back(tmp_path: Path) -> None:
    given = cells(study())
    watch = Watch()
    first = run_cells(Cells(given, Store(tmp_path), watcher=watch), Interruptions())
    again = run_cells(Cells(given, Store(tmp_path), watcher=watch), Interruptions())
    assert first.records == again.records
    assert watch.begun == watch.finished == watch.cached == ["majority/seed-0", "softmax/seed-0"]


def test_cells_that_will_wait_for_cores_are_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakeoff.execution.cores.core_count", lambda: 1)
    control = {"technique": "majority", "numerics": {"threads": 2}}
    given, watch = cells(study(control=control)), Watch()
    todo = Cells(given, Store(tmp_path), watcher=watch)
    run_cells(todo, Interruptions())
    (line,) = watch.noted
    assert line.startswith("1 cell at a time, with up to 2 threads each, on 1 core: ")
    run_cells(todo, Interruptions())
    assert len(watch.noted) == 1, "nothing is left to run"


def test_what_a_kill_after_the_commit_left_is_cleared(tmp_path: Path) -> None:
    run(tmp_path)
    folder = next(tmp_path.glob("cells/*/seed-0"))
    (folder / "checkpoints" / "last" / "train").mkdir(parents=True)
    (folder / "checkpoints" / "last" / "train" / "model.safetensors").write_bytes(b"moments")
    run(tmp_path)
    assert not (folder / "checkpoints" / "last").exists()
    assert verify(tmp_path).ok


def test_validation_is_told_of_cells_that_were_finished_before(tmp_path: Path) -> None:
    told: list[str] = []
    given = Cells(cells(study()), Store(tmp_path), before_test=lambda c, _: told.append(c.folder))
    for _ in range(2):
        run_cells(given, Interruptions())
    assert told == ["majority/seed-0", "softmax/seed-0"] * 2


def test_a_signal_between_cells_stops_there(tmp_path: Path) -> None:
    signals, watch = Interruptions(), Watch()
    signals.received = signal.SIGINT
    with pytest.raises(Interrupted) as caught:
        run_cells(Cells(cells(study()), Store(tmp_path), watcher=watch), signals)
    assert caught.value.exit_code == 130
    assert watch.begun == []


def test_a_full_disk_stops_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*_: Any) -> None:
        raise DiskError("cannot write here: No space left on device")

    monkeypatch.setattr(Softmax, "fit", fit)
    given = study(variants={"softmax": SLOW, "knn": {"technique": "knn"}})
    watch = Watch()
    with pytest.raises(DiskError, match="No space left on device"):
        run_cells(Cells(cells(given), Store(tmp_path), watcher=watch), Interruptions())
    assert watch.begun == ["majority/seed-0", "softmax/seed-0"]
    assert watch.failed_ == {}


# As a process of its own.


@pytest.fixture(scope="module")
def slow_bits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the slow study leaves when nothing disturbs it."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    run(out, slow_study())
    return bits(out)


def slow_study() -> Study:
    return study(variants={"slow": SLOW}, margin=None)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_at_a_checkpoint_and_a_rerun_goes_on(
    tmp_path: Path, slow_bits: dict[str, bytes], number: int, code: int
) -> None:
    out = tmp_path / "run"
    last = out / "cells" / "slow" / "seed-0" / "checkpoints" / "last"
    process = start(command(slow_study(), out))
    soon(last.exists, process)
    process.send_signal(number)
    told, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert told == ""
    assert errors.splitlines()[-1] == (
        f"bakeoff: interrupted by signal {int(number)}; run the same command to continue"
    )
    assert "Traceback" not in errors
    before = records(out)
    assert list(before) == ["cells/majority/seed-0/record.json"]
    assert (last / "train" / "state.json").exists()
    run(out, slow_study())
    assert bits(out) == slow_bits
    record = json.loads((out / "cells" / "slow" / "seed-0" / "record.json").read_text())
    assert [stop["bit_equal"] for stop in record["interruptions"]] == [True]
    assert record["interruptions"][0]["step"] > 0
    assert (record["test_opened"], record["cost"]["alone"]) == (1, False)
    assert {name: value for name, value in records(out).items() if name in before} == before
    assert verify(out).ok


def test_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    draw = random.Random(1)
    given = study(
        seeds={"exactly": 3}, margin=None,
        variants={"stepped": STEPPED, "knn": {"technique": "knn"}},
    )  # fmt: skip
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "run"
    code, _, errors = finish(command(given, undisturbed))
    assert code == 0, errors
    places = ("stepped/seed-0/checkpoints/last", "knn/seed-0", "stepped/seed-1", "knn/seed-2")
    done: dict[str, tuple[int, bytes]] = {}
    for place in places:
        process = start(command(given, out))
        soon((out / "cells" / place).exists, process)
        time.sleep(draw.uniform(0, 0.15))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        now = records(out)
        assert {name: now[name] for name in done} == done
        done = now
    assert 0 < len(done) < 9
    code, _, errors = finish(command(given, out))
    assert code == 0, errors
    now = records(out)
    assert {name: now[name] for name in done} == done
    assert bits(out) == bits(undisturbed)
    assert not list(out.rglob("*.partial"))
    assert verify(out).ok


def test_a_second_run_in_one_folder_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = start(command(slow_study(), out))
    soon((out / "cells" / "slow").exists, first)
    code, told, errors = finish(command(slow_study(), out))
    assert code in (1, 2)
    assert told == ""
    assert errors == (
        f"bakeoff: another run is working in {out}; wait for it, or choose another --out\n"
    )
    first.terminate()
    first.communicate(timeout=60)
    assert first.returncode == 143


@pytest.mark.parametrize("limit", [2_000, 30_000])
def test_a_full_disk_is_one_line_and_a_rerun_goes_on(tmp_path: Path, limit: int) -> None:
    given = study(variants={"stepped": STEPPED, "knn": {"technique": "knn"}})
    out = tmp_path / "run"
    code, told, errors = finish(
        command(given, out),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert (code, told) == (1, "")
    (line,) = [line for line in errors.splitlines() if line.startswith("bakeoff: ")]
    assert line.startswith(f"bakeoff: cannot write {out}/")
    assert line.endswith(": File too large")
    assert "Traceback" not in errors
    run(out, given)
    run(tmp_path / "undisturbed", given)
    assert bits(out) == bits(tmp_path / "undisturbed")
    assert verify(out).ok


def test_bad_input_is_told_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for given, out, line in (
        (study(), file / "run", f"{file}/run: cannot be written: "),
        (study(variants={"b": {"model.x": 1}}), tmp_path / "run", "bakeoff: variants.b."),
    ):
        arguments = command(given, tmp_path / "given")
        arguments[arguments.index("--out") + 1] = str(out)
        code, told, errors = finish(arguments)
        assert (code, told) == (2, "")
        assert line in errors
        assert "Traceback" not in errors
    assert openings() == []
