"""The convolutional network as a technique: fits, predicts, comes back with the same bits."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.techniques.conftest import MemoryRun

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.classification import Classification
from bakeoff.core.errors import InputError, Interrupted
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import (
    Batches,
    Fitted,
    LoopPlan,
    Normaliser,
    Representer,
    Step,
    TrainingData,
)
from bakeoff.core.recipe import DataSettings, Numerics, Recipe
from bakeoff.core.streams import Streams
from bakeoff.models.simple_cnn import SimpleCnn
from bakeoff.techniques import find
from bakeoff.techniques.cnn import Cnn, CnnSettings, TorchPredictor
from bakeoff.training.loop import Surroundings, run_loop

SHAPE, CLASSES = (8, 8, 3), ("dark", "grey", "light")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose time to more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def examples(count: int, seed: int) -> Examples:
    """Images whose class is their brightness."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(CLASSES), count)
    images = generator.integers(0, 80, (count, *SHAPE)) + 80 * labels[:, None, None, None]
    return Examples(images.astype(np.uint8), labels, np.arange(count).astype(np.str_))


def data(modality: Any = "image") -> TrainingData:
    train = examples(96, 0)
    normaliser = Normaliser(np.full(3, 0.45, np.float32), np.full(3, 0.27, np.float32))
    return TrainingData(Classification(CLASSES), modality, train, examples(40, 1), normaliser)


def cell(settings: Mapping[str, Any], precision: Any = "bfloat16", seed: int = 0) -> Cell:
    base = {"model": {"width": 4}, "training": {"epochs": 6, "batch_size": 16}}
    recipe = Recipe(
        name="cnn",
        technique="cnn",
        data=DataSettings(set="none"),
        numerics=Numerics(device="cpu", precision=precision, threads=1),
        settings=CnnSettings.parse(base | dict(settings)),
    )
    return Cell(recipe, Replicate(seed=seed), "", "", Cnn.version)


def fit(settings: Mapping[str, Any], **numerics: Any) -> tuple[TorchPredictor, MemoryRun]:
    chosen = cell(settings, **numerics)
    run = MemoryRun(chosen.replicate.seed)
    return Cnn().fit(chosen, data(), {}, run), run


@cache
def fitted() -> tuple[TorchPredictor, MemoryRun]:
    """With all a model can have."""
    model = {"width": 4, "batch_norm": True, "dropout": 0.2, "activation": "swish"}
    return fit({"model": model, "augmentation": {"flip": True, "crop": 1}})


def test_it_is_found_by_name() -> None:
    assert isinstance(find("cnn"), Cnn)


def test_loss_falls_and_it_learns() -> None:
    predictor, run = fitted()
    losses = [row["train/loss"] for row in run.rows]
    assert losses[-1] < 0.5 * losses[0]
    held_out = examples(200, 2)
    assert (predictor.predict(held_out.items).argmax(1) == held_out.labels).mean() > 0.9


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_same_seed_same_bits(precision: str) -> None:
    items = examples(30, 2).items
    settings = {"training": {"iterations": 8}, "augmentation": {"flip": True}}
    first, again, other = (
        fit(settings, precision=precision, seed=seed)[0].predict(items) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_bits_survive_saving(tmp_path: Path) -> None:
    predictor, _ = fitted()
    items = examples(150, 2).items
    predictor.save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"model.safetensors", "state.json"}
    loaded = Cnn().load(tmp_path)
    assert np.array_equal(loaded.predict(items), predictor.predict(items))
    assert np.array_equal(loaded.represent(items), predictor.represent(items))
    assert loaded.classes == CLASSES
    assert loaded.layers() == predictor.layers()


def test_predictions_do_not_depend_on_the_batch() -> None:
    predictor, _ = fitted()
    items = np.asarray(examples(150, 2).items)
    whole = predictor.predict(items)
    order = np.random.default_rng(0).permutation(150)
    assert np.array_equal(predictor.predict(items[order]), whole[order])
    one_by_one = np.concatenate([predictor.predict(items[i : i + 1]) for i in range(5)])
    assert np.array_equal(one_by_one, whole[:5])
    assert predictor.predict(items[:0]).shape == (0, 3)


def test_validation_scores_are_those_of_the_predictor() -> None:
    """What selected the weights is what a user gets."""
    predictor, run = fitted()
    held_out = data().validation
    scores = Classification(CLASSES).score(held_out.labels, predictor.predict(held_out.items))
    best = max(run.rows, key=lambda row: row["validation/accuracy"])
    assert best["validation/log_loss"] == scores["log_loss"]


def test_representation() -> None:
    predictor, _ = fitted()
    represent: Representer = predictor
    vectors = represent.represent(examples(5, 2).items)
    assert vectors.shape == (5, 8)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize(
    ("items", "received"),
    [
        (np.zeros((2, 9, 8, 3), np.uint8), r"\(2, 9, 8, 3\) uint8"),
        (np.zeros((2, 8, 8, 1), np.uint8), r"\(2, 8, 8, 1\) uint8"),
        (np.zeros((8, 8, 3), np.uint8), r"\(8, 8, 3\) uint8"),
        (np.zeros((2, 8, 8, 3), np.float32), "float32"),
        (["a text"], "list"),
    ],
)
def test_items_of_another_kind_are_refused(items: Any, received: str) -> None:
    predictor, _ = fitted()
    for use in (predictor.predict, predictor.represent):
        with pytest.raises(InputError, match=rf"\(N, 8, 8, 3\) uint8 needed, .*{received}"):
            use(items)


def test_texts_are_refused() -> None:
    texts = replace(data("text"), normaliser=None)
    with pytest.raises(InputError, match="cnn: images needed, text received"):
        Cnn().fit(cell({}), texts, {}, MemoryRun(0))


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"augmentation": {"crop": 8}}, r"augmentation\.crop: 8 received .allowed: 0 to 7"),
        ({"prediction": {"shift": 8}}, r"prediction\.shift: 8 received .allowed: 0 to 7"),
        (
            {"model": {"batch_norm": True}, "training": {"epochs": 1, "accumulate": 2}},
            r"training\.accumulate: 2 received",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        fit(settings)


def test_misspelt_settings_are_all_told() -> None:
    with pytest.raises(InputError) as caught:
        CnnSettings.parse({"model": {"widht": 4}, "training": {"epoch": 2}, "augment": {}})
    told = "\n".join(caught.value.faults)
    for path, near in [
        ("model.widht", "width"),
        ("training.epoch", "epochs"),
        ("augment", "augmentation"),
    ]:
        assert f"{path}: unknown field; did you mean '{near}'?" in told


def test_iterations_take_the_place_of_epochs() -> None:
    settings = CnnSettings.parse({"training": {"iterations": 5}})
    assert (settings.training.epochs, settings.training.iterations) == (None, 5)


def test_variants_start_from_the_same_weights() -> None:
    """A variant with batch norm draws the same weights for the layers both have."""

    class Stopped(MemoryRun):
        def loop(self, phase: str, step: Step, batches: Batches, plan: LoopPlan) -> Fitted:
            self.initial = step.state()
            return Fitted(0, 0)

    runs = []
    for norm in (False, True):
        run = Stopped(5)
        Cnn().fit(cell({"model": {"width": 4, "batch_norm": norm}}), data(), {}, run)
        runs.append(run.initial)
    shared = [name for name in runs[0] if name in runs[1] and name.endswith(".weight")]
    assert len(shared) == 5
    assert all(np.array_equal(runs[0][name], runs[1][name]) for name in shared)


def test_accumulation_learns_the_same() -> None:
    items = examples(30, 2).items
    training = {"epochs": 2, "batch_size": 32}
    dropout = {"width": 4, "dropout": 0.3}
    whole, cut = (
        fit({"model": dropout, "training": training | more}, precision="float32")[0].predict(items)
        for more in ({}, {"accumulate": 4})
    )
    np.testing.assert_allclose(cut, whole, rtol=1e-3, atol=1e-5)


class OnDisk(MemoryRun):
    """A run with checkpoints, stopped by a signal after some steps."""

    def __init__(self, folder: Path, steps: int) -> None:
        super().__init__(0)
        self.folder, self.left = folder, steps

    def check(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Interrupted(15)

    def loop(self, phase: str, step: Step, batches: Batches, plan: LoopPlan) -> Fitted:
        where = Surroundings(folder=self.folder / phase, phase=phase, check=self.check)
        fitted, self.progress = run_loop(step, batches, plan, where)
        self.fitted.append(fitted)
        return fitted


def not_finite(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bfloat16 the network fails in the update `at`, wherever it is made."""
    seed, forward = Streams(0).integer("torch", at), SimpleCnn.forward

    def poisoned(self: SimpleCnn, images: torch.Tensor) -> torch.Tensor:
        logits = forward(self, images)
        low = torch.is_autocast_enabled("cpu") and self.training
        return logits * torch.nan if low and torch.initial_seed() == seed else logits

    monkeypatch.setattr(SimpleCnn, "forward", poisoned)


@pytest.mark.parametrize("at", [3, 8])
def test_numbers_that_are_not_finite_in_bfloat16_do_not_destroy_a_fit(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on in float32 from the validation before, and does so wherever it is stopped."""
    not_finite(at, monkeypatch)
    given = cell({"training": {"epochs": 3, "batch_size": 16, "restore_best": False}})
    items = examples(20, 2).items
    run = OnDisk(tmp_path / "whole", 0)
    unbroken = Cnn().fit(given, data(), {}, run)
    assert run.fitted[0] == Fitted(18, 18)
    back = at // 6 * 6
    assert run.progress.notes == [
        f"numbers were not finite by update {back + 6}: went back to update {back}, and on from "
        "there in full precision"
    ]
    assert unbroken.inference.precision == "float32"
    for steps in (2, 7, 9, 13, 20):
        with pytest.raises(Interrupted):
            Cnn().fit(given, data(), {}, OnDisk(tmp_path / str(steps), steps))
        resumed = Cnn().fit(given, data(), {}, OnDisk(tmp_path / str(steps), 0))
        assert np.array_equal(resumed.predict(items), unbroken.predict(items)), steps


def test_numbers_that_are_not_finite_in_float32_diverge() -> None:
    training = {"epochs": 2, "batch_size": 16, "learning_rate": 1e30, "optimizer": "sgd"}
    for precision in ("float32", "bfloat16"):
        _, run = fit({"training": training}, precision=precision)
        assert run.fitted[0].diverged_at == 6


@pytest.mark.parametrize("switch", [{"resident": False}, {"compile": "auto"}])
def test_where_images_lie_changes_no_bit(switch: dict[str, Any]) -> None:
    """Nor what is left to `auto` outside of a study."""
    given = cell({"augmentation": {"flip": True, "crop": 1}, "training": {"iterations": 8}})
    recipe = given.recipe
    changed = recipe.model_copy(update={"numerics": recipe.numerics.model_copy(update=switch)})
    items = examples(20, 2).items
    one, other = (
        Cnn().fit(replace(given, recipe=some), data(), {}, MemoryRun(0)).predict(items)
        for some in (recipe, changed)
    )
    assert np.array_equal(one, other)


def test_images_lie_channel_by_channel_where_that_is_asked_for(tmp_path: Path) -> None:
    given = cell({"training": {"iterations": 2}})
    numerics = given.recipe.numerics.model_copy(update={"channels_last": False})
    recipe = given.recipe.model_copy(update={"numerics": numerics})
    predictor = Cnn().fit(replace(given, recipe=recipe), data(), {}, MemoryRun(0))
    predictor.save(tmp_path)
    assert not Cnn().load(tmp_path).inference.channels_last
    inputs = predictor.inference.inputs(torch.from_numpy(np.asarray(examples(2, 0).items)))
    assert inputs.is_contiguous()
    assert predictor.inference.module.conv1.weight.is_contiguous()  # type: ignore[union-attr,operator]


@pytest.mark.parametrize("optimizer", ["nesterov", "adamw"])
def test_stopped_anywhere_it_ends_with_the_same_bits(tmp_path: Path, optimizer: str) -> None:
    """Before, at and after a validation; and three times in one run."""
    settings = cell(
        {
            "model": {"width": 4, "batch_norm": True, "dropout": 0.3},
            "training": {"epochs": 3, "batch_size": 16, "optimizer": optimizer, "l2": 0.01},
            "augmentation": {"flip": True, "crop": 1},
        }
    )
    items = examples(20, 2).items
    unbroken = Cnn().fit(settings, data(), {}, OnDisk(tmp_path / "whole", 0)).predict(items)
    for name, stops in {"a": [1], "b": [6], "c": [8], "d": [2, 5, 7]}.items():
        for steps in stops:
            with pytest.raises(Interrupted):
                Cnn().fit(settings, data(), {}, OnDisk(tmp_path / name, steps))
        resumed = Cnn().fit(settings, data(), {}, OnDisk(tmp_path / name, 0)).predict(items)
        assert np.array_equal(resumed, unbroken), name


EVERYTHING: dict[str, Any] = {
    "model": {"width": 4, "batch_norm": True, "dropout": 0.3},
    "training": {
        "epochs": 3,
        "batch_size": 16,
        "optimizer": "muon",
        "other_learning_rate": 0.05,
        "label_smoothing": 0.1,
        "lookahead": {"every": 4},
        "averaging": {"decay": 0.9, "every": 2},
    },
    "augmentation": {"flip": "alternating", "crop": 1, "cutout": 2, "mixup": 0.3},
    "prediction": {"mirror": True, "shift": 1},
}
"""Every field that changes how it learns and predicts."""


def test_stopped_anywhere_with_everything_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    items, settings = examples(20, 2).items, cell(EVERYTHING)
    whole = Cnn().fit(settings, data(), {}, OnDisk(tmp_path / "whole", 0))
    for name, stops in {"a": [1], "b": [6], "c": [8], "d": [2, 5, 7]}.items():
        for steps in stops:
            with pytest.raises(Interrupted):
                Cnn().fit(settings, data(), {}, OnDisk(tmp_path / name, steps))
        resumed = Cnn().fit(settings, data(), {}, OnDisk(tmp_path / name, 0))
        assert np.array_equal(resumed.predict(items), whole.predict(items)), name
        for path, tensor in whole.inference.module.state_dict().items():
            assert torch.equal(resumed.inference.module.state_dict()[path], tensor), (name, path)


def test_with_everything_it_learns_and_validates_as_it_predicts(tmp_path: Path) -> None:
    training = EVERYTHING["training"] | {"epochs": 20}
    predictor, run = fit(EVERYTHING | {"training": training})
    held_out = data().validation
    scores = Classification(CLASSES).score(held_out.labels, predictor.predict(held_out.items))
    best = max(run.rows, key=lambda row: row["validation/accuracy"])
    assert best["validation/log_loss"] == scores["log_loss"]
    assert scores["accuracy"] > 0.8
    predictor.save(tmp_path)
    loaded = Cnn().load(tmp_path)
    assert np.array_equal(loaded.predict(held_out.items), predictor.predict(held_out.items))
    assert np.array_equal(loaded.represent(held_out.items), predictor.represent(held_out.items))
    assert loaded.layers() == predictor.layers()


@pytest.mark.parametrize(
    ("section", "field"),
    [
        ("training", {"label_smoothing": 0.2}),
        ("training", {"lookahead": {"every": 2}}),
        ("training", {"averaging": {"decay": 0.5}}),
        ("training", {"optimizer": "muon"}),
        ("augmentation", {"mixup": 0.5}),
        ("prediction", {"mirror": True}),
        ("prediction", {"shift": 1}),
    ],
)
def test_every_field_does_something(section: str, field: dict[str, Any]) -> None:
    items, base = examples(30, 2).items, {"iterations": 8}
    plain, _ = fit({"training": base})
    content = {"training": base} | {section: field | (base if section == "training" else {})}
    changed, _ = fit(content)
    assert not np.array_equal(changed.predict(items), plain.predict(items))


@pytest.mark.parametrize(
    ("prediction", "views"),
    [({"mirror": True}, 2), ({"shift": 2}, 3), (EVERYTHING["prediction"], 6)],
)
def test_every_view_is_paid_for(prediction: dict[str, Any], views: int) -> None:
    one = Cnn().untrained(CnnSettings(), SHAPE, 3).layers()
    several = Cnn().untrained(CnnSettings.parse({"prediction": prediction}), SHAPE, 3).layers()
    assert [row.macs for row in several] == [views * row.macs for row in one]
    assert [row.parameters for row in several] == [row.parameters for row in one]


def test_predictors_saved_before_there_were_views_are_read(tmp_path: Path) -> None:
    predictor, _ = fitted()
    predictor.save(tmp_path)
    state = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    del state["prediction"]
    (tmp_path / "state.json").write_text(json.dumps(state), encoding="utf-8")
    items = examples(20, 2).items
    assert np.array_equal(Cnn().load(tmp_path).predict(items), predictor.predict(items))


def test_untrained_has_the_sizes_of_the_trained() -> None:
    predictor, _ = fitted()
    untrained = Cnn().untrained(predictor_settings(), SHAPE, 3)
    assert untrained.layers() == predictor.layers()
    assert untrained.predict(examples(2, 0).items).shape == (2, 3)


def predictor_settings() -> CnnSettings:
    predictor, _ = fitted()
    return CnnSettings(model=predictor.settings)


def test_layers_count_the_parameters_that_are_saved(tmp_path: Path) -> None:
    predictor, _ = fitted()
    parameters = sum(p.numel() for p in predictor.inference.module.parameters())
    assert sum(row.parameters for row in predictor.layers()) == parameters


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("classes"),
        lambda state: state["model"].update(width=5),
        lambda state: state["model"].update(name="none"),
        lambda state: state.update(shape=[2, 2, 3]),
        lambda state: state.update(precision="half"),
        lambda state: state.update(prediction={"mirror": "often"}),
    ],
)
def test_damaged_folders_are_refused(tmp_path: Path, damage: Callable[[Any], Any]) -> None:
    predictor, _ = fitted()
    predictor.save(tmp_path)
    state = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    damage(state)
    (tmp_path / "state.json").write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(InputError, match="not a saved cnn"):
        Cnn().load(tmp_path)


def test_fitting_leaves_the_users_generator_alone() -> None:
    torch.manual_seed(7)
    wanted = torch.rand(2)
    torch.manual_seed(7)
    fit({"model": {"width": 4, "dropout": 0.5}, "training": {"iterations": 2}})
    assert torch.equal(torch.rand(2), wanted)
