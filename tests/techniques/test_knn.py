"""k-NN: scikit-learn's votes, encoders, saving, clear refusals."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from tests.techniques.conftest import MemoryRun

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Run, TrainingData
from bakeoff.techniques import find
from bakeoff.techniques.knn import Knn, KnnPredictor, KnnSettings
from bakeoff.techniques.majority import Majority
from bakeoff.techniques.mlp import Mlp

Cells = Callable[..., Cell]
ENCODED = {"encoder": {"recipe": "net"}}


def pixels(data: TrainingData, which: str) -> NDArray[np.float64]:
    items = np.asarray((data.train if which == "train" else data.validation).items)
    assert data.normaliser is not None
    return data.normaliser(items).reshape(len(items), -1).astype(np.float64)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 5])
def test_votes_are_those_of_scikit_learns_brute_force(
    digits: TrainingData, cell_of: Cells, run: Run, metric: str, weights: str, k: int
) -> None:
    cell = cell_of("knn", k=k, metric=metric, weights=weights)
    predictor = Knn().fit(cell, digits, {}, run)
    reference = KNeighborsClassifier(k, weights=weights, algorithm="brute", metric=metric)
    reference.fit(pixels(digits, "train"), digits.train.labels)
    expected = reference.predict_proba(pixels(digits, "validation"))
    probabilities = predictor.predict(digits.validation.items)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_the_defaults_are_good_on_digits(digits: TrainingData, cell_of: Cells, run: Run) -> None:
    predictor = Knn().fit(cell_of("knn"), digits, {}, run)
    guesses = predictor.predict(digits.validation.items).argmax(axis=1)
    assert (guesses == digits.validation.labels).mean() > 0.96
    assert run.solved == {"measure": None}  # type: ignore[attr-defined]


def test_a_neighbour_at_distance_zero_decides(
    noise: TrainingData, cell_of: Cells, run: Run
) -> None:
    predictor = Knn().fit(cell_of("knn", weights="distance"), noise, {}, run)
    probabilities = predictor.predict(noise.train.items)
    np.testing.assert_array_equal(probabilities, np.eye(3)[noise.train.labels])


def test_batching_changes_no_bit(digits: TrainingData, cell_of: Cells, run: Run) -> None:
    predictor = Knn().fit(cell_of("knn", weights="distance"), digits, {}, run)
    items = np.asarray(digits.validation.items)[:60]
    parts = [predictor.predict(items[i : i + 7]) for i in range(0, 60, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), predictor.predict(items))


def test_saved_and_loaded_gives_the_same_bits(
    digits: TrainingData, cell_of: Cells, run: Run, tmp_path: Path
) -> None:
    predictor = Knn().fit(cell_of("knn", k=3, metric="cosine"), digits, {}, run)
    predictor.save(tmp_path)
    again = find("knn").load(tmp_path)
    items = digits.validation.items
    np.testing.assert_array_equal(again.predict(items), predictor.predict(items))
    assert again.layers() == predictor.layers()
    assert isinstance(again, KnnPredictor)
    assert again.classes == digits.task.classes


@pytest.fixture
def encoder(digits: TrainingData, cell_of: Cells, new_run: Callable[[int], Run]) -> object:
    cell = cell_of("mlp", model={"hidden": [32]}, training={"epochs": 5})
    return Mlp().fit(cell, digits, {}, new_run(1))


def test_vectors_of_another_recipe(
    digits: TrainingData, cell_of: Cells, run: Run, encoder: object, tmp_path: Path
) -> None:
    cell = cell_of("knn", inputs={"net": "0123456789abcdef"}, **ENCODED)
    predictor = Knn().fit(cell, digits, {"net": encoder}, run)  # type: ignore[dict-item]
    shared = run.solved["encode"]  # type: ignore[attr-defined]
    assert len(shared) == 16
    vectors = encoder.represent(digits.train.items)  # type: ignore[attr-defined]
    new = encoder.represent(digits.validation.items)  # type: ignore[attr-defined]
    reference = KNeighborsClassifier(5, algorithm="brute").fit(vectors, digits.train.labels)
    probabilities = predictor.predict(digits.validation.items)
    np.testing.assert_allclose(probabilities, reference.predict_proba(new), atol=1e-6)

    predictor.save(tmp_path)
    again = find("knn").load(tmp_path)
    np.testing.assert_array_equal(again.predict(digits.validation.items), probabilities)
    names = [row.name for row in again.layers()]
    assert names == ["flatten", "hidden-1", "relu-1", "output", "neighbours"]


def test_an_encoder_that_gives_no_vectors_is_refused(
    digits: TrainingData, cell_of: Cells, run: Run
) -> None:
    majority = Majority().fit(cell_of("majority"), digits, {}, run)
    with pytest.raises(InputError, match="recipe 'net' gives no vectors"):
        Knn().fit(cell_of("knn", **ENCODED), digits, {"net": majority}, run)


def test_an_encoder_that_diverged_is_refused(
    digits: TrainingData, cell_of: Cells, run: Run, encoder: object
) -> None:
    encoder.network.parameters["hidden-1.bias"][...] = np.inf  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="it has diverged"):
        Knn().fit(cell_of("knn", **ENCODED), digits, {"net": encoder}, run)  # type: ignore[dict-item]


def test_too_few_examples_are_refused(noise: TrainingData, cell_of: Cells, run: Run) -> None:
    with pytest.raises(InputError, match="k: 61 received, but there are 60 training examples"):
        Knn().fit(cell_of("knn", k=61), noise, {}, run)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 3, 59, 60])
def test_left_out_examples_are_voted_on_by_the_others(
    noise: TrainingData, cell_of: Cells, run: Run, metric: str, weights: str, k: int
) -> None:
    items = np.array(noise.train.items)
    items[20:28] = items[7]  # more equals than neighbours, where k is small
    train = replace(noise.train, items=items)
    data = replace(noise, train=train)
    predictor = Knn().fit(cell_of("knn", k=k, metric=metric, weights=weights), data, {}, run)
    rows = np.array([0, 7, 20, 24, 27, 59])
    found = predictor.left_out(rows)
    others_k = min(k, 59)
    cell = cell_of("knn", k=others_k, metric=metric, weights=weights)
    for row, shares in zip(rows, found, strict=True):
        others = replace(data, train=train.take(np.delete(np.arange(60), row)))
        expected = Knn().fit(cell, others, {}, MemoryRun()).predict(items[row : row + 1])
        np.testing.assert_array_equal(shares, expected[0])


def test_one_example_has_no_others(noise: TrainingData, cell_of: Cells, run: Run) -> None:
    data = replace(noise, train=noise.train.take(np.array([4])))
    predictor = Knn().fit(cell_of("knn", k=1), data, {}, run)
    np.testing.assert_array_equal(predictor.left_out(np.array([0])), np.full((1, 3), 1 / 3, "f4"))


def test_texts_need_an_encoder(texts: TrainingData, cell_of: Cells, run: Run) -> None:
    with pytest.raises(InputError, match="encoder: needed for texts"):
        Knn().fit(cell_of("knn", k=1), texts, {}, run)


def test_wrong_shapes_are_told(noise: TrainingData, cell_of: Cells, run: Run) -> None:
    predictor = Knn().fit(cell_of("knn"), noise, {}, run)
    with pytest.raises(InputError, match=r"knn: images \(N, 4, 3, 2\) uint8 needed"):
        predictor.predict(np.zeros((1, 8, 8, 1), np.uint8))


def test_files_that_do_not_fit_together_are_refused(
    noise: TrainingData, cell_of: Cells, run: Run, tmp_path: Path
) -> None:
    Knn().fit(cell_of("knn"), noise, {}, run).save(tmp_path)
    state = tmp_path / "state.json"
    state.write_text(state.read_text().replace('"k": 5', '"k": 0'))
    with pytest.raises(InputError, match="not a saved knn"):
        Knn().load(tmp_path)


def test_sizes(noise: TrainingData, cell_of: Cells, run: Run) -> None:
    (row,) = Knn().fit(cell_of("knn"), noise, {}, run).layers()
    assert (row.input, row.output) == ((4, 3, 2), (3,))
    assert (row.parameters, row.trained_parameters, row.macs) == (60 * 24, 0, 60 * 24)


def test_untrained_holds_nothing() -> None:
    predictor = Knn().untrained(KnnSettings(), (4, 3, 2), 4)
    items = np.zeros((2, 4, 3, 2), np.uint8)
    np.testing.assert_array_equal(predictor.predict(items), np.full((2, 4), 0.25))
