"""Several cells at once: the same bits, and workers that die."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.study.tiny import FAILING, QUICK, Watch, bits, cells, command, run, start, study

from bakeoff.core.errors import DiskError, Interrupted
from bakeoff.core.store import Store
from bakeoff.execution.cells import Cells, Outcome
from bakeoff.execution.signals import Interruptions
from bakeoff.execution.workers import START, Crew, message, run_in_workers
from bakeoff.study.study import Study

LONG: dict[str, Any] = {
    "technique": "softmax",
    "training": {"iterations": 10_000_000, "validate_every": 1000, "checkpoint_seconds": 0.1},
}
"""Never ends."""


def several() -> Study:
    mlp = {"technique": "mlp", "model": {"hidden": [8]}, "training": {"epochs": 1}}
    variants = {
        "softmax": QUICK,
        "encoded": {"technique": "knn", "encoder": {"recipe": "mlp"}},
        "mlp": mlp,
    }
    return study(seeds={"exactly": 3}, margin=None, variants=variants)


def workers(of: int | None = None) -> list[psutil.Process]:
    """The worker processes of a process, by default of this one."""
    return [child for child in psutil.Process(of).children() if _works(child)]


def _works(process: psutil.Process) -> bool:
    try:
        running = process.status() != psutil.STATUS_ZOMBIE
        return running and "workers" in " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return False


def soon(happened: Callable[[], object]) -> None:
    limit = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < limit, "nothing happened"
        time.sleep(0.02)


def meanwhile(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_two_jobs_leave_the_bits_of_one_and_no_price(tmp_path: Path) -> None:
    one = run(tmp_path / "one", several()).results
    watch = Watch()
    finished = run(tmp_path / "two", several(), jobs=2, watcher=watch)
    two = finished.results
    assert not finished.failures
    assert sorted(watch.finished) == sorted(watch.begun)
    assert len(watch.begun) == 12
    assert bits(tmp_path / "one") == bits(tmp_path / "two")
    assert two["margin"] == one["margin"]
    for name in ("softmax", "mlp", "encoded"):
        assert one["recipes"][name]["keys"] == two["recipes"][name]["keys"]
        assert not two["recipes"][name]["cost"]["alone"]
    assert [v["cost_ratio"] for v in two["verdicts"]] == [None] * len(two["verdicts"])
    assert not two["costs_alone"]
    numbers = ("difference", "ci95", "p_value", "outcome")
    for mine, theirs in zip(one["verdicts"], two["verdicts"], strict=True):
        assert [mine[n] for n in numbers] == [theirs[n] for n in numbers]
    record = json.loads((tmp_path / "two/cells/encoded/seed-1/record.json").read_text())
    assert record["cost"]["upstream_seconds"] > 0
    assert workers() == []


def test_a_killed_worker_is_a_failed_cell_and_is_replaced(tmp_path: Path) -> None:
    variants = {"long": LONG, "softmax": QUICK}
    given = cells(study(seeds={"exactly": 2}, variants=variants), [0, 1])
    long = [cell for cell in given if cell.recipe.name == "long"]
    order = [*long, *(cell for cell in given if cell not in long)]

    def kill_both() -> None:
        soon(lambda: all(list(tmp_path.glob(f"cells/{c.folder}/checkpoints/last")) for c in long))
        for worker in workers():
            worker.kill()

    thread = meanwhile(kill_both)
    outcome, watch = Outcome(), Watch()
    todo = Cells(order, Store(tmp_path), jobs=2, watcher=watch)
    run_in_workers(todo, outcome, Interruptions())
    thread.join()
    killed = "its worker process was killed by signal 9"
    assert watch.failed_ == {"long/seed-0": killed, "long/seed-1": killed}
    assert set(outcome.failures) == {cell.key for cell in long}
    assert sorted(watch.finished) == [
        *("majority/seed-0", "majority/seed-1", "softmax/seed-0", "softmax/seed-1"),
    ]
    assert workers() == []


def test_a_signal_stops_all_workers_at_checkpoints(tmp_path: Path) -> None:
    given = cells(study(variants={"long": LONG}), [0, 1])
    long = [cell for cell in given if cell.recipe.name == "long"]
    signals = Interruptions()

    def interrupt() -> None:
        soon(lambda: all(list(tmp_path.glob(f"cells/{c.folder}/checkpoints/last")) for c in long))
        signals.received = signal.SIGTERM

    thread = meanwhile(interrupt)
    with pytest.raises(Interrupted) as caught:
        run_in_workers(Cells(long, Store(tmp_path), jobs=2), Outcome(), signals)
    thread.join()
    assert caught.value.exit_code == 143
    assert workers() == []
    for cell in long:
        state = tmp_path / "cells" / cell.folder / "checkpoints" / "last" / "train" / "state.json"
        assert json.loads(state.read_text())["progress"]["step"] > 0
        assert not (tmp_path / "cells" / cell.folder / "record.json").exists()


def test_workers_stop_when_their_parent_dies(tmp_path: Path) -> None:
    out = tmp_path / "run"
    given = study(control=LONG, variants={"other": {"training.l2": 0.5}})
    parent = start(command(given, out, "--jobs", "2"))
    soon(lambda: len(list(out.glob("cells/*/*/checkpoints/last"))) == 2)
    left = workers(parent.pid)
    assert len(left) == 2
    if sys.platform == "linux":
        left[0].suspend()  # what hangs in a step of its own must not go on writing either
    parent.kill()
    parent.communicate()
    gone, alive = psutil.wait_procs(left, timeout=20)
    assert len(gone) == 2
    assert alive == []


def test_a_worker_whose_parent_is_another_takes_no_cell(tmp_path: Path) -> None:
    given = cells(study())
    todo = Cells(given, Store(tmp_path), jobs=2)
    arguments = [sys.executable, "-c", START, json.dumps(sys.path), "1"]
    worker = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = json.dumps(message(todo, Outcome(), given[0])) + "\n"
    told, _ = worker.communicate(line, timeout=60)
    assert json.loads(told) == {"interrupted": signal.SIGTERM}
    assert not (tmp_path / "cells").exists()


def test_a_crash_in_a_worker_is_told(tmp_path: Path) -> None:
    given = cells(study(variants={"patches": FAILING, "softmax": QUICK}))
    outcome, watch = Outcome(), Watch()
    run_in_workers(Cells(given, Store(tmp_path), jobs=2, watcher=watch), outcome, Interruptions())
    told = "features.patches: 4 received (allowed: at least 8, the atoms)"
    assert watch.failed_ == {"patches/seed-0": told}
    assert "Traceback" in (tmp_path / "cells" / "patches" / "seed-0" / "failure.txt").read_text()
    assert sorted(watch.finished) == ["majority/seed-0", "softmax/seed-0"]


def test_what_needs_a_failed_cell_fails(tmp_path: Path) -> None:
    variants = {
        "first": FAILING,
        "second": {
            "technique": "probe",
            "encoder": {"recipe": "first"},
            "classifier": {"name": "network-b"},
        },
        "third": {"technique": "knn", "encoder": {"recipe": "second"}},
    }
    watch = Watch()
    given = cells(study(variants=variants))
    run_in_workers(Cells(given, Store(tmp_path), jobs=2, watcher=watch), Outcome(), Interruptions())
    assert watch.failed_["second/seed-0"] == "its input first failed"
    assert watch.failed_["third/seed-0"] == "its input second failed"


def test_a_worker_that_cannot_write_stops_all(tmp_path: Path) -> None:
    (tmp_path / "splits").write_text("in the way")
    with pytest.raises(DiskError, match=f"cannot write {tmp_path}/splits/"):
        run_in_workers(Cells(cells(study()), Store(tmp_path), jobs=2), Outcome(), Interruptions())
    assert workers() == []


def test_a_worker_that_cannot_start_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    watch = Watch()
    todo = Cells(cells(study()), Store(tmp_path), jobs=2, watcher=watch)
    run_in_workers(todo, Outcome(), Interruptions())
    ended = "its worker process ended with exit code 1"
    assert watch.failed_ == {"majority/seed-0": ended, "softmax/seed-0": ended}


def test_an_idle_worker_that_died_is_not_given_a_cell(tmp_path: Path) -> None:
    given = cells(study())
    outcome = Outcome()
    todo = Cells(given, Store(tmp_path), jobs=1)
    with Crew(1) as crew:
        for cell in given:
            crew.hand(cell, message(todo, outcome, cell))
            answers: list[Any] = []
            while not answers:
                answers = crew.answers(0.1)
            assert answers == [(cell, {"done": cell.key})]
            for worker in workers():
                worker.kill()
            soon(lambda: all(p.status() == "zombie" for p in psutil.Process().children()))
