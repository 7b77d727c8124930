"""The one loop: its updates, rows and selected weights, and what interruptions must not change."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.training.tiny import (
    PER_EPOCH,
    TASK,
    TRAIN,
    Killed,
    Poison,
    ScriptedStep,
    TinyBatches,
    TinyStep,
    bits,
    make_plan,
    read_strictly,
    stopping_at,
    validation,
    without_seconds,
)

from bakeoff.core.errors import DiskError, InputError, Interrupted
from bakeoff.core.protocols import Batch, Fitted, Position, Value
from bakeoff.training import checkpoint, loop
from bakeoff.training.checkpoint import Progress
from bakeoff.training.loop import Surroundings, run_loop
from bakeoff.training.observers import Silent


def scripted(right: list[int], **settings: Any) -> tuple[ScriptedStep, Fitted, Progress]:
    """Validate after every update, with these numbers of right answers out of 30."""
    step = ScriptedStep(right)
    plan = make_plan(iterations=len(right), validate_every=1, **settings)
    return step, *run_loop(step, TinyBatches(), plan)


# Updates


def test_without_validation_the_training_loss_stops_and_the_last_weights_stay() -> None:
    whole, alone = TinyStep(), TinyStep()
    run_loop(whole, TinyBatches(), make_plan(epochs=4, restore_best=False))
    patience = {"rule": "patience", "on": "loss", "window": 2, "tolerance": 1e-3}
    blind = replace(make_plan(epochs=4), validation=None)
    fitted, progress = run_loop(alone, TinyBatches(), blind)
    assert (fitted.steps, fitted.selected_step) == (20, 20)
    assert bits(alone.state()) == bits(whole.state())
    assert all(not any(key.startswith("validation") for key in row) for row in progress.rows)

    settled = replace(make_plan(epochs=500, stopping=patience), validation=None)
    fitted, progress = run_loop(TinyStep(), TinyBatches(), settled)
    losses = [row["train/loss"] for row in progress.rows]
    assert fitted.stopped_by == "stopping rule"
    assert fitted.selected_step == fitted.steps < 2500
    assert min(losses[-2:]) >= min(losses[:-2]) - 1e-3


def test_divergence_without_validation_falls_back_to_the_epoch_before() -> None:
    poisons: list[tuple[int, Poison]] = [(7, "loss"), (9, "weights")]
    for update, poison in poisons:  # weights of an epoch's last update
        step = TinyStep(poison={update: poison})
        fitted, progress = run_loop(step, TinyBatches(), replace(make_plan(), validation=None))
        assert (fitted.diverged_at, fitted.selected_step) == (10, 5)
        assert len(progress.rows) == 1
        assert np.isfinite(step.weights).all()


def test_epochs_are_passes_and_iterations_are_updates() -> None:
    for settings, count in (({"epochs": 3}, 15), ({"iterations": 7}, 7), ({"iterations": 5}, 5)):
        step, batches = TinyStep(), TinyBatches()
        fitted, progress = run_loop(step, batches, make_plan(**settings))
        assert [at.step for at in step.seen] == list(range(count))
        assert [at.epoch for at in step.seen] == [i // PER_EPOCH for i in range(count)]
        assert batches.given == [(epoch, 0) for epoch in range(-(-count // PER_EPOCH))]
        assert fitted.steps == progress.step == count
        assert step.updates <= count


def test_every_update_gets_its_learning_rate() -> None:
    step = TinyStep()
    plan = make_plan(epochs=3, schedule="one-cycle")
    _, progress = run_loop(step, TinyBatches(), plan)
    assert [at.learning_rate for at in step.seen] == [plan.learning_rate(i) for i in range(15)]
    assert [row["learning_rate"] for row in progress.rows] == [
        plan.learning_rate(i) for i in (4, 9, 14)
    ]


def test_parts_are_passed_to_steps_that_can_be_cut() -> None:
    step = TinyStep(splittable=True)
    run_loop(step, TinyBatches(), make_plan(accumulate=4))
    assert {at.parts for at in step.seen} == {4}


def test_parts_are_refused_for_steps_that_cannot_be_cut() -> None:
    step = TinyStep(splittable=False)
    with pytest.raises(InputError, match=r"training\.accumulate: 4 received.*\(allowed: 1\)"):
        run_loop(step, TinyBatches(), make_plan(accumulate=4))
    assert not step.seen


def test_random_sampling_is_a_function_of_the_epoch() -> None:
    weights = []
    orders: list[Literal["shuffle", "random"]] = ["random", "random", "shuffle"]
    for sampling in orders:
        step = TinyStep()
        run_loop(step, TinyBatches(sampling), make_plan(restore_best=False))
        weights.append(step.weights)
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


# Validations


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"epochs": 3}, [5, 10, 15]),
        ({"epochs": 2, "validate_every": 4}, [4, 8, 10]),
        ({"epochs": 1, "validate_every": 99}, [5]),
        ({"iterations": 3, "validate_every": 1}, [1, 2, 3]),
        ({"iterations": 7}, [5, 7]),
    ],
)
def test_it_validates_when_told_and_at_the_end(settings: dict[str, Any], steps: list[int]) -> None:
    _, progress = run_loop(TinyStep(), TinyBatches(), make_plan(**settings))
    assert [row["step"] for row in progress.rows] == steps
    assert [row["epoch"] for row in progress.rows] == [(s - 1) // PER_EPOCH + 1 for s in steps]


class Noting(TinyStep):
    """Notes what its updates returned."""

    def __call__(self, batch: Batch, at: Position) -> Mapping[str, Value]:
        sums = super().__call__(batch, at)
        self.noted = [*getattr(self, "noted", []), sums]
        return sums


def test_rows_hold_the_training_sums_since_the_last_one_and_every_metric() -> None:
    step = Noting()
    plan = make_plan(epochs=2, validate_every=4, restore_best=False)
    _, progress = run_loop(step, TinyBatches(), plan)
    for row, (start, stop) in zip(progress.rows, [(0, 4), (4, 8), (8, 10)], strict=True):
        part = step.noted[start:stop]
        count = sum(sums["count"] for sums in part)
        assert row["train/loss"] == pytest.approx(sum(s["loss"] for s in part) / count)
        assert row["train/accuracy"] == sum(s["correct"] for s in part) / count
        assert row["phase"] == "train"
        assert row["seconds"] >= 0
    batches = list(validation())
    labels = np.concatenate([batch.labels for batch in batches])
    scores = TASK.score(labels, np.concatenate([step.evaluate(batch) for batch in batches]))
    last = {k: v for k, v in progress.rows[-1].items() if k.startswith("validation/")}
    assert last == {f"validation/{name}": value for name, value in scores.items()}


# Selection


@pytest.mark.parametrize(
    ("right", "settings", "selected"),
    [
        ([10, 20, 15], {}, 2),
        ([20, 15, 10], {}, 1),
        ([10, 15, 20], {}, 3),
        ([10, 20, 20, 20], {}, 2),  # of equals the first
        ([10, 20, 15], {"select": "log_loss"}, 2),  # here less is better
        ([10, 20, 15], {"restore_best": False}, 3),
        ([20, 15, 10], {"restore_best": False, "select": "log_loss"}, 3),
    ],
)
def test_the_best_weights_are_restored_or_the_last_kept(
    right: list[int], settings: dict[str, Any], selected: int
) -> None:
    step, fitted, _ = scripted(right, **settings)
    assert (fitted.steps, fitted.selected_step, step.updates) == (len(right), selected, selected)
    assert fitted == Fitted(len(right), selected, None, None)


def test_a_stopping_rule_ends_the_loop() -> None:
    rule = {"rule": "patience", "window": 2}
    step, fitted, progress = scripted([10, 20, 15, 18, 30, 30], stopping=rule)
    assert fitted == Fitted(4, 2, None, "stopping rule")
    assert len(progress.rows) == 4
    assert step.updates == 2
    step, fitted, _ = scripted([10, 20, 15, 18, 30], stopping=rule, restore_best=False)
    assert (fitted.steps, fitted.selected_step, step.updates) == (4, 4, 4)


def test_stopping_may_look_at_the_loss() -> None:
    rule = {"rule": "first-degradation", "on": "loss"}
    assert scripted([10, 20, 15], stopping=rule, select="f1_macro")[1].steps == 3
    assert scripted([20, 15, 30], stopping=rule)[1].steps == 2


# What is finished, damaged or cannot be written


class Refusing(TinyStep):
    """Must not be asked for anything but its state."""

    def __call__(self, batch: Batch, at: Position) -> Mapping[str, Value]:
        raise AssertionError("a step")

    def evaluate(self, batch: Batch) -> NDArray[np.float32]:
        raise AssertionError("an evaluation")


class Watching(Silent):
    """Notes what it is told, and spoils what it is given."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def begin(self, phase: str, steps: int, done: int) -> None:
        self.told.append(("begin", phase, steps, done))

    def progress(self, step: int, sums: dict[str, float]) -> None:
        self.told.append(("progress", step, dict(sums)))
        sums.clear()

    def row(self, row: dict[str, Any]) -> None:
        self.told.append(("row", row["step"]))
        row.clear()

    def end(self) -> None:
        self.told.append(("end",))


def test_a_finished_phase_is_read_back_without_a_step(tmp_path: Path) -> None:
    rule = {"rule": "patience", "window": 1}
    step, plan = TinyStep(), make_plan(epochs=9, stopping=rule)
    fitted, progress = run_loop(step, TinyBatches(), plan, Surroundings(tmp_path / "train"))
    assert fitted.stopped_by
    watching, again = Watching(), Refusing(seed=7)
    where = Surroundings(tmp_path / "train", observer=watching, fingerprint={"other": 1})
    plan = make_plan(epochs=9, stopping=rule)
    assert run_loop(again, TinyBatches(), plan, where) == (fitted, progress)
    assert np.array_equal(again.weights, step.weights)
    assert watching.told == []
    assert progress.stops == []


def test_a_damaged_checkpoint_starts_anew(tmp_path: Path) -> None:
    wanted = TinyStep()
    run_loop(wanted, TinyBatches(), make_plan())
    with pytest.raises(Interrupted):
        run_loop(
            TinyStep(), TinyBatches(), make_plan(), Surroundings(tmp_path, check=stopping_at(7))
        )
    path = tmp_path / checkpoint.STATE
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    step = TinyStep()
    fitted, progress = run_loop(step, TinyBatches(), make_plan(), Surroundings(tmp_path))
    assert len(step.seen) == fitted.steps == 15
    assert progress.stops == []
    assert np.array_equal(step.weights, wanted.weights)


def test_a_full_disk_ends_the_loop_and_the_last_checkpoint_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = TinyStep()
    run_loop(wanted, TinyBatches(), make_plan())
    real, count = checkpoint.save, itertools.count(1)

    def filling(*arguments: Any) -> None:
        if next(count) > 6:
            raise DiskError("cannot write it: No space left on device")
        real(*arguments)

    watching = Watching()
    where = Surroundings(tmp_path / "train", observer=watching)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", filling)
        with pytest.raises(DiskError, match="No space left"):
            run_loop(TinyStep(), TinyBatches(), make_plan(checkpoint_seconds=0), where)
    assert watching.told[-1] == ("end",)
    step = TinyStep(seed=9)
    run_loop(step, TinyBatches(), make_plan(), Surroundings(tmp_path / "train"))
    assert step.seen[0].step == 6
    assert np.array_equal(step.weights, wanted.weights)


# Observers


def test_observers_see_whole_states_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = TinyStep()
    _, unwatched = run_loop(wanted, TinyBatches(), make_plan(epochs=2, validate_every=4))
    monkeypatch.setattr(loop, "TICK_SECONDS", -1.0)
    step, watching = TinyStep(), Watching()
    where = Surroundings(phase="second", observer=watching)
    _, progress = run_loop(step, TinyBatches(), make_plan(epochs=2, validate_every=4), where)
    assert np.array_equal(step.weights, wanted.weights)
    assert [row["train/loss"] for row in progress.rows] == [
        row["train/loss"] for row in unwatched.rows
    ]
    seen = [told[:2] for told in watching.told]
    rows = {4: ("row", 4), 8: ("row", 8), 10: ("row", 10)}
    expected: list[tuple[Any, ...]] = [("begin", "second")]
    for number in range(1, 11):
        expected += [rows[number]] if number in rows else []
        expected.append(("progress", number))
    assert seen == [*expected, ("end",)]
    # Sums are those of whole batches since the last validation; the fifth batch has 8 examples.
    counts = {told[1]: told[2].get("count", 0) for told in watching.told if told[0] == "progress"}
    assert counts == {1: 10, 2: 20, 3: 30, 4: 0, 5: 8, 6: 18, 7: 28, 8: 0, 9: 10, 10: 0}
    assert watching.told[0] == ("begin", "second", 10, 0)


def test_observers_are_asked_rarely() -> None:
    watching = Watching()
    run_loop(TinyStep(), TinyBatches(), make_plan(epochs=40), Surroundings(observer=watching))
    ticks = [told for told in watching.told if told[0] == "progress"]
    assert len(ticks) < 20


class Late:
    """A number that is still on its way: waiting for it is counted."""

    waits = 0

    def __init__(self, value: float) -> None:
        self.value = value

    def __add__(self, other: "Late") -> "Late":
        return Late(self.value + other.value)

    def __float__(self) -> float:
        Late.waits += 1
        return float(self.value)


class OnDevice(TinyStep):
    def __call__(self, batch: Batch, at: Position) -> Mapping[str, Value]:
        return {name: Late(value) for name, value in super().__call__(batch, at).items()}


def test_no_update_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TICK_SECONDS", 1e9)
    monkeypatch.setattr(Late, "waits", 0)
    epochs = 40
    _, progress = run_loop(OnDevice(), TinyBatches(), make_plan(epochs=epochs))
    # Three sums: after the first update, which is booked apart, and at each validation.
    assert Late.waits == 3 * (1 + epochs)
    assert progress.rows[0]["train/accuracy"] * TRAIN == pytest.approx(
        round(progress.rows[0]["train/accuracy"] * TRAIN)
    )


# Time


class Clock:
    """Time that passes only where it is told to."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_seconds_are_of_training_and_validating_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    class Slow(TinyStep):
        def __call__(self, batch: Batch, at: Position) -> Mapping[str, Value]:
            clock.now += 100 if not self.seen else 1
            return super().__call__(batch, at)

        def evaluate(self, batch: Batch) -> NDArray[np.float32]:
            clock.now += 10
            return super().evaluate(batch)

    real = checkpoint.save

    def slow_save(*arguments: Any) -> None:
        clock.now += 1000
        real(*arguments)

    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    monkeypatch.setattr(checkpoint, "save", slow_save)
    plan = make_plan(epochs=2, checkpoint_seconds=2.5)
    _, progress = run_loop(Slow(), TinyBatches(), plan, Surroundings(tmp_path / "whole"))
    # Two validations of two batches.
    assert (progress.warm_up_seconds, progress.train_seconds) == (100, 9 + 40)
    assert [row["seconds"] for row in progress.rows] == [4 + 20, 9 + 40]
    where = Surroundings(tmp_path / "cut", check=stopping_at(7))
    with pytest.raises(Interrupted):
        run_loop(Slow(), TinyBatches(), plan, where)
    _, progress = run_loop(Slow(), TinyBatches(), plan, Surroundings(tmp_path / "cut"))
    # The first update of either process is booked apart.
    assert (progress.warm_up_seconds, progress.train_seconds) == (200, 8 + 40)


@pytest.mark.parametrize(("seconds", "taken", "pause"), [(5, 0, 5), (5, 1, 20), (0, 1, 0)])
def test_checkpoints_that_take_long_are_fewer(
    seconds: float, taken: float, pause: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, saved = Clock(), []

    class Slow(TinyStep):
        def __call__(self, batch: Batch, at: Position) -> Mapping[str, Value]:
            clock.now += 1
            return super().__call__(batch, at)

    def save(*arguments: Any) -> None:
        saved.append(clock.now)
        clock.now += taken

    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    monkeypatch.setattr(checkpoint, "save", save)
    plan = make_plan(epochs=20, checkpoint_seconds=seconds)
    run_loop(Slow(), TinyBatches(), plan, Surroundings(tmp_path))
    # The first is not known to take long; the last one ends the loop.
    between = np.diff(saved[:-1]) - taken
    assert len(between) > 3
    assert between.tolist() == [pause + 1] * len(between)


# Interruptions


class Single(TinyStep):
    """Its sums are of single precision, as those on a device."""

    def __call__(self, batch: Batch, at: Position) -> Mapping[str, Value]:
        return {name: np.float32(value) for name, value in super().__call__(batch, at).items()}


def everything(step: TinyStep, ran: tuple[Fitted, Progress]) -> tuple[Any, ...]:
    """All that an interruption must not change."""
    fitted, progress = ran
    kept = {k: v for k, v in vars(progress).items() if "seconds" not in k}
    kept |= {"rows": without_seconds(progress.rows), "stops": None, "fingerprint": None}
    return bits(step.state()), fitted, kept


VARIANTS = [
    {"checkpoint_seconds": seconds, "validate_every": every, "stopping": rule, "restore_best": best}
    for seconds in (0, 1e9)
    for every in (None, 3)
    for rule in (None, {"rule": "patience", "window": 1})
    for best in (True, False)
]


@pytest.mark.parametrize(
    ("settings", "sampling"),
    [*((settings, "shuffle") for settings in VARIANTS), (VARIANTS[0], "random")],
)
def test_an_interruption_at_any_step_changes_no_bit(
    settings: dict[str, Any], sampling: Any, tmp_path: Path
) -> None:
    def run(step: TinyStep, where: Surroundings) -> tuple[Any, ...]:
        plan = make_plan(iterations=8, schedule="cosine", **settings)
        return everything(step, run_loop(step, TinyBatches(sampling), plan, where))

    step = Single()
    wanted = run(step, Surroundings())
    checks = len(step.seen) - (wanted[1].stopped_by is not None)
    assert checks > 4
    for at in range(1, checks + 1):
        folder = tmp_path / f"interrupted-{at}"
        with pytest.raises(Interrupted):
            run(Single(), Surroundings(folder, check=stopping_at(at)))
        read_strictly(folder)
        resumed = Single(seed=99)  # what it holds at first must not matter
        assert run(resumed, Surroundings(folder)) == wanted, at
        # Nothing was trained twice; a loop cut short by divergence has its own test.
        assert [position.step for position in resumed.seen] == list(range(at, len(step.seen)))


def test_many_interruptions_change_no_bit(tmp_path: Path) -> None:
    step, plan = TinyStep(), make_plan(epochs=3, validate_every=4)
    wanted = everything(step, run_loop(step, TinyBatches(), plan))
    for stop in itertools.count(1):
        resumed = TinyStep(seed=99 if stop > 1 else 0)
        where = Surroundings(tmp_path / "train", check=stopping_at(2), fingerprint={"stop": stop})
        try:
            fitted, progress = run_loop(resumed, TinyBatches(), plan, where)
        except Interrupted:
            continue
        assert everything(resumed, (fitted, progress)) == wanted
        # Where it went on, and what the bits until there were computed with.
        assert progress.stops == [
            {"step": 2 * number, "fingerprint": {"stop": number}} for number in range(1, stop)
        ]
        assert progress.fingerprint == {"stop": stop}
        assert stop == 8
        return


@pytest.mark.parametrize("at", range(1, 11))
def test_a_kill_at_any_step_changes_no_bit(at: int, tmp_path: Path) -> None:
    settings = {"epochs": 2, "validate_every": 3, "checkpoint_seconds": 0}
    step = TinyStep()
    wanted = everything(step, run_loop(step, TinyBatches(), make_plan(**settings)))
    check = stopping_at(at, error=Killed())
    with pytest.raises(Killed):
        run_loop(
            TinyStep(), TinyBatches(), make_plan(**settings), Surroundings(tmp_path, check=check)
        )
    resumed = TinyStep(seed=99)
    ran = run_loop(resumed, TinyBatches(), make_plan(**settings), Surroundings(tmp_path))
    assert everything(resumed, ran) == wanted
    assert len(resumed.seen) == 10 - at


# Divergence


@pytest.mark.parametrize("poison", ["loss", "infinite loss", "weights"])
@pytest.mark.parametrize("seconds", [0, 1e9])
@pytest.mark.parametrize(
    ("at", "seen_at", "selected"), [(0, 4, 0), (3, 4, 0), (4, 8, 4), (6, 8, 4), (8, 10, 8)]
)
def test_divergence_ends_the_loop_with_the_weights_before_it(
    poison: Poison, seconds: float, at: int, seen_at: int, selected: int, tmp_path: Path
) -> None:
    settings = {"epochs": 2, "validate_every": 4, "checkpoint_seconds": seconds}
    plan = make_plan(restore_best=False, **settings)
    step = TinyStep(poison={at: poison})
    where = Surroundings(tmp_path / "train")
    fitted, progress = run_loop(step, TinyBatches(), plan, where)
    assert fitted == Fitted(seen_at, selected, diverged_at=seen_at)
    assert [row["step"] for row in progress.rows] == [s for s in (4, 8) if s < seen_at]
    read_strictly(tmp_path)
    if selected:
        wanted = TinyStep()
        run_loop(wanted, TinyBatches(), make_plan(iterations=selected, validate_every=4))
        assert bits(step.state()) == bits(wanted.state())
    assert all(np.isfinite(v) for row in progress.rows for v in row.values() if v != "train")
    again = Refusing()
    assert run_loop(again, TinyBatches(), plan, where) == (fitted, progress)
    assert bits(again.state()) == bits(step.state())


@pytest.mark.parametrize("value", [None, math.inf])
@pytest.mark.parametrize(
    ("name", "diverges"), [("accuracy", True), ("log_loss", True), ("f1_macro", False)]
)
def test_loss_and_what_selects_must_be_numbers_and_nothing_else(
    name: str, diverges: bool, value: float | None
) -> None:
    plan = make_plan(iterations=4, validate_every=4)

    def score(labels: NDArray[Any], outputs: NDArray[Any]) -> dict[str, float]:
        found = {k: v for k, v in plan.score(labels, outputs).items() if k != name}
        return found if value is None else {**found, name: value}

    fitted, _ = run_loop(TinyStep(), TinyBatches(), replace(plan, score=score))
    assert (fitted.diverged_at is not None) == diverges


def test_the_best_weights_stay_the_best_when_the_loop_diverges() -> None:
    whole = TinyStep()
    fitted, _ = run_loop(whole, TinyBatches(), make_plan(epochs=3, validate_every=1))
    poisoned = TinyStep(poison={14: "weights"})
    found, _ = run_loop(poisoned, TinyBatches(), make_plan(epochs=3, validate_every=1))
    assert found == Fitted(15, fitted.selected_step, diverged_at=15)
    assert fitted.selected_step < 15
    assert bits(poisoned.state()) == bits(whole.state())


@pytest.mark.parametrize("poison", ["loss", "weights"])
@pytest.mark.parametrize("seconds", [0, 1e9])
def test_a_loop_diverges_at_the_same_step_wherever_it_is_interrupted(
    poison: Poison, seconds: float, tmp_path: Path
) -> None:
    def run(step: TinyStep, where: Surroundings) -> tuple[Any, ...]:
        plan = make_plan(epochs=2, validate_every=4, checkpoint_seconds=seconds)
        return everything(step, run_loop(step, TinyBatches(), plan, where))

    wanted = run(TinyStep(poison={5: poison}), Surroundings())
    assert wanted[1].diverged_at == 8
    for at in range(1, 8):
        folder = tmp_path / str(at)
        with pytest.raises(Interrupted):
            run(TinyStep(poison={5: poison}), Surroundings(folder, check=stopping_at(at)))
        read_strictly(folder)
        resumed = TinyStep(seed=99 if folder.exists() else 0, poison={5: poison})
        assert run(resumed, Surroundings(folder)) == wanted, at
