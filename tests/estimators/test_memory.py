"""A run without a folder keeps what loops and solves came to."""

import numpy as np
from tests.training.tiny import TinyBatches, TinyStep, make_plan

from bakeoff.core.protocols import Fitted, Run
from bakeoff.core.streams import Streams
from bakeoff.estimators.memory import MemoryRun


def test_loops_and_solves_are_kept_in_order() -> None:
    run: Run = MemoryRun(Streams(7))
    assert isinstance(run, MemoryRun)
    assert run.streams.seed == 7
    looped = run.loop("train", TinyStep(), TinyBatches(), make_plan(epochs=2))
    assert looped.steps == 10
    arrays = run.solve("solve", lambda: {"weights": np.arange(3)})
    assert arrays["weights"].tolist() == [0, 1, 2]
    run.note(Fitted(4, 3), [{"step": 4, "train/loss": 0.5}])
    assert run.fitted == [looped, Fitted(4, 3)]
    assert [row["step"] for row in run.rows] == [5, 10, 4]
