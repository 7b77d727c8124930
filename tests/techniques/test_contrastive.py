"""The contrastive technique: it learns, refuses what it cannot compare, says when it collapsed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.techniques.conftest import MemoryRun, image_data

from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Batches, Fitted, Guarded, LoopPlan, Step, TrainingData
from bakeoff.core.streams import Streams
from bakeoff.techniques.cnn import Cnn, CnnSettings
from bakeoff.techniques.contrast import COLLAPSED, ContrastiveSettings
from bakeoff.techniques.contrastive import Contrastive, ContrastivePredictor
from bakeoff.techniques.encoders import vectors_and_guesses

Cells = Callable[..., Cell]
SMALL = {"name": "mlp", "hidden": [64]}
TRAINING = {"epochs": 4, "batch_size": 100, "learning_rate": 0.003}
TRIPLET = {"name": "triplet", "margin": 0.3}
CONTRAST = {"name": "supervised-contrastive"}


def fitted(data: TrainingData, cell: Cell, run: MemoryRun | None = None) -> ContrastivePredictor:
    torch.set_num_threads(1)
    predictor = Contrastive().fit(cell, data, {}, run or MemoryRun())
    assert isinstance(predictor, ContrastivePredictor)
    return predictor


@pytest.mark.parametrize(
    "loss",
    [
        {**TRIPLET, "mining": "random"},
        {**TRIPLET, "mining": "semi-hard"},
        {**TRIPLET, "mining": "batch-hard"},
        CONTRAST,
    ],
    ids=["random", "semi-hard", "batch-hard", "supervised-contrastive"],
)
def test_it_learns_digits(digits: TrainingData, cell_of: Cells, loss: dict[str, object]) -> None:
    run = MemoryRun()
    cell = cell_of("contrastive", model=SMALL, loss=loss, training=TRAINING)
    predictor = fitted(digits, cell, run)
    guesses = predictor.predict(digits.validation.items).argmax(axis=1)
    assert (guesses == digits.validation.labels).mean() > 0.8
    vectors = predictor.represent(digits.validation.items)
    assert vectors.shape == (450, 128)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    first, last = run.rows[0], run.rows[-1]
    assert last["train/positive_distance"] < last["train/negative_distance"] / 1.5
    before = first["train/negative_distance"] / first["train/positive_distance"]
    assert last["train/negative_distance"] / last["train/positive_distance"] > before
    assert ("train/active" in last) == (loss["name"] == "triplet")
    assert "train/accuracy" not in last
    assert last["validation/accuracy"] == pytest.approx(
        (guesses == digits.validation.labels).mean(), abs=0.03
    )


SPEEDRUN = {"name": "speedrun", "widths": [4, 6, 10]}


@pytest.mark.parametrize(
    ("model", "vector", "size"),
    [
        ({"name": "lenet"}, {"dimension": 16}, 16),
        ({"name": "lenet"}, {"dimension": None}, 84),
        ({"name": "resnet20", "width": 2}, {"dimension": None, "normalise": False}, 8),
        ({"name": "vgg-encoder", "dimension": 12, "hidden": 16}, {"dimension": None}, 12),
        (SPEEDRUN, {"dimension": 16}, 16),
        (SPEEDRUN, {"dimension": None, "normalise": False}, 10),
    ],
)
def test_every_trunk_gives_vectors(
    cell_of: Cells,
    model: dict[str, object],
    vector: dict[str, object],
    size: int,
    tmp_path: Path,
) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(40) % 2
    items = generator.integers(0, 100, (40, 16, 16, 3)) + 100 * labels[:, None, None, None]
    data = image_data(items.astype(np.uint8), labels, 8, 2)
    training = {"iterations": 3, "batch_size": 8}
    run = MemoryRun()
    cell = cell_of("contrastive", model=model, vector=vector, training=training)
    predictor = fitted(data, cell, run)
    vectors = predictor.represent(data.validation.items)
    assert vectors.shape == (8, size)
    on_sphere = np.allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-4)
    assert on_sphere == vector.get("normalise", True)
    assert predictor.layers()[-1].weights == {"means": (2, size)}
    predictor.save(tmp_path)
    again = Contrastive().load(tmp_path)
    np.testing.assert_array_equal(again.represent(data.validation.items), vectors)
    assert again.layers() == predictor.layers()


def test_validation_selects_with_what_predicts(digits: TrainingData, cell_of: Cells) -> None:
    run = MemoryRun()
    training = {"iterations": 12, "batch_size": 40, "validate_every": 3}
    predictor = fitted(digits, cell_of("contrastive", model=SMALL, training=training), run)
    guesses = predictor.predict(digits.validation.items).argmax(axis=1)
    best = max(row["validation/accuracy"] for row in run.rows)
    assert (guesses == digits.validation.labels).mean() == best


def test_collapse_is_judged_in_the_precision_of_the_encoder(
    digits: TrainingData, cell_of: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakeoff.core.collapse.SHARES", {"float32": 0.0, "bfloat16": 1e9})
    training = {"iterations": 2, "batch_size": 40}
    for precision in ("float32", "bfloat16"):
        numerics = {"precision": precision}
        cell = cell_of("contrastive", model=SMALL, training=training, numerics=numerics)
        predictor = fitted(digits, cell, MemoryRun())
        assert predictor.prototypes.collapsed == (precision == "bfloat16")


def test_a_collapsed_encoder_is_told(digits: TrainingData, cell_of: Cells) -> None:
    """Images that are all the same are one point."""
    blank = replace(digits.train, items=np.full((1347, 8, 8, 1), 9, np.uint8))
    run, notes = MemoryRun(), list[str]()
    loop = run.loop

    def listening(phase: str, step: Step, batches: Batches, plan: LoopPlan) -> Fitted:
        found = loop(phase, step, batches, plan)
        assert isinstance(step, Guarded)
        notes.extend(step.notes)
        return found

    run.loop = listening  # type: ignore[method-assign]
    training = {"iterations": 2, "batch_size": 40}
    cell = cell_of("contrastive", model=SMALL, training=training)
    predictor = fitted(replace(digits, train=blank), cell, run)
    assert predictor.prototypes.collapsed
    assert notes == [COLLAPSED]
    probabilities = predictor.predict(digits.validation.items)
    np.testing.assert_array_equal(probabilities, np.full((450, 10), 0.1, np.float32))


def test_vectors_and_guesses_need_one_pass(
    digits: TrainingData, cell_of: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = {"iterations": 4, "batch_size": 40}
    predictor = fitted(digits, cell_of("contrastive", model=SMALL, training=training))
    items = digits.validation.items
    vectors, guesses = predictor.represent(items), predictor.predict(items).argmax(axis=1)
    passed: list[int] = []
    features = predictor.inference.features

    def counting(images: np.ndarray) -> np.ndarray:
        passed.append(len(images))
        return features(images)

    monkeypatch.setattr(predictor.inference, "features", counting)
    found = vectors_and_guesses(predictor, items)
    assert passed == [450]
    np.testing.assert_array_equal(found[0], vectors)
    np.testing.assert_array_equal(found[1], guesses)


def test_one_example_of_a_class_is_refused(digits: TrainingData, cell_of: Cells) -> None:
    kept = np.flatnonzero(digits.train.labels != 3)
    one = np.flatnonzero(digits.train.labels == 3)[:1]
    data = replace(digits, train=digits.train.take(np.sort(np.concatenate([kept, one]))))
    with pytest.raises(InputError, match="1 training example received of 3: it has no"):
        fitted(data, cell_of("contrastive", model=SMALL))


def test_one_class_is_refused(digits: TrainingData, cell_of: Cells) -> None:
    data = replace(digits, train=digits.train.take(np.flatnonzero(digits.train.labels == 3)))
    with pytest.raises(InputError, match="1 class received"):
        fitted(data, cell_of("contrastive", model=SMALL))


def test_texts_are_refused(texts: TrainingData, cell_of: Cells) -> None:
    with pytest.raises(InputError, match="images needed, text received"):
        fitted(texts, cell_of("contrastive"))


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"loss": {"margin": -1}}, r"loss\.margin: .*greater than 0 \(received -1\)"),
        ({"loss": {"name": "tripet"}}, r"loss.*'triplet'"),
        ({"loss": CONTRAST, "vector": {"normalise": False}}, "compares by angles"),
        ({"training": {"sampling": "random"}}, "batches are balanced"),
        ({"training": {"label_smoothing": 0.1}}, "of cross-entropy"),
        (
            {"training": {"classes_per_batch": 1}},
            r"classes_per_batch: .*greater than or equal to 2",
        ),
        ({"augmentation": {"mixup": 0.2}}, "does not blend images"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    cell_of: Cells, sections: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        cell_of("contrastive", **sections)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"batch_size": 3}, "training.batch_size: 3 received"),
        (
            {"classes_per_batch": 3, "batch_size": 64},
            r"classes_per_batch: 3 received \(allowed: 2 to 2.* of 2 classes",
        ),
        ({"accumulate": 2}, "cannot be trained in parts"),
    ],
)
def test_batches_that_cannot_be_are_refused_before_anything_runs(
    training: dict[str, object], message: str
) -> None:
    settings = ContrastiveSettings.parse({"training": training})
    with pytest.raises(InputError, match=message):
        Contrastive().check(settings, Offer((8, 8, 1), 1000, {"a": 50, "b": 50}))


def test_the_trunk_starts_as_cnn_does(digits: TrainingData) -> None:
    ours = Contrastive().untrained(ContrastiveSettings(), (8, 8, 1), 10)
    settings = CnnSettings()
    theirs = Cnn().beginning(settings, digits, Streams(0)).inference.module
    mine = dict(ours.inference.module.named_parameters())
    for name, values in theirs.named_parameters():
        if not name.startswith("output"):
            torch.testing.assert_close(mine[f"trunk.{name}"], values)
