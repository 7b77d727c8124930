"""Learning rates against their closed forms: starts, ends, warm-up, single updates."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.training.schedules import schedule
from bakeoff.training.settings import TrainingSettings

NAMES = ("constant", "step", "exponential", "cosine", "one-cycle")


def rates(steps: int, **changes: Any) -> list[float]:
    parsed = TrainingSettings.parse({"iterations": steps, "learning_rate": 0.4} | changes)
    rate = schedule(parsed, steps)
    return [rate(step) for step in range(steps)]


def test_constant() -> None:
    assert rates(7) == [0.4] * 7


def test_step_falls_at_each_third() -> None:
    assert rates(9, schedule="step", decay=0.5) == pytest.approx([0.4] * 3 + [0.2] * 3 + [0.1] * 3)
    assert rates(10, schedule="step") == pytest.approx([0.4] * 4 + [0.04] * 3 + [0.004] * 3)


def test_exponential_falls_by_its_factor_over_the_run() -> None:
    found = rates(8, schedule="exponential", decay=0.01)
    assert found == pytest.approx([0.4 * 0.01 ** (i / 8) for i in range(8)])
    assert found[4] == pytest.approx(0.04)


def test_cosine_falls_from_the_peak_to_nearly_nothing() -> None:
    found = rates(100, schedule="cosine")
    assert found == pytest.approx([0.2 * (1 + math.cos(math.pi * i / 100)) for i in range(100)])
    assert found[0] == 0.4
    assert found[50] == pytest.approx(0.2)
    assert 0 < found[99] < 0.4e-3


@pytest.mark.parametrize("name", NAMES[:-1])
def test_warm_up_rises_linearly_and_the_shape_spans_the_rest(name: str) -> None:
    found = rates(50, schedule=name, warmup=0.2)
    assert found[:10] == pytest.approx([0.04 * (i + 1) for i in range(10)])
    assert found[10:] == rates(40, schedule=name)


def test_one_cycle() -> None:
    found = rates(100, schedule="one-cycle")
    start, end = 0.4 / 25, 0.4 / 25 / 1e4
    assert found[0] == pytest.approx(start)
    assert found[15] == pytest.approx((start + 0.4) / 2)
    assert found[30] == 0.4 == max(found)
    assert found[65] == pytest.approx((0.4 + end) / 2)
    assert end < found[99] < 1e-3
    assert found[:31] == sorted(found[:31])
    assert found[30:] == sorted(found[30:], reverse=True)
    warmed = rates(100, schedule="one-cycle", warmup=0.1)
    assert warmed.index(max(warmed)) == 10


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(steps=st.integers(1, 60), warmup=st.floats(0, 0.99))
def test_rates_are_positive_and_never_above_the_peak(name: str, steps: int, warmup: float) -> None:
    found = rates(steps, schedule=name, warmup=warmup)
    assert all(0 < rate <= 0.4 * (1 + 1e-12) for rate in found)


def test_the_rate_depends_on_the_update_alone() -> None:
    rate = schedule(TrainingSettings(epochs=1, schedule="cosine"), 10)
    assert rate(7) == rate(7)
    assert [rate(i) for i in (9, 0, 5)] == [rate(i) for i in (9, 0, 5)]
