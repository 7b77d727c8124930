"""A cell's phases: run, resumed, read back, timed, and honest about what interruptions changed."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.training.test_guard import Careful
from tests.training.tiny import TinyBatches, TinyStep, bits, make_plan, stopping_at

from bakeoff.core.errors import Interrupted
from bakeoff.core.protocols import Arrays
from bakeoff.core.record import Interruption
from bakeoff.core.streams import Streams
from bakeoff.execution.run import CellRun
from bakeoff.training.observers import Silent


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))


PLAN = make_plan(epochs=2)


def cell_run(
    folder: Path,
    check: Callable[[], None] = lambda: None,
    deterministic: bool = True,
    **fingerprint: Any,
) -> CellRun:
    content = {"numpy": "2", "features": ("avx2", "fma")} | fingerprint
    return CellRun(folder, Streams(0), content, deterministic, Silent(), check)


def fit(run: CellRun, step: TinyStep | None = None) -> TinyStep:
    """Two loops with a solve between them, as a technique would."""
    step = step or TinyStep()
    run.loop("head", step, TinyBatches(), make_plan(epochs=1))
    arrays = run.solve("shift", lambda: {"by": np.array([step.weights.sum()], np.float32)})
    step.weights += np.asarray(arrays["by"])
    run.loop("whole", step, TinyBatches(), make_plan(epochs=2))
    return step


def test_phases_run_once_and_are_read_back(tmp_path: Path) -> None:
    first = cell_run(tmp_path)
    wanted = fit(first)
    assert len(wanted.seen) == 15
    assert [fitted.steps for fitted in first.fitted] == [5, 10]
    assert [(row["phase"], row["step"]) for row in first.rows] == [
        ("head", 5),
        ("whole", 5),
        ("whole", 10),
    ]
    assert first.train_seconds > 0
    assert first.warm_up_seconds > 0
    again = cell_run(tmp_path)
    step = fit(again)
    assert step.seen == []
    assert bits(step.state()) == bits(wanted.state())
    assert (again.fitted, again.rows) == (first.fitted, first.rows)
    assert again.train_seconds == pytest.approx(first.train_seconds)
    assert again.interruptions == []


def test_what_steps_did_to_go_on_is_kept(tmp_path: Path) -> None:
    for run in (cell_run(tmp_path), cell_run(tmp_path)):  # run, and read back
        run.loop("train", Careful(poison={7: "loss"}, compile_seconds=2.0), TinyBatches(), PLAN)
        assert [note.partition(":")[0] for note in run.notes] == [
            "numbers were not finite by update 10"
        ]
        assert run.compile_seconds == 2.0
        assert run.train_seconds > 2.0


def test_the_greatest_memory_of_an_optimiser_is_kept(tmp_path: Path) -> None:
    class Heavy(TinyStep):
        def __init__(self, optimiser_bytes: int) -> None:
            super().__init__()
            self.optimiser_bytes = optimiser_bytes

    run = cell_run(tmp_path)
    run.loop("plain", TinyStep(), TinyBatches(), PLAN)
    assert run.optimiser_bytes is None
    for phase, size in (("first", 0), ("second", 800), ("third", 12)):
        run.loop(phase, Heavy(size), TinyBatches(), PLAN)
    assert run.optimiser_bytes == 800


def test_phases_lie_below_the_folder_of_unfinished_work(tmp_path: Path) -> None:
    fit(cell_run(tmp_path))
    last = tmp_path / "checkpoints" / "last"
    assert sorted(p.name for p in last.iterdir()) == ["head", "shift.safetensors", "whole"]


@pytest.mark.parametrize("at", [1, 4, 5, 6, 7, 8, 15, 16])
def test_interruptions_in_any_phase_change_no_bit(at: int, tmp_path: Path) -> None:
    wanted = fit(cell_run(tmp_path / "unbroken"))
    with pytest.raises(Interrupted):
        fit(cell_run(tmp_path / "cut", stopping_at(at)))
    resumed = cell_run(tmp_path / "cut")
    assert bits(fit(resumed).state()) == bits(wanted.state())
    # The sixth check comes before the solve: between two phases nothing was interrupted.
    phase, step = ("head", at) if at < 6 else ("whole", at - 6)
    expected = [Interruption(phase=phase, step=step, bit_equal=True)] if at != 6 else []
    assert resumed.interruptions == expected


def test_every_interruption_is_told_also_by_the_last_process(tmp_path: Path) -> None:
    for threads, stop in ((1, 2), (1, 2), (4, 4), (4, 5)):
        with pytest.raises(Interrupted):
            fit(cell_run(tmp_path, stopping_at(stop), threads=threads))
    # Updates of "head": 2 and 2 with one thread, 1 with four; then, the solve's own check apart,
    # 2 and 4 of "whole".
    last = cell_run(tmp_path, threads=4)
    fit(last)
    why = "threads: 1 became 4"
    assert last.interruptions == [
        Interruption(phase="head", step=2, bit_equal=True),
        Interruption(phase="head", step=4, bit_equal=False, why=why),
        Interruption(phase="whole", step=2, bit_equal=True),
        Interruption(phase="whole", step=6, bit_equal=True),
    ]


def test_a_phase_finished_under_another_fingerprint_is_told(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        fit(cell_run(tmp_path, stopping_at(6), threads=1, blas="openblas"))
    last = cell_run(tmp_path, threads=4, gpu="none")
    fit(last)
    why = "blas: openblas became None; gpu: None became none; threads: 1 became 4"
    assert last.interruptions == [Interruption(phase="head", step=5, bit_equal=False, why=why)]


def test_numerics_that_are_not_deterministic_promise_nothing(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        fit(cell_run(tmp_path, stopping_at(2), deterministic=False))
    last = cell_run(tmp_path, deterministic=False)
    fit(last)
    why = "numerics.deterministic is false"
    assert last.interruptions == [Interruption(phase="head", step=2, bit_equal=False, why=why)]


def test_two_phases_of_one_name_are_refused(tmp_path: Path) -> None:
    run = cell_run(tmp_path)
    run.loop("train", TinyStep(), TinyBatches(), make_plan(epochs=1))
    with pytest.raises(ValueError, match="one phase 'train', asked for twice"):
        run.loop("train", TinyStep(), TinyBatches(), make_plan(epochs=1))
    with pytest.raises(ValueError, match="asked for twice"):
        run.solve("train", dict)


def test_solves_with_a_key_are_shared_between_cells(tmp_path: Path) -> None:
    count = 0

    def compute() -> Arrays:
        nonlocal count
        count += 1
        return {"features": np.arange(4)}

    for name in ("a", "b"):
        run = cell_run(tmp_path / name)
        for share in ("0123abcd", None):
            arrays = run.solve(f"features {share}", compute, share)
            assert arrays["features"].tolist() == [0, 1, 2, 3]
        assert run.train_seconds > 0
    assert count == 3
    assert (tmp_path / "cache" / "arrays" / "01" / "0123abcd.safetensors").exists()


def test_rows_are_shared_between_cells_item_by_item(tmp_path: Path) -> None:
    computed: list[int] = []

    def compute(at: NDArray[np.intp]) -> NDArray[np.intp]:
        computed.append(len(at))
        return at * 10

    for name, count in (("a", 4), ("b", 6), ("c", 6)):
        run = cell_run(tmp_path / name)
        digests = np.arange(count, dtype=np.uint64) + 7
        rows = run.solve_rows("vectors", digests, compute, "0123abcd")
        # What "b" computes is the rows of its fifth and sixth item.
        assert rows.tolist() == [10 * i for i in range(count)]
        assert run.train_seconds == run.solve_seconds["vectors"] > 0
        with pytest.raises(ValueError, match="asked for twice"):
            run.solve_rows("vectors", digests, compute, "0123abcd")
    assert computed == [4, 2]
    assert len(list((tmp_path / "cache" / "rows" / "01" / "0123abcd").iterdir())) == 2


def test_the_seconds_of_solves_are_told_apart(tmp_path: Path) -> None:
    run = cell_run(tmp_path)
    fit(run)
    assert list(run.solve_seconds) == ["shift"]
    assert 0 < run.solve_seconds["shift"] < run.train_seconds
    again = cell_run(tmp_path)
    fit(again)
    assert again.solve_seconds == run.solve_seconds


# What is read back is a price only where it was one, here.


def computed() -> Arrays:
    return {"features": np.arange(4)}


def solved(folder: Path, sharing: bool = False, **fingerprint: Any) -> CellRun:
    content = {"processor": "one", "cores": 2, "threads": 1} | fingerprint
    run = CellRun(folder, Streams(0), content, True, Silent(), lambda: None, sharing)
    run.solve("features", computed, "0123abcd")
    return run


def test_seconds_measured_alone_are_a_price_for_other_cells(tmp_path: Path) -> None:
    assert solved(tmp_path / "a").alone  # too short a time says nothing
    assert solved(tmp_path / "b", python="other").alone


@pytest.mark.parametrize("other", [{"processor": "two"}, {"cores": 4}, {"threads": 2}])
def test_seconds_of_another_machine_are_no_price(tmp_path: Path, other: dict[str, Any]) -> None:
    first = solved(tmp_path / "a")
    again = solved(tmp_path / "b", **other)
    assert again.train_seconds == first.train_seconds
    assert not again.alone
    assert solved(tmp_path / "c").alone


def test_seconds_of_cells_that_ran_together_are_no_price_for_any(tmp_path: Path) -> None:
    assert not solved(tmp_path / "a", sharing=True).alone
    assert not solved(tmp_path / "b").alone


def test_seconds_beside_other_work_are_no_price_for_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakeoff.execution.run.Company", lambda: SimpleNamespace(alone=bool))
    assert not solved(tmp_path / "a").alone
    monkeypatch.undo()
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    assert not solved(tmp_path / "b").alone


def test_rows_are_a_price_where_all_of_them_are(tmp_path: Path) -> None:
    def asked(name: str, count: int, sharing: bool = False) -> bool:
        run = CellRun(tmp_path / name, Streams(0), {}, True, Silent(), lambda: None, sharing)
        digests = np.arange(count, dtype=np.uint64)
        run.solve_rows("vectors", digests, lambda at: at * 10, "0123abcd")
        return run.alone

    assert asked("none", 0)
    assert asked("a", 4)
    assert not asked("b", 6, sharing=True)
    assert not asked("c", 6)
    assert asked("d", 3), "those that were computed alone"
