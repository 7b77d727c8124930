"""A model that looks at training images before it learns, in `cnn` and in `contrastive`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from tests.techniques.conftest import MemoryRun
from tests.techniques.test_cnn import CLASSES, OnDisk, cell

from bakeoff.core.classification import Classification
from bakeoff.core.errors import Interrupted
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Normaliser, TrainingData
from bakeoff.core.streams import Streams
from bakeoff.models.speedrun import EPSILON, Whitening, patch_statistics
from bakeoff.techniques import adapting
from bakeoff.techniques.cnn import Cnn, CnnSettings, TorchPredictor
from bakeoff.techniques.contrast import ContrastiveSettings
from bakeoff.techniques.contrastive import Contrastive

SHAPE = (9, 10, 3)
SPEEDRUN: dict[str, Any] = {
    "model": {"name": "speedrun", "widths": [4, 6, 6]},
    "training": {"epochs": 3, "batch_size": 16, "optimizer": "muon", "momentum": 0.85},
    "augmentation": {"flip": "alternating", "crop": 2},
    "prediction": {"mirror": True, "shift": 1},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose time to more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def examples(count: int, seed: int) -> Examples:
    """Images whose class is their brightness, with neighbouring pixels alike."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(CLASSES), count)
    coarse = generator.integers(0, 80, (count, 5, 5, 3)).repeat(2, 1).repeat(2, 2)
    images = coarse[:, :9] + generator.integers(0, 9, (count, *SHAPE))
    images = images + 80 * labels[:, None, None, None]
    return Examples(images.astype(np.uint8), labels, np.arange(count).astype(np.str_))


def data(seed: int = 0) -> TrainingData:
    normaliser = Normaliser(np.full(3, 0.45, np.float32), np.full(3, 0.27, np.float32))
    held_out = examples(40, 1)
    return TrainingData(Classification(CLASSES), "image", examples(96, seed), held_out, normaliser)


def whitening(predictor: TorchPredictor) -> Whitening:
    layer = predictor.inference.module.whitening
    assert isinstance(layer, Whitening)
    return layer


def test_filters_whiten_the_training_images_and_do_not_learn() -> None:
    predictor = Cnn().fit(cell(SPEEDRUN), data(), {}, MemoryRun(0))
    layer, given = whitening(predictor), data()
    images = torch.from_numpy(np.asarray(given.train.items))
    mean, covariance = patch_statistics(predictor.inference.inputs(images), 2)
    filters = layer.weight.detach().double().flatten(1)
    half = len(filters) // 2
    whitened = filters[:half] @ covariance @ filters[:half].T
    variances = torch.linalg.eigvalsh(covariance).flip(0)
    expected = torch.diag(variances / (variances + EPSILON))
    torch.testing.assert_close(whitened, expected, atol=1e-4, rtol=0)
    assert layer.bias is not None
    start = -filters @ mean
    assert (layer.bias.detach().double() - start).abs().max() > 1e-4, "the bias learns"


def test_where_a_fit_begins_can_be_seen() -> None:
    """`beginning` looks at the same images; other streams and other images are others."""
    given = CnnSettings.parse(SPEEDRUN)
    first, again = (Cnn().beginning(given, data(), Streams(0)) for _ in range(2))
    fitted = Cnn().fit(cell(SPEEDRUN), data(), {}, MemoryRun(0))
    assert torch.equal(whitening(first).weight, whitening(fitted).weight)
    assert torch.equal(whitening(first).weight, whitening(again).weight)
    other = Cnn().beginning(given, data(seed=7), Streams(0))
    assert not torch.equal(whitening(first).weight, whitening(other).weight)
    opened = Cnn().opened(given, first, fresh=True)
    assert opened.filters().shape == (24, 2, 2, 3)  # type: ignore[union-attr]


def test_an_encoder_has_the_filters_of_a_classifier() -> None:
    content = {
        "model": SPEEDRUN["model"],
        "training": {"epochs": 1, "batch_size": 16},
    }
    base = cell(SPEEDRUN)
    recipe = base.recipe.model_copy(update={"settings": ContrastiveSettings.parse(content)})
    encoder = Contrastive().fit(replace(base, recipe=recipe), data(), {}, MemoryRun(0))
    own = cast(Any, encoder.inference.module).trunk.whitening
    begun = Cnn().beginning(CnnSettings.parse(SPEEDRUN), data(), Streams(0))
    assert torch.equal(own.weight, whitening(begun).weight)


def test_only_so_many_images_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn by name, so that a seed has the same ones each time."""
    monkeypatch.setattr(adapting, "ADAPTED_PIXELS", 10 * SHAPE[0] * SHAPE[1])
    given = CnnSettings.parse(SPEEDRUN)
    some, other = (Cnn().beginning(given, data(), Streams(seed)) for seed in (0, 1))
    assert torch.equal(
        whitening(some).weight, whitening(Cnn().beginning(given, data(), Streams(0))).weight
    )
    assert not torch.equal(whitening(some).weight, whitening(other).weight)


def test_stopped_anywhere_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    items, settings = examples(20, 2).items, cell(SPEEDRUN)
    whole = Cnn().fit(settings, data(), {}, OnDisk(tmp_path / "whole", 0))
    for name, stops in {"a": [1], "b": [6], "c": [2, 8]}.items():
        for steps in stops:
            with pytest.raises(Interrupted):
                Cnn().fit(settings, data(), {}, OnDisk(tmp_path / name, steps))
        resumed = Cnn().fit(settings, data(), {}, OnDisk(tmp_path / name, 0))
        assert np.array_equal(resumed.predict(items), whole.predict(items)), name
    whole.save(tmp_path)
    loaded = Cnn().load(tmp_path)
    assert np.array_equal(loaded.predict(items), whole.predict(items))
    assert loaded.layers() == whole.layers()


@pytest.mark.parametrize("switch", [{"resident": False}, {"channels_last": False}])
def test_where_images_lie_changes_no_filter(switch: dict[str, Any]) -> None:
    given = cell(SPEEDRUN | {"training": {"iterations": 1, "batch_size": 16}})
    numerics = given.recipe.numerics.model_copy(update=switch)
    other = replace(given, recipe=given.recipe.model_copy(update={"numerics": numerics}))
    one, two = (whitening(Cnn().fit(some, data(), {}, MemoryRun(0))) for some in (given, other))
    assert torch.equal(one.weight, two.weight)


def test_without_images_it_has_its_sizes() -> None:
    untrained = Cnn().untrained(CnnSettings.parse(SPEEDRUN), SHAPE, 3)
    fitted = Cnn().fit(cell(SPEEDRUN), data(), {}, MemoryRun(0))
    assert untrained.layers() == fitted.layers()
    assert untrained.predict(examples(2, 0).items).shape == (2, 3)
