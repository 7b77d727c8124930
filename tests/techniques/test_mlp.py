"""The perceptron: defaults, accumulation, determinism, vectors, divergence, saving."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Run, TrainingData
from bakeoff.techniques import find
from bakeoff.techniques.mlp import Mlp, MlpSettings
from bakeoff.techniques.perceptrons import PerceptronPredictor

Cells = Callable[..., Cell]
SMALL = {"model": {"hidden": [9, 5]}, "training": {"epochs": 2}}


def test_the_defaults_are_good_on_digits(digits: TrainingData, cell_of: Cells, run: Run) -> None:
    predictor = Mlp().fit(cell_of("mlp", model={"hidden": [64]}), digits, {}, run)
    guesses = predictor.predict(digits.validation.items).argmax(axis=1)
    assert (guesses == digits.validation.labels).mean() > 0.95


def test_accumulated_updates_are_those_of_whole_batches(
    noise: TrainingData, cell_of: Cells, new_run: Callable[[int], Run]
) -> None:
    whole = Mlp().fit(cell_of("mlp", **SMALL), noise, {}, new_run(0))
    parts = SMALL | {"training": {"epochs": 2, "accumulate": 3}}
    cut = Mlp().fit(cell_of("mlp", **parts), noise, {}, new_run(0))
    for path, values in whole.network.parameters.items():
        np.testing.assert_allclose(cut.network.parameters[path], values, rtol=1e-3, atol=1e-5)


def test_same_seed_same_bits(
    noise: TrainingData, cell_of: Cells, new_run: Callable[[int], Run]
) -> None:
    cell, items = cell_of("mlp", **SMALL), noise.validation.items
    one, two, other = (Mlp().fit(cell, noise, {}, new_run(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.predict(items), two.predict(items))
    assert (one.predict(items) != other.predict(items)).any()


def test_saved_and_loaded_gives_the_same_bits(
    noise: TrainingData, cell_of: Cells, run: Run, tmp_path: Path
) -> None:
    predictor = Mlp().fit(cell_of("mlp", **SMALL), noise, {}, run)
    predictor.save(tmp_path)
    again = find("mlp").load(tmp_path)
    assert isinstance(again, PerceptronPredictor)
    items = np.asarray(noise.train.items)
    np.testing.assert_array_equal(again.predict(items), predictor.predict(items))
    np.testing.assert_array_equal(again.predict(items[7:8]), predictor.predict(items)[7:8])
    np.testing.assert_array_equal(again.represent(items), predictor.represent(items))


def test_it_represents_by_its_last_hidden_layer(
    noise: TrainingData, cell_of: Cells, run: Run
) -> None:
    predictor = Mlp().fit(cell_of("mlp", **SMALL), noise, {}, run)
    items = np.asarray(noise.train.items)
    vectors = predictor.represent(items)
    assert vectors.shape == (60, 5)
    assert (vectors >= 0).all()
    weight = predictor.network.parameters["output.weight"]
    logits = vectors @ weight.T + predictor.network.parameters["output.bias"]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predictor.predict(items), shares, rtol=1e-4)
    np.testing.assert_array_equal(predictor.represent(items[3:4]), vectors[3:4])


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"model.normalisation": "batch"},
        {"model.activation": "swish", "model.dropout": 0.5},
        {"training.loss": "hinge", "training.optimizer": "sgd"},
        {"training.l1": 1.0, "training.clip": 1e30},
    ],
    ids=lambda changed: ", ".join(changed) or "plain",
)
def test_divergence_is_noticed_without_a_warning(
    changed: dict[str, Any], noise: TrainingData, cell_of: Cells, new_run: Callable[[int], Run]
) -> None:
    training = {"epochs": 4, "learning_rate": 1e30, "batch_size": 10, "schedule": "constant"}
    wild: dict[str, Any] = {"model": {"hidden": [9, 5]}, "training": training}
    for path, value in changed.items():
        section, field = path.split(".")
        wild[section] = wild[section] | {field: value}
    run = new_run(0)
    predictor = Mlp().fit(cell_of("mlp", **wild), noise, {}, run)
    assert run.fitted[0].diverged_at is not None  # type: ignore[attr-defined]
    assert predictor.predict(noise.validation.items).shape == (20, 3)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": {"hidden": [32], "activation": "leaky-relu", "initialisation": "glorot"}},
        {"model": {"hidden": [32], "activation": "sigmoid"}, "training": {"learning_rate": 0.3}},
        {"model": {"hidden": [32], "normalisation": "batch"}},
        {"model": {"hidden": [32], "activation": "tanh", "initialisation": "lecun"}},
        {"model": {"hidden": [32], "activation": "swish", "normalisation": "layer"}},
        {"model": {"hidden": [64], "dropout": 0.3}},
        {"model": {"hidden": [32]}, "training": {"loss": "hinge", "epochs": 20}},
        {"model": {"hidden": [32]}, "training": {"optimizer": "rmsprop", "learning_rate": 0.002}},
        {"model": {"hidden": [32]}, "training": {"l1": 1e-4, "max_norm": 3, "clip": 1}},
    ],
    ids=lambda changed: str(changed),
)
def test_every_part_learns_digits(
    changed: dict[str, Any], digits: TrainingData, cell_of: Cells, run: Run
) -> None:
    sections = changed | {"training": {"epochs": 8} | changed.get("training", {})}
    predictor = Mlp().fit(cell_of("mlp", **sections), digits, {}, run)
    shares = predictor.predict(digits.validation.items)
    assert (shares.argmax(axis=1) == digits.validation.labels).mean() > 0.9
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


def test_zeros_learn_the_classes_shares_alone(
    digits: TrainingData, cell_of: Cells, run: Run
) -> None:
    """Why not: no gradient passes weights of 0, so that every image gets the same answer."""
    cell = cell_of("mlp", model={"initialisation": "zero"}, training={"epochs": 2})
    predictor = Mlp().fit(cell, digits, {}, run)
    assert not predictor.network.parameters["hidden-1.weight"].any()
    assert len(np.unique(predictor.predict(digits.validation.items), axis=0)) == 1


def test_batch_norm_is_not_learnt_in_parts(noise: TrainingData, cell_of: Cells, run: Run) -> None:
    sections = {"model": {"normalisation": "batch"}, "training": {"epochs": 1, "accumulate": 2}}
    with pytest.raises(InputError, match=r"training\.accumulate: 2 received"):
        Mlp().fit(cell_of("mlp", **sections), noise, {}, run)


def test_dropout_in_parts_is_that_of_whole_batches(
    noise: TrainingData, cell_of: Cells, new_run: Callable[[int], Run]
) -> None:
    model = {"hidden": [9, 5], "dropout": 0.4}
    whole, cut = (
        Mlp().fit(
            cell_of("mlp", model=model, training={"epochs": 2, "accumulate": parts}),
            noise,
            {},
            new_run(0),
        )
        for parts in (1, 3)
    )
    for path, values in whole.network.parameters.items():
        np.testing.assert_allclose(cut.network.parameters[path], values, rtol=1e-3, atol=1e-5)


def test_a_saved_network_has_its_averages(
    noise: TrainingData, cell_of: Cells, run: Run, tmp_path: Path
) -> None:
    cell = cell_of("mlp", model={"hidden": [9], "normalisation": "batch"}, training={"epochs": 2})
    predictor = Mlp().fit(cell, noise, {}, run)
    assert predictor.network.averages["batch-norm-1.running_mean"].any()
    predictor.save(tmp_path)
    items = noise.validation.items
    np.testing.assert_array_equal(
        find("mlp").load(tmp_path).predict(items), predictor.predict(items)
    )


def test_settings_that_make_no_network_are_refused() -> None:
    with pytest.raises(InputError, match=r"model\.hidden"):
        MlpSettings.parse({"model": {"hidden": []}})
    with pytest.raises(InputError, match=r"model\.hidden\.1"):
        MlpSettings.parse({"model": {"hidden": [3, 0]}})
    with pytest.raises(InputError, match="activation"):
        MlpSettings.parse({"model": {"activation": "rellu"}})
    for wrong in ({"dropout": 1}, {"normalisation": "group"}, {"initialisation": "xavier"}):
        with pytest.raises(InputError, match=rf"model\.{next(iter(wrong))}"):
            MlpSettings.parse({"model": wrong})
    with pytest.raises(InputError, match=r"training\.loss"):
        MlpSettings.parse({"training": {"loss": "mse"}})


def test_wrong_shapes_are_told() -> None:
    predictor = Mlp().untrained(MlpSettings(), (4, 3, 2), 3)
    with pytest.raises(InputError, match=r"mlp: images \(N, 4, 3, 2\) uint8 needed"):
        predictor.represent(np.zeros((1, 4, 3, 3), np.uint8))


def test_untrained_knows_its_sizes() -> None:
    settings = MlpSettings.parse({"model": {"hidden": [512]}})
    predictor = Mlp().untrained(settings, (32, 32, 3), 10)
    assert sum(row.parameters for row in predictor.layers()) == 3072 * 512 + 512 + 5120 + 10
    assert sum(row.macs for row in predictor.layers()) == 3072 * 512 + 5120
