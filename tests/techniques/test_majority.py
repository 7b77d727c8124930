"""Majority: class frequencies for any items, saving."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.language import LanguageModelling
from bakeoff.core.protocols import Run, TrainingData
from bakeoff.techniques import find
from bakeoff.techniques.majority import BytePredictor, ConstantPredictor, Majority, MajoritySettings


@pytest.fixture
def fitted(digits: TrainingData, cell_of: Callable[..., Cell], run: Run) -> ConstantPredictor:
    fitted = Majority().fit(cell_of("majority"), digits, {}, run)
    assert isinstance(fitted, ConstantPredictor)
    return fitted


def test_probabilities_are_the_frequencies(fitted: ConstantPredictor, digits: TrainingData) -> None:
    probabilities = fitted.predict(digits.validation.items)
    shares = np.bincount(digits.train.labels) / len(digits.train)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (450, 10)
    np.testing.assert_allclose(probabilities, np.tile(shares, (450, 1)), rtol=1e-6)
    assert fitted.classes == digits.task.classes


def test_texts_are_as_good(texts: TrainingData, cell_of: Callable[..., Cell], run: Run) -> None:
    fitted = Majority().fit(cell_of("majority"), texts, {}, run)
    np.testing.assert_allclose(fitted.predict(texts.validation.items), [[0.25, 0.75]] * 2)


def test_a_class_without_examples_gets_nothing(
    noise: TrainingData, cell_of: Callable[..., Cell], run: Run
) -> None:
    kept = noise.train.take(np.flatnonzero(noise.train.labels != 2))
    fitted = Majority().fit(cell_of("majority"), replace(noise, train=kept), {}, run)
    assert fitted.predict(noise.validation.items)[0, 2] == 0


def test_it_stands_in_for_any_technique(
    noise: TrainingData, cell_of: Callable[..., Cell], run: Run
) -> None:
    """A cell that diverged before its first validation falls back to it."""
    fitted = Majority().fit(cell_of("softmax"), noise, {}, run)
    assert isinstance(noise.train, Examples)
    assert fitted.predict(noise.validation.items).shape == (20, 3)


def test_saved_and_loaded(fitted: ConstantPredictor, digits: TrainingData, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    again = find("majority").load(tmp_path)
    items = digits.validation.items
    np.testing.assert_array_equal(again.predict(items), fitted.predict(items))
    assert again.layers() == fitted.layers()


def test_untrained() -> None:
    predictor = Majority().untrained(MajoritySettings(), (8, 8, 1), 4)
    np.testing.assert_array_equal(predictor.predict(["any"]), [[0.25] * 4])
    (row,) = predictor.layers()
    assert (row.parameters, row.macs) == (4, 0)


def test_texts_to_be_foretold_take_8_bits_a_byte() -> None:
    found = BytePredictor().predict(["abc", "", "é"])
    assert found.dtype == np.float64
    nats = np.log(256)
    np.testing.assert_allclose(found, [[3 * nats, 3, 3, 1], [0, 0, 0, 1], [2 * nats, 2, 2, 1]])
    assert BytePredictor().predict([]).shape == (0, 4)
    scores = LanguageModelling().score(np.array([1.0, 0.0, 1.0]), found)
    assert scores["perplexity"] == pytest.approx(256)
    with pytest.raises(InputError, match=r"majority: texts needed, \(2, 3\) float64 received"):
        BytePredictor().predict(np.zeros((2, 3)))


def test_nobody_is_offered_it_as_a_language_model() -> None:
    assert Majority.tasks == {"classification", "regression"}
