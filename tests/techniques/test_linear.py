"""What linear techniques share: settings refused, features by both solvers, saving, divergence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import TrainingData
from bakeoff.techniques.linear import (
    LinearPredictor,
    LinearTraining,
    fit_linear,
    load_linear,
    untrained_linear,
)
from bakeoff.techniques.logistic import Logistic, LogisticSettings
from bakeoff.techniques.saved import write_predictor
from bakeoff.techniques.softmax import Softmax, SoftmaxSettings, SoftmaxTraining

Cells = Callable[..., Cell]
PATCHES = {"name": "patches", "size": 3, "atoms": 12, "patches": 500, "grid": 2, "threshold": 0.5}


def test_lbfgs_has_iterations_of_its_own() -> None:
    found = SoftmaxTraining.parse({"solver": "lbfgs"})
    assert (found.epochs, found.iterations) == (None, LinearTraining.lbfgs_iterations)
    assert SoftmaxTraining.parse({"solver": "lbfgs", "iterations": 7}).iterations == 7
    assert SoftmaxTraining.parse(found.model_dump()) == found


def test_what_lbfgs_does_not_read_is_refused() -> None:
    told = r"training: solver lbfgs received with batch_size 32, schedule constant: it reads "
    with pytest.raises(InputError, match=told + "iterations, l2, restore_best, select, tolerance"):
        SoftmaxTraining.parse(
            {"solver": "lbfgs", "batch_size": 32, "schedule": "constant"}, "training"
        )
    with pytest.raises(InputError, match="give either epochs or iterations"):
        SoftmaxTraining.parse({"solver": "lbfgs", "epochs": 3})
    with pytest.raises(InputError, match=r"solver lbfgs received with label_smoothing 0\.1"):
        SoftmaxTraining.parse({"solver": "lbfgs", "label_smoothing": 0.1})
    with pytest.raises(InputError, match=r"solver loop received with tolerance 0\.1"):
        SoftmaxTraining.parse({"tolerance": 0.1})


def test_lbfgs_is_scikit_learns_minimum(digits: TrainingData, cell_of: Cells, run: Any) -> None:
    """Both minimise the mean loss + l2 / 2 |w|^2: scikit-learn's C is 1 / (l2 N)."""
    count, l2 = len(digits.train), 0.1
    training = {"solver": "lbfgs", "l2": l2, "restore_best": False, "tolerance": 1e-7}
    predictor = Softmax().fit(cell_of("softmax", training=training), digits, {}, run)
    assert digits.normaliser is not None
    x = digits.normaliser(np.asarray(digits.train.items)).reshape(count, -1).astype(np.float64)
    reference = LogisticRegression(C=1 / (l2 * count), tol=1e-10, max_iter=2000)
    reference.fit(x, digits.train.labels)
    weight = predictor.network.parameters["output.weight"]
    np.testing.assert_allclose(weight, reference.coef_, atol=3e-4)
    assert run.fitted[0].steps == len(run.rows)
    losses = [row["train/loss"] for row in run.rows]
    assert losses[-1] < losses[0] < np.log(10)


@pytest.mark.parametrize("solver", ["loop", "lbfgs"])
def test_patches_are_learnt_from(
    digits: TrainingData, cell_of: Cells, run: Any, solver: str, tmp_path: Path
) -> None:
    training: dict[str, Any] = {"solver": solver, "l2": 0.01}
    training |= {"iterations": 30} if solver == "lbfgs" else {"epochs": 10}
    cell = cell_of("softmax", training=training, features=PATCHES)
    predictor = Softmax().fit(cell, digits, {}, run)
    remembered = predictor.predict(digits.validation.items)
    assert (remembered.argmax(axis=1) == digits.validation.labels).mean() > 0.9
    # Encoded again, and by the predictor that was saved: the same bits.
    np.testing.assert_array_equal(predictor.predict(digits.validation.items.copy()), remembered)  # type: ignore[union-attr]
    predictor.save(tmp_path)
    again = load_linear(tmp_path, "softmax", "cpu")
    np.testing.assert_array_equal(again.predict(digits.validation.items), remembered)
    assert again.layers() == predictor.layers()
    represented = predictor.represent(np.asarray(digits.train.items))
    np.testing.assert_allclose(represented.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(represented.std(axis=0), 1, atol=0.05)
    assert list(run.solved)[:2] == ["dictionary", "features"]


def mirrored(items: Any) -> NDArray[np.uint8]:
    return np.asarray(items)[:, :, ::-1]


def symmetric(predictor: LinearPredictor) -> float:
    """How much of the weights stays where mirrored ones are taken off: 0 for none."""
    weights = predictor.network.parameters["output.weight"].reshape(-1, 8, 8, 1)
    return float(np.abs(weights - mirrored(weights)).max() / np.abs(weights).max())


def test_lbfgs_learns_from_both_orientations(
    digits: TrainingData, cell_of: Cells, run: Any
) -> None:
    """It is scikit-learn's minimum on images and their mirror images, which is symmetric."""
    count, l2 = len(digits.train), 0.1
    training = {"solver": "lbfgs", "l2": l2, "restore_best": False, "tolerance": 1e-7}
    cell = cell_of("softmax", training=training, augmentation={"flip": True})
    predictor = Softmax().fit(cell, digits, {}, run)
    assert digits.normaliser is not None
    images = np.concatenate([digits.train.items, mirrored(digits.train.items)])
    x = digits.normaliser(images).reshape(2 * count, -1).astype(np.float64)
    reference = LogisticRegression(C=1 / (l2 * 2 * count), tol=1e-10, max_iter=2000)
    reference.fit(x, np.tile(digits.train.labels, 2))
    weight = predictor.network.parameters["output.weight"]
    np.testing.assert_allclose(weight, reference.coef_, atol=3e-4)
    assert symmetric(predictor) < 1e-3
    alone = Softmax().fit(cell_of("softmax", training=training), digits, {}, run)
    assert symmetric(alone) > 0.5


def test_the_loop_changes_images_as_it_goes(
    digits: TrainingData, cell_of: Cells, new_run: Callable[[int], Any]
) -> None:
    def fit(training: dict[str, Any] | None = None, **sections: Any) -> LinearPredictor:
        own = {"epochs": 3} | (training or {})
        return Softmax().fit(cell_of("softmax", training=own, **sections), digits, {}, new_run(0))

    def weights(predictor: LinearPredictor) -> NDArray[Any]:
        return predictor.network.parameters["output.weight"]

    plain, flipped = fit(), fit(augmentation={"flip": True})
    np.testing.assert_array_equal(weights(flipped), weights(fit(augmentation={"flip": True})))
    np.testing.assert_array_equal(weights(plain), weights(fit(augmentation={})))
    assert symmetric(plain) > 0.5
    long = fit({"epochs": 40, "restore_best": False}, augmentation={"flip": True})
    assert symmetric(long) < 0.3
    # What is moved or covered is filled in with what the normaliser knows, of any kind.
    for change in ({"crop": 2}, {"cutout": 3}, {"brightness": 0.2}):
        assert np.abs(weights(fit(augmentation=change)) - weights(plain)).max() > 1e-3
    exact = {"precision": "float32"}
    elsewhere = fit(framework="torch", augmentation={"flip": True}, numerics=exact)
    np.testing.assert_allclose(weights(elsewhere), weights(flipped), atol=1e-4)


def test_augmentation_without_meaning_is_refused() -> None:
    told = r"augmentation received with patch features, .*allowed: features\.mirror"
    with pytest.raises(InputError, match=told):
        SoftmaxSettings.parse({"features": PATCHES, "augmentation": {"flip": True}})
    lbfgs = {"solver": "lbfgs"}
    for change in ({"crop": 1}, {"flip": "alternating"}, {"flip": True, "cutout": 2}):
        with pytest.raises(InputError, match=r"solver lbfgs, .*allowed: augmentation {flip: true}"):
            SoftmaxSettings.parse({"training": lbfgs, "augmentation": change})
    assert SoftmaxSettings.parse({"training": lbfgs, "augmentation": {}}).solves
    for technique, settings in ((Softmax(), SoftmaxSettings), (Logistic(), LogisticSettings)):
        too_far = settings.parse({"augmentation": {"crop": 8}})
        with pytest.raises(InputError, match=r"augmentation\.crop: 8 received .allowed: 0 to 7"):
            technique.check(too_far, Offer((8, 8, 1), 100, {}))


def test_a_great_penalty_leaves_the_frequencies(
    noise: TrainingData, cell_of: Cells, run: Any
) -> None:
    """Zero weights where the data say nothing: every class as likely as it is frequent."""
    training = {"solver": "lbfgs", "l2": 100.0, "restore_best": False}
    predictor = Softmax().fit(cell_of("softmax", training=training), noise, {}, run)
    shares = np.bincount(noise.train.labels, minlength=3) / len(noise.train)
    found = predictor.predict(noise.validation.items)
    np.testing.assert_allclose(found, np.tile(shares, (20, 1)), atol=5e-3)


def test_a_rate_that_diverges_is_told_with_its_step(
    noise: TrainingData, cell_of: Cells, run: Any
) -> None:
    training = {"iterations": 40, "learning_rate": 1e30, "l2": 0.1, "validate_every": 4}
    Softmax().fit(cell_of("softmax", training=training), noise, {}, run)
    assert run.fitted[0].diverged_at is not None


def test_texts_are_refused(texts: TrainingData, run: Any) -> None:
    with pytest.raises(InputError, match="softmax: images needed, text received"):
        fit_linear("softmax", SoftmaxSettings(), texts, run, 2)


def test_patches_that_do_not_fit_are_refused() -> None:
    for change, told in (
        ({"size": 9}, "patches of 9 pixels, images of 8 x 8"),
        ({"grid": 7}, "7 windows, but 6 positions"),
    ):
        settings = SoftmaxSettings.parse({"features": PATCHES | change})
        with pytest.raises(InputError, match=told):
            untrained_linear("softmax", settings, (8, 8, 1), 10, 10)


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    settings = SoftmaxSettings.parse({"features": PATCHES})
    predictor = untrained_linear("softmax", settings, (8, 8, 1), 5, 5)
    predictor.save(tmp_path)
    assert load_linear(tmp_path, "softmax", "cpu").features == settings.features
    state = {"technique": "softmax", "shape": [8, 8, 1], "classes": ["a"], "features": PATCHES}
    write_predictor(tmp_path, {"normaliser.mean": np.ones(2, np.float32)}, state)
    with pytest.raises(InputError, match="not a saved softmax"):
        load_linear(tmp_path, "softmax", "cpu")


def test_what_solves_says_so() -> None:
    assert not SoftmaxSettings().solves
    assert SoftmaxSettings.parse({"training": {"solver": "lbfgs"}}).solves
    assert SoftmaxSettings.parse({"features": PATCHES}).solves
