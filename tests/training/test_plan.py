"""From settings to the plan of a loop."""

from typing import Any

import pytest
from tests.training.tiny import PER_EPOCH, TASK, make_plan

from bakeoff.core.errors import InputError
from bakeoff.training.stopping import Trigger


def test_epochs_and_iterations() -> None:
    assert make_plan(epochs=4).steps == 4 * PER_EPOCH
    assert make_plan(epochs=4).validate_every == PER_EPOCH
    assert make_plan(iterations=7).steps == 7
    assert make_plan(iterations=7).validate_every == PER_EPOCH
    assert make_plan(iterations=7, validate_every=3).validate_every == 3


def test_the_schedule_spans_all_updates() -> None:
    rate = make_plan(epochs=2, schedule="step", decay=0.1).learning_rate
    assert [rate(i) for i in (0, 3, 4, 6, 7, 9)] == pytest.approx(
        [0.5, 0.5, 0.05, 0.05, 0.005, 0.005]
    )


def test_the_metric_that_selects() -> None:
    assert (make_plan().select, make_plan().direction) == ("accuracy", "max")
    by_loss = make_plan(select="log_loss")
    assert (by_loss.select, by_loss.direction) == ("log_loss", "min")
    with pytest.raises(InputError) as caught:
        make_plan(select="acuracy")
    assert str(caught.value).startswith(
        "training.select: unknown metric 'acuracy'; did you mean 'accuracy'? (allowed: accuracy, "
    )


def test_the_rest_is_handed_on() -> None:
    settings: dict[str, Any] = {
        "accumulate": 4,
        "restore_best": False,
        "checkpoint_seconds": 7.0,
        "stopping": {"rule": "patience"},
    }
    plan = make_plan(**settings)
    assert (plan.parts, plan.restore_best, plan.checkpoint_seconds) == (4, False, 7.0)
    assert isinstance(plan.stopping, Trigger)
    assert make_plan().stopping is None
    assert plan.score.__self__ is TASK  # type: ignore[attr-defined]
    assert plan.validation is not None
    assert sum(len(batch.labels) for batch in plan.validation()) == 30
    assert sum(len(batch.labels) for batch in plan.validation()) == 30, "anew for each validation"
