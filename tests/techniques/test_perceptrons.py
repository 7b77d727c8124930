"""Perceptrons: refusals, interruptions, broken files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.core.errors import InputError, Interrupted
from bakeoff.core.protocols import Run, TrainingData
from bakeoff.scratch.network import saved
from bakeoff.techniques.perceptrons import (
    PerceptronModel,
    fit_perceptron,
    load_perceptron,
    untrained_perceptron,
)
from bakeoff.techniques.saved import write_predictor
from bakeoff.training.loop import Surroundings
from bakeoff.training.settings import TrainingSettings


class Short(TrainingSettings):
    epochs: int | None = 3


def test_texts_are_refused(texts: TrainingData, run: Run) -> None:
    with pytest.raises(InputError, match="mlp: images needed, text received"):
        fit_perceptron("mlp", PerceptronModel(hidden=(3,)), texts, run, Short())


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "rmsprop", "adamw"])
def test_an_interruption_changes_no_bit(
    noise: TrainingData,
    new_run: Callable[[int], Any],
    tmp_path: Path,
    optimizer: str,
) -> None:
    model = PerceptronModel(hidden=(5,), normalisation="batch", dropout=0.3)
    training = Short.parse({"batch_size": 7, "optimizer": optimizer, "l2": 0.01})
    whole = fit_perceptron("mlp", model, noise, new_run(0), training)

    calls = iter(range(1000))

    def stop() -> None:
        if next(calls) == 12:
            raise Interrupted(15)

    stopped, resumed = new_run(0), new_run(0)
    stopped.where = Surroundings(folder=tmp_path, check=stop)
    with pytest.raises(Interrupted):
        fit_perceptron("mlp", model, noise, stopped, training)
    steps: list[int] = []
    resumed.where = Surroundings(folder=tmp_path, check=lambda: steps.append(1))
    again = fit_perceptron("mlp", model, noise, resumed, training)
    assert 0 < len(steps) <= 27 - 13
    for path, values in saved(whole.network).items():
        np.testing.assert_array_equal(saved(again.network)[path], values)


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    predictor = untrained_perceptron("mlp", PerceptronModel(hidden=(3,)), (4, 3, 2), 5)
    predictor.save(tmp_path)
    assert load_perceptron(tmp_path, "mlp", "cpu").hidden == (3,)
    state = {
        "technique": "mlp",
        "model": {"hidden": [4]},
        "shape": [4, 3, 2],
        "classes": ["a", "b"],
    }
    ones = np.ones(2, np.float32)
    write_predictor(tmp_path, {"normaliser.mean": ones, "normaliser.sd": ones}, state)
    with pytest.raises(InputError, match="not a saved mlp"):
        load_perceptron(tmp_path, "mlp", "cpu")
