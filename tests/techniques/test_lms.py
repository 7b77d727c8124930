"""Adaptive filters as a technique: equal to the filters by hand, whatever the chunks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contracts.small import cell_of, run_of

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import TrainingData
from bakeoff.core.recipe import DataSettings, Numerics, Recipe
from bakeoff.core.streams import Streams
from bakeoff.data import catalogue, splits
from bakeoff.execution.run import CellRun
from bakeoff.scratch import adaptive
from bakeoff.techniques.lms import FilterPredictor, Lms, LmsSettings, first_pass


@pytest.fixture(scope="module")
def data() -> TrainingData:
    dataset = catalogue.load("two-inputs")
    return splits.draw(dataset, DataSettings(set="two-inputs"), Streams(0)).training_data()


def fitted(
    data: TrainingData, folder: Path, **sections: Any
) -> tuple[FilterPredictor, CellRun, LmsSettings]:
    settings = LmsSettings.parse(sections)
    recipe = Recipe(
        name="lms",
        technique="lms",
        data=DataSettings(set="two-inputs"),
        numerics=Numerics(device="cpu", precision="float32", threads=1),
        settings=settings,
    )
    run = run_of(recipe, folder)
    return Lms().fit(cell_of(recipe), data, {}, run), run, settings


def arrays(data: TrainingData) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(data.train.items), data.train.labels


def test_wiener_is_least_squares_with_a_bias(data: TrainingData, tmp_path: Path) -> None:
    predictor, run, _ = fitted(data, tmp_path, model={"rule": "wiener"})
    rows, targets = arrays(data)
    expected = np.linalg.lstsq(np.column_stack([rows, np.ones(len(rows))]), targets, rcond=None)[0]
    np.testing.assert_allclose([*predictor.weights, predictor.bias], expected, rtol=1e-9)
    assert run.fitted == []
    assert predictor.columns == ("x1", "x2")


@pytest.mark.parametrize("chunk", [1, 7, 64, 5000])
@pytest.mark.parametrize("rule", ["lms", "nlms", "rls"])
def test_chunks_change_no_bit(data: TrainingData, tmp_path: Path, rule: str, chunk: int) -> None:
    few = replace(data, train=data.train.take(np.arange(150)))
    training = {"epochs": 3, "learning_rate": 0.02, "batch_size": chunk}
    model = {"rule": rule, "weights": "zero", "bias": False}
    predictor, run, _ = fitted(few, tmp_path, model=model, training=training)
    rows, targets = arrays(few)
    rules: dict[str, adaptive.Filter] = {
        "lms": adaptive.Lms(np.zeros(2), 0.02),
        "nlms": adaptive.Nlms(np.zeros(2), 0.02),
        "rls": adaptive.Rls(np.zeros(2)),
    }
    by_hand = rules[rule]
    losses = [np.square(by_hand.run(rows, targets).errors).mean() for _ in range(3)]
    np.testing.assert_array_equal(predictor.weights, by_hand.weights)
    np.testing.assert_allclose([row["train/loss"] for row in run.rows], losses, rtol=1e-12)
    assert all("train/accuracy" not in row for row in run.rows)


def test_a_rate_beyond_the_bound_is_divergence_not_a_failure(
    data: TrainingData, tmp_path: Path
) -> None:
    _, run, settings = fitted(data, tmp_path, training={"learning_rate": 1.0})
    (left,) = run.fitted
    assert left.diverged_at is not None
    assert left.selected_step == 0
    assert first_pass(settings, data, Streams(0)).overflow_at is not None


def test_random_weights_follow_the_seed_and_zero_ones_do_not(data: TrainingData) -> None:
    for weights, same in (("zero", True), ("random", False)):
        settings = LmsSettings.parse({"model": {"weights": weights}})
        first, second = (first_pass(settings, data, Streams(seed)).errors for seed in (0, 1))
        assert np.array_equal(first, second) == same


@pytest.mark.parametrize(
    ("rate", "words"),
    [(0.005, "settles about 1.3 %"), (0.3, "has no bound"), (0.5, "diverges")],
)
def test_a_rate_is_told_beside_its_bound(data: TrainingData, rate: float, words: str) -> None:
    settings = LmsSettings.parse({"model": {"bias": False}, "training": {"learning_rate": rate}})
    (note,) = Lms().notes(settings, data)
    assert f"rate {rate:g} is" in note
    assert words in note


def test_notes_of_other_rules(data: TrainingData) -> None:
    for rule, count in (("nlms", 1), ("rls", 0), ("wiener", 0)):
        assert len(Lms().notes(LmsSettings.parse({"model": {"rule": rule}}), data)) == count


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        ({"model": {"rule": "lmss"}}, "did you mean 'lms'"),
        ({"model": {"forgetting": 1.5}}, "model.forgetting"),
        ({"training": {"learning_rate": 0}}, "training.learning_rate"),
        ({"training": {"momentum": 0.9}}, "training.momentum: unknown field"),
        ({"training": {"epochs": 2, "iterations": 3}}, "either epochs or iterations"),
    ],
)
def test_settings_that_are_refused(sections: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        LmsSettings.parse(sections)


def test_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lms: rows of numbers needed"):
        Lms().untrained(LmsSettings(), (8, 8, 1), 10)
    (tmp_path / "state.json").write_text('{"technique": "lms"}', encoding="utf-8")
    with pytest.raises(InputError, match="not a saved"):
        Lms().load(tmp_path)
