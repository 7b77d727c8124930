"""Training settings: one length, values in range, every technique's defaults can be overridden."""

from typing import Any

import pytest

from bakeoff.core.errors import InputError
from bakeoff.training.settings import StoppingSettings, TrainingSettings


class WithEpochs(TrainingSettings):
    epochs: int | None = 10


@pytest.mark.parametrize("content", [{}, {"epochs": 1, "iterations": 1}])
def test_a_loop_has_one_length(content: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^training: give either epochs or iterations"):
        TrainingSettings.parse(content, "training")
    assert TrainingSettings.parse({"epochs": 2}).iterations is None
    assert TrainingSettings.parse({"iterations": 2}).epochs is None


def test_a_default_length_can_be_replaced() -> None:
    assert WithEpochs().epochs == 10
    short = WithEpochs.parse({"iterations": 5})
    assert (short.epochs, short.iterations) == (None, 5)
    with pytest.raises(InputError, match="either epochs or iterations"):
        WithEpochs.parse({"iterations": 5, "epochs": 2})
    with pytest.raises(InputError, match="either epochs or iterations"):
        WithEpochs.parse({"epochs": None})


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"iterations": 0, "epochs": None},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"learning_rate": float("inf")},
        {"momentum": 1},
        {"l1": -1},
        {"l2": -1},
        {"max_norm": 0},
        {"clip": 0},
        {"optimizer": "rprop"},
        {"warmup": 1},
        {"decay": 0},
        {"decay": 1.1},
        {"validate_every": 0},
        {"accumulate": 0},
        {"checkpoint_seconds": -1},
        {"sampling": "sorted"},
        {"schedule": "linear"},
        {"stopping": {"rule": "never"}},
        {"stopping": {"rule": "patience", "window": 0}},
        {"stopping": {"rule": "patience", "tolerance": -0.1}},
        {"stopping": {"rule": "patience", "on": "accuracy"}},
        {"stopping": {}},
        {"shuffle": True},
    ],
)
def test_values_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        TrainingSettings.parse({"epochs": 1} | wrong, "training")
    (fault,) = caught.value.faults
    assert fault.startswith(f"training.{next(iter(wrong))}")


def test_defaults() -> None:
    settings = TrainingSettings(epochs=1)
    assert settings.restore_best
    assert settings.accumulate == 1
    assert settings.stopping is None
    assert StoppingSettings(rule="patience") == StoppingSettings(
        rule="patience", on="score", window=5, tolerance=0.0
    )
