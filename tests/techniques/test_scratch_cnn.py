"""The convolutional network in NumPy: learning, augmentation, refusals."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Run, TrainingData
from bakeoff.techniques.scratch_cnn import ScratchCnn, ScratchCnnModel, ScratchCnnSettings

Cells = Callable[..., Cell]


@pytest.mark.parametrize(
    "model",
    [
        {"channels": [16, 32]},
        {"channels": [8, 16], "convolutions": 2, "residual": True, "activation": "swish"},
        {"channels": [16], "normalisation": "layer", "pooling": "average", "hidden": [32]},
        {"channels": [16, 16], "normalisation": "none", "dropout": 0.2, "kernel": 5},
    ],
    ids=["batch", "residual", "layer", "plain"],
)
def test_it_learns_digits(
    model: dict[str, Any], digits: TrainingData, cell_of: Cells, run: Run
) -> None:
    cell = cell_of("scratch-cnn", model=model, training={"epochs": 6, "batch_size": 32})
    predictor = ScratchCnn().fit(cell, digits, {}, run)
    guesses = predictor.predict(digits.validation.items).argmax(axis=1)
    assert (guesses == digits.validation.labels).mean() > 0.95


def test_augmented_training_differs_and_repeats(
    digits: TrainingData, cell_of: Cells, new_run: Callable[[int], Run]
) -> None:
    training = {"iterations": 6, "batch_size": 16}
    fields: dict[str, Any] = {"model": {"channels": [4]}, "training": training}
    cells = [cell_of("scratch-cnn", **fields)] + [
        cell_of("scratch-cnn", **fields, augmentation={"flip": True, "crop": 1}) for _ in range(2)
    ]
    items = digits.validation.items
    plain, one, two = (ScratchCnn().fit(c, digits, {}, new_run(0)).predict(items) for c in cells)
    np.testing.assert_array_equal(one, two)
    assert (one != plain).any()


def test_vectors_are_what_the_output_layer_sees(digits: TrainingData) -> None:
    settings = ScratchCnnSettings.parse({"model": {"channels": [3, 5], "hidden": [7]}})
    predictor = ScratchCnn().untrained(settings, (8, 8, 1), 10)
    assert predictor.represent(digits.validation.items).shape == (450, 7)


def test_divergence_is_noticed_without_a_warning(
    noise: TrainingData, cell_of: Cells, run: Any
) -> None:
    cell = cell_of(
        "scratch-cnn",
        model={"channels": [3], "normalisation": "none"},
        training={"epochs": 4, "learning_rate": 1e30, "batch_size": 10, "schedule": "constant"},
    )
    ScratchCnn().fit(cell, noise, {}, run)
    assert run.fitted[0].diverged_at is not None


def test_torch_is_never_loaded() -> None:
    code = (
        "import sys, numpy as np\n"
        "from bakeoff.techniques.scratch_cnn import ScratchCnn, ScratchCnnSettings\n"
        "p = ScratchCnn().untrained(ScratchCnnSettings(), (16, 16, 3), 10)\n"
        "p.predict(np.zeros((3, 16, 16, 3), np.uint8))\n"
        "print(*sorted({'torch', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": []}, r"model\.channels"),
        ({"channels": [3, 0]}, r"model\.channels\.1"),
        ({"kernel": 4}, "kernel: 4 received"),
        ({"residual": True}, "residual: a block of one convolution"),
        ({"pooling": "median"}, r"model\.pooling"),
        ({"dropout": 1.0}, r"model\.dropout"),
    ],
)
def test_models_that_are_none_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ScratchCnnModel.parse(wrong, "model")


def test_images_too_small_or_shifted_too_far_are_refused(
    noise: TrainingData, cell_of: Cells, run: Run
) -> None:
    with pytest.raises(InputError, match=r"model\.channels: 3 blocks"):
        ScratchCnn().fit(cell_of("scratch-cnn"), noise, {}, run)
    cell = cell_of("scratch-cnn", model={"channels": [3]}, augmentation={"crop": 3})
    with pytest.raises(InputError, match=r"augmentation\.crop: 3"):
        ScratchCnn().fit(cell, noise, {}, run)


def test_texts_are_refused(texts: TrainingData, cell_of: Cells, run: Run) -> None:
    with pytest.raises(InputError, match="scratch-cnn: images needed, text received"):
        ScratchCnn().fit(cell_of("scratch-cnn"), texts, {}, run)


def test_blending_is_refused(noise: TrainingData, cell_of: Cells, run: Run) -> None:
    told = r"^augmentation\.mixup: 0\.2 received, but scratch-cnn does not blend images"
    cell = cell_of("scratch-cnn", model={"channels": [3]}, augmentation={"mixup": 0.2})
    with pytest.raises(InputError, match=told):
        ScratchCnn().check(cell.recipe.settings, Offer((8, 8, 3), 10, {}))
    with pytest.raises(InputError, match=r"^augmentation\.mixup: 0\.2 received"):
        ScratchCnn().fit(cell, noise, {}, run)
