"""A step that computes in less than full precision goes back and on exactly, wherever it stops."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.tiny import (
    TinyBatches,
    TinyStep,
    bits,
    make_plan,
    read_strictly,
    stopping_at,
    without_seconds,
)

from bakeoff.core.errors import Interrupted
from bakeoff.core.protocols import Arrays, Batch, Fitted, Guarded, Position, State
from bakeoff.training.checkpoint import VALIDATED, Progress
from bakeoff.training.loop import Surroundings, run_loop


@dataclass
class Careful(TinyStep):
    """Poisoned only while it does not compute exactly, which it does like an unpoisoned one."""

    inexact: bool = True
    notes: list[str] = field(default_factory=list)
    compile_seconds: float = 0.0

    def __call__(self, batch: Batch, at: Position) -> Any:
        poison = self.poison
        self.poison = poison if self.inexact else {}
        try:
            return super().__call__(batch, at)
        finally:
            self.poison = poison

    def compute_exactly(self) -> None:
        self.inexact = False

    def state(self) -> State:
        return super().state() | {"inexact": np.array(self.inexact)}

    def load(self, state: Arrays) -> None:
        super().load(state)
        self.inexact = bool(state["inexact"])


def run(step: TinyStep, where: Surroundings | None = None, **settings: Any) -> tuple[Any, ...]:
    """All that an interruption must not change."""
    plan = make_plan(**({"epochs": 2, "validate_every": 4} | settings))
    fitted, progress = run_loop(step, TinyBatches(), plan, where)
    kept = {k: v for k, v in vars(progress).items() if "seconds" not in k}
    kept |= {"rows": without_seconds(progress.rows), "stops": None, "fingerprint": None}
    return fitted, kept, bits(step.state())


def test_the_protocol_is_kept() -> None:
    assert isinstance(Careful(), Guarded)
    assert not isinstance(TinyStep(), Guarded)


@pytest.mark.parametrize("poison", ["loss", "infinite loss", "weights"])
@pytest.mark.parametrize(("at", "noticed", "back"), [(1, 4, 0), (3, 4, 0), (5, 8, 4), (9, 10, 8)])
def test_it_goes_back_to_the_last_validation_and_on_exactly(
    poison: Any, at: int, noticed: int, back: int
) -> None:
    step, plain = Careful(poison={at: poison}), TinyStep()
    fitted, kept, _ = run(step, restore_best=False)
    wanted, expected, _ = run(plain, restore_best=False)
    assert fitted == wanted == Fitted(10, 10)
    assert kept["notes"] == [
        f"numbers were not finite by update {noticed}: went back to update {back}, and on from "
        "there in full precision"
    ]
    assert kept["rows"] == expected["rows"]
    assert [p.step for p in step.seen] == [*range(noticed), *range(back, 10)]
    # What a float32 step gives from there on; the state says that it computes so.
    assert {n: step.state()[n].tobytes() for n in plain.state()} == bits(plain.state())
    assert not step.inexact


def test_a_best_state_of_before_is_used_as_it_was_validated() -> None:
    """Its scores are those of the lower precision, and so is what it predicts."""
    selected = run(TinyStep(), epochs=3, validate_every=1)[0].selected_step
    assert 1 < selected < 15
    for poisoned, inexact in ((selected - 1, False), (selected, True)):
        step = Careful(poison={poisoned: "loss"})
        fitted, _, _ = run(step, epochs=3, validate_every=1)
        assert fitted.selected_step == selected
        assert step.inexact is inexact


@pytest.mark.parametrize("seconds", [0, 1e9])
@pytest.mark.parametrize("at", [2, 6])
def test_interrupted_anywhere_it_goes_back_alike(at: int, seconds: float, tmp_path: Path) -> None:
    given: dict[str, Any] = {"checkpoint_seconds": seconds, "restore_best": False}
    wanted = run(Careful(poison={at: "weights"}), **given)
    for stop in range(1, 14):
        folder = tmp_path / str(stop)
        with pytest.raises(Interrupted):
            run(
                Careful(poison={at: "weights"}),
                Surroundings(folder, check=stopping_at(stop)),
                **given,
            )
        read_strictly(folder)
        seed = 99 if folder.exists() else 0
        resumed = run(Careful(seed, poison={at: "weights"}), Surroundings(folder), **given)
        assert resumed == wanted, stop


def test_numbers_that_are_not_finite_in_full_precision_end_the_loop() -> None:
    class Hopeless(Careful):
        def __call__(self, batch: Batch, at: Position) -> Any:
            return TinyStep.__call__(self, batch, at)

    step = Hopeless(poison={6: "loss"})
    fitted, kept, _ = run(step)
    assert fitted.diverged_at == 8
    assert fitted.selected_step == 4
    assert len(kept["notes"]) == 1
    assert [p.step for p in step.seen] == [*range(8), *range(4, 8)]


def test_what_to_go_back_to_is_saved_where_it_is_not_the_best(tmp_path: Path) -> None:
    """A step that computes exactly has no need of it."""
    for step, files in ((Careful(), {VALIDATED}), (TinyStep(), set())):
        folder = tmp_path / type(step).__name__
        with pytest.raises(Interrupted):
            run(step, Surroundings(folder, check=stopping_at(2)))
        assert {f.name for f in folder.iterdir()} & {VALIDATED} == files


def test_what_a_step_tells_and_compiles_is_in_the_loops_state(tmp_path: Path) -> None:
    class Telling(Careful):
        def __call__(self, batch: Batch, at: Position) -> Any:
            if not self.seen:
                self.notes.append("memory was short")
                self.compile_seconds = 3.0
            return super().__call__(batch, at)

    def ran(check: Any = lambda: None) -> Progress:
        plan = make_plan(epochs=1)
        return run_loop(Telling(), TinyBatches(), plan, Surroundings(tmp_path, check=check))[1]

    with pytest.raises(Interrupted):
        ran(stopping_at(2))
    progress = ran()
    assert progress.notes == ["memory was short"]
    assert progress.compile_seconds == 6.0
    # It counts as training, not as warming up.
    assert progress.train_seconds > 6.0
