"""Training settings: one length, values in range, every technique's defaults can be overridden."""

from typing import Any

import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.frozen import plain
from bakeoff.training.settings import (
    AveragingSettings,
    LookaheadSettings,
    StoppingSettings,
    TrainingSettings,
    check_framework,
)


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
        {"other_learning_rate": 0, "optimizer": "muon"},
        {"label_smoothing": 1},
        {"label_smoothing": -0.1},
        {"lookahead": {"every": 0}},
        {"lookahead": {"rate": 0}},
        {"lookahead": {"rate": 1.1}},
        {"lookahead": True},
        {"averaging": {"decay": 1}},
        {"averaging": {"every": 0}},
        {"averaging": {"start": -1}},
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


def test_what_came_later_is_off_and_moves_no_key() -> None:
    settings = TrainingSettings(epochs=1)
    assert (settings.lookahead, settings.averaging, settings.label_smoothing) == (None, None, 0)
    later = {"other_learning_rate", "label_smoothing", "lookahead", "averaging"}
    assert not later & plain(settings).keys()
    given = TrainingSettings.parse({"epochs": 1, "lookahead": {}, "averaging": {"start": 2}})
    assert given.lookahead == LookaheadSettings(every=5, rate=0.5)
    assert given.averaging == AveragingSettings(decay=0.999, every=1, start=2)


def test_a_second_rate_is_of_muon_alone() -> None:
    assert TrainingSettings.parse(
        {"epochs": 1, "optimizer": "muon", "other_learning_rate": 0.1}
    ).other_learning_rate
    with pytest.raises(InputError, match=r"^training: other_learning_rate 0\.1 received with"):
        TrainingSettings.parse({"epochs": 1, "other_learning_rate": 0.1}, "training")


@pytest.mark.parametrize("framework", ["numpy", "keras"])
def test_frameworks_refuse_what_they_do_not_have(framework: Any) -> None:
    content = {"epochs": 1, "optimizer": "muon", "lookahead": {}, "averaging": {}}
    settings = TrainingSettings.parse(content)
    with pytest.raises(InputError) as caught:
        check_framework(settings, framework)
    optimiser, lookahead, averaging = caught.value.faults
    assert optimiser.startswith(f"training.optimizer: muon received, but {framework} has none (")
    assert "adamw)" in optimiser
    assert lookahead.startswith(f"training.lookahead: received, but there is none in {framework}")
    assert averaging.endswith("there is one in torch)")
    check_framework(settings, "torch")
    check_framework(TrainingSettings.parse({"epochs": 1, "label_smoothing": 0.1}), framework)
