"""Logistic regression: scikit-learn's solution by both solvers, two classes alone, saving."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import TrainingData
from bakeoff.core.recipe import DataSettings
from bakeoff.core.streams import Streams
from bakeoff.data import catalogue, splits
from bakeoff.study.prepare import prepare
from bakeoff.study.study import Study
from bakeoff.techniques.logistic import Logistic, LogisticSettings

Cells = Callable[..., Cell]


@pytest.fixture(scope="module")
def pair() -> TrainingData:
    """Threes and eights of digits: 8 x 8 x 1."""
    settings = DataSettings(set="digits", classes=("3", "8"), validation=0.3)
    return splits.draw(catalogue.load("digits"), settings, Streams(0)).training_data()


def rows_of(data: TrainingData, items: Any) -> NDArray[np.float64]:
    assert data.normaliser is not None
    return data.normaliser(np.asarray(items)).reshape(len(items), -1).astype(np.float64)


LOOP = {
    "iterations": 400,
    "batch_size": 10_000,
    "optimizer": "nesterov",
    "learning_rate": 0.1,
    "schedule": "constant",
    "validate_every": 400,
    "restore_best": False,
}
SOLVE = {"solver": "lbfgs", "iterations": 200, "restore_best": False, "tolerance": 1e-7}


@pytest.mark.parametrize("training", [LOOP, SOLVE])
def test_at_convergence_it_is_scikit_learns(
    pair: TrainingData, cell_of: Cells, run: Any, training: dict[str, Any]
) -> None:
    """Both minimise the mean loss + l2 / 2 |w|^2: scikit-learn's C is 1 / (l2 N)."""
    l2, count = 0.5, len(pair.train)
    predictor = Logistic().fit(cell_of("logistic", training={**training, "l2": l2}), pair, {}, run)
    reference = LogisticRegression(C=1 / (l2 * count), tol=1e-10, max_iter=2000)
    reference.fit(rows_of(pair, pair.train.items), pair.train.labels)
    weights = predictor.network.parameters
    np.testing.assert_allclose(weights["output.weight"], reference.coef_, atol=3e-5)
    np.testing.assert_allclose(weights["output.bias"], reference.intercept_, atol=5e-4)
    np.testing.assert_allclose(
        predictor.predict(pair.validation.items),
        reference.predict_proba(rows_of(pair, pair.validation.items)),
        atol=2e-4,
    )


def test_the_defaults_are_good(pair: TrainingData, cell_of: Cells, run: Any) -> None:
    predictor = Logistic().fit(cell_of("logistic"), pair, {}, run)
    probabilities = predictor.predict(pair.validation.items)
    assert probabilities.shape == (len(pair.validation), 2)
    assert (probabilities.argmax(axis=1) == pair.validation.labels).mean() > 0.95


def test_more_classes_are_refused(digits: TrainingData, cell_of: Cells, run: Any) -> None:
    told = r"logistic: tells two classes apart, 10 received; name two in data\.classes"
    with pytest.raises(InputError, match=told):
        Logistic().fit(cell_of("logistic"), digits, {}, run)
    with pytest.raises(InputError, match=told):
        Logistic().untrained(LogisticSettings(), (8, 8, 1), 10)


def test_a_study_of_more_classes_is_refused_before_anything_runs() -> None:
    study = Study(
        question="Which of ten digits is it?",
        dataset="digits",
        control={"technique": "logistic"},
        variants={"fast": {"training.learning_rate": 0.1}},
    )
    with pytest.raises(InputError, match=r"name two in data\.classes"):
        prepare(study)


def test_a_rate_that_diverges_is_told_with_its_step(
    pair: TrainingData, cell_of: Cells, run: Any
) -> None:
    training = {"iterations": 60, "learning_rate": 1e38, "l2": 0.1, "validate_every": 5}
    Logistic().fit(cell_of("logistic", training=training), pair, {}, run)
    assert run.fitted[0].diverged_at is not None
    assert 0 < run.fitted[0].diverged_at <= 60


def test_saved_and_loaded_gives_the_same_bits(
    pair: TrainingData, cell_of: Cells, run: Any, tmp_path: Path
) -> None:
    predictor = Logistic().fit(cell_of("logistic", training={"epochs": 2}), pair, {}, run)
    predictor.save(tmp_path)
    again = Logistic().load(tmp_path)
    items = np.asarray(pair.train.items)
    np.testing.assert_array_equal(again.predict(items), predictor.predict(items))
    assert again.classes == ("3", "8")


def test_its_size() -> None:
    predictor = Logistic().untrained(LogisticSettings(), (32, 32, 3), 2)
    assert sum(row.parameters for row in predictor.layers()) == 3073
