"""Softmax regression: scikit-learn's solution, defaults, determinism, saving."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Run, TrainingData
from bakeoff.techniques import find
from bakeoff.techniques.linear import LinearPredictor
from bakeoff.techniques.softmax import Softmax, SoftmaxSettings

Cells = Callable[..., Cell]


def accuracy(predictor: LinearPredictor, data: TrainingData) -> float:
    guesses = predictor.predict(data.validation.items).argmax(axis=1)
    return float((guesses == data.validation.labels).mean())


def test_the_defaults_are_good_on_digits(digits: TrainingData, cell_of: Cells, run: Run) -> None:
    predictor = Softmax().fit(cell_of("softmax"), digits, {}, run)
    assert accuracy(predictor, digits) > 0.93


def test_at_convergence_it_is_scikit_learns_logistic_regression(
    digits: TrainingData, cell_of: Cells, run: Run
) -> None:
    """On full batches: both minimise the mean loss + l2 / 2 |w|^2 (scikit-learn's C times N)."""
    count, l2 = len(digits.train), 1.0
    training = {
        "iterations": 400,
        "batch_size": count,
        "optimizer": "nesterov",
        "learning_rate": 0.1,
        "l2": l2,
        "schedule": "constant",
        "validate_every": 400,
        "restore_best": False,
    }
    predictor = Softmax().fit(cell_of("softmax", training=training), digits, {}, run)
    assert digits.normaliser is not None
    x = digits.normaliser(np.asarray(digits.train.items)).reshape(count, -1).astype(np.float64)
    new = digits.normaliser(np.asarray(digits.validation.items)).reshape(450, -1)
    reference = LogisticRegression(C=1 / (l2 * count), tol=1e-10, max_iter=2000)
    reference.fit(x, digits.train.labels)
    weight = predictor.network.parameters["output.weight"]
    np.testing.assert_allclose(weight, reference.coef_, atol=2e-6)
    np.testing.assert_allclose(
        predictor.predict(digits.validation.items), reference.predict_proba(new), atol=2e-6
    )


def test_same_seed_same_bits(
    noise: TrainingData, cell_of: Cells, new_run: Callable[[int], Run]
) -> None:
    cell, items = (
        cell_of("softmax", training={"epochs": 2, "batch_size": 9}),
        noise.validation.items,
    )
    one, two, other = (Softmax().fit(cell, noise, {}, new_run(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.predict(items), two.predict(items))
    assert (one.predict(items) != other.predict(items)).any()


def test_saved_and_loaded_gives_the_same_bits(
    noise: TrainingData, cell_of: Cells, run: Run, tmp_path: Path
) -> None:
    predictor = Softmax().fit(cell_of("softmax", training={"epochs": 2}), noise, {}, run)
    predictor.save(tmp_path)
    again = find("softmax").load(tmp_path)
    items = np.asarray(noise.train.items)
    whole = predictor.predict(items)
    np.testing.assert_array_equal(again.predict(items), whole)
    np.testing.assert_array_equal(again.predict(items[5:6]), whole[5:6])
    assert isinstance(again, LinearPredictor)
    assert again.classes == noise.task.classes


def test_wrong_shapes_are_told(noise: TrainingData, cell_of: Cells, run: Run) -> None:
    predictor = Softmax().fit(cell_of("softmax", training={"epochs": 1}), noise, {}, run)
    with pytest.raises(InputError, match=r"softmax: images \(N, 4, 3, 2\) uint8 needed"):
        predictor.predict(np.zeros((1, 8, 8, 1), np.uint8))


def test_untrained_knows_its_sizes() -> None:
    predictor = Softmax().untrained(SoftmaxSettings(), (32, 32, 3), 10)
    assert sum(row.parameters for row in predictor.layers()) == 30730
    assert sum(row.macs for row in predictor.layers()) == 30720
    items = np.zeros((3, 32, 32, 3), np.uint8)
    np.testing.assert_allclose(predictor.predict(items), np.full((3, 10), 0.1))


def test_it_represents_by_normalised_pixels(noise: TrainingData) -> None:
    predictor = Softmax().untrained(SoftmaxSettings(), (4, 3, 2), 3)
    items = np.asarray(noise.train.items)
    np.testing.assert_allclose(predictor.represent(items), items.reshape(60, -1) / 255, rtol=1e-6)
