"""The small convolutional network on token vectors: trained, saved, refused."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from tests.contracts.small import cell_of, resolved
from tests.models.tiny import save_tiny
from tests.techniques.conftest import MemoryRun
from tests.techniques.sentences import opinions

from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import TrainingData
from bakeoff.core.recipe import DataSettings, Recipe, Ref
from bakeoff.techniques import find, token_probe
from bakeoff.techniques.pretrained import PretrainedPredictor, PretrainedSettings
from bakeoff.techniques.probe import Probe, ProbeSettings
from bakeoff.techniques.recipes import parse_recipe
from bakeoff.techniques.token_probe import TokenProbePredictor
from bakeoff.training.torch.token_vectors import Computed, Table

ENCODER = {"encoder": {"recipe": "it"}}
CNN = {"name": "cnn", "widths": [2, 3], "filters": 8, "dropout": 0.1}
TRAINING = {"epochs": 12, "batch_size": 16, "optimizer": "adam", "learning_rate": 0.01}


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return opinions()


def encoder_of(folder: Path, **model: Any) -> PretrainedPredictor:
    settings = PretrainedSettings.parse(
        {"model": {"weights": str(folder), "max_tokens": 16, **model}}
    )
    found = find("pretrained").untrained(settings, (), 2)
    assert isinstance(found, PretrainedPredictor)
    return found


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> PretrainedPredictor:
    torch.set_num_threads(1)
    return encoder_of(save_tiny(tmp_path_factory.mktemp("weights") / "bert"))


def cell(inputs: dict[str, str] | None = None, **sections: Any) -> Cell:
    settings = {"classifier": CNN, "training": TRAINING, **ENCODER, **sections}
    recipe = Recipe(
        name="it",
        technique="probe",
        data=DataSettings(set="digits"),
        numerics=resolved("torch"),
        settings=ProbeSettings.parse(settings),
    )
    made = cell_of(recipe)
    return Cell(recipe, made.replicate, "data", "split", 1, inputs or {})


def fit(
    encoder: PretrainedPredictor, data: TrainingData, run: MemoryRun | None = None, **sections: Any
) -> TokenProbePredictor:
    given = {"it": "0123456789abcdef"}
    found = Probe().fit(cell(given, **sections), data, {"it": encoder}, run or MemoryRun())
    assert isinstance(found, TokenProbePredictor)
    return found


def test_it_learns_and_is_saved(
    encoder: PretrainedPredictor, data: TrainingData, tmp_path: Path
) -> None:
    run = MemoryRun()
    before = encoder.represent(data.validation.items)
    predictor = fit(encoder, data, run)
    np.testing.assert_array_equal(encoder.represent(data.validation.items), before)
    texts, labels = data.validation.items, data.validation.labels
    assert (predictor.predict(texts).argmax(axis=1) == labels).mean() > 0.9
    assert list(run.solved) == ["encode"]
    assert run.solved["encode"] is not None, "shared by content"
    copied = list(texts)
    np.testing.assert_array_equal(predictor.predict(copied), predictor.predict(texts))
    assert predictor.represent(texts).shape == (24, 16)
    assert predictor.predict([]).shape == (0, 2)
    predictor.save(tmp_path)
    again = find("probe").load(tmp_path)
    np.testing.assert_array_equal(again.predict(copied), predictor.predict(copied))
    assert again.layers() == predictor.layers()


def test_company_order_and_padding_change_no_bit(
    encoder: PretrainedPredictor, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = fit(encoder, data, training={**TRAINING, "epochs": 1})
    texts = list(data.validation.items)
    together = predictor.predict(texts)
    np.testing.assert_array_equal(predictor.predict(texts[::-1]), together[::-1])
    np.testing.assert_array_equal(predictor.predict([texts[5]])[0], together[5])
    monkeypatch.setattr(token_probe, "PREDICTED", 7)
    np.testing.assert_array_equal(predictor.predict(texts), together)


def test_where_vectors_are_too_many_they_are_computed_batch_by_batch(
    encoder: PretrainedPredictor, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is learnt differs by no more than rounding to float16 does."""
    texts = list(data.validation.items)
    short = {**TRAINING, "epochs": 2}
    kept = fit(encoder, data, training=short).predict(texts)
    monkeypatch.setattr(token_probe, "KEPT_BYTES", 0)
    run = MemoryRun()
    predictor = fit(encoder, data, run, training=short)
    assert isinstance(predictor.inference.source, Computed)
    assert run.solved == {"encode": None}, "of a few texts, for mean and standard deviation"
    np.testing.assert_allclose(predictor.predict(texts), kept, atol=1e-3)


def test_vectors_come_to_the_device_of_the_cell(
    encoder: PretrainedPredictor, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the encoder computes; a device of shapes alone stands for a GPU."""
    monkeypatch.setattr(
        "bakeoff.training.torch.numerics.resolve_device_and_precision",
        lambda device, precision: ("meta", "float32"),
    )
    tokens, here = encoder.tokens(data.train.items), encoder.inference.device
    given = Ref(recipe="it"), encoder
    source, _, _ = token_probe._vectors(given, tokens, np.arange(4), cell(), MemoryRun())
    assert isinstance(source, Table)
    assert source.rows.device.type == "meta"

    class Elsewhere:
        """Ids on a device that the encoder is not on."""

        device = torch.device("meta")

        def to(self, device: torch.device) -> torch.Tensor:
            assert device == here
            return torch.from_numpy(tokens.take(np.arange(4)).padded(-1)).long().to(here)

    vectors = Computed(encoder.token_encoder)(cast(torch.Tensor, Elsewhere()))
    assert vectors.device.type == "meta"
    assert vectors.shape[0] == 4


def test_its_layers_are_counted(encoder: PretrainedPredictor, data: TrainingData) -> None:
    rows = fit(encoder, data, training={**TRAINING, "epochs": 1}).layers()
    head = [row for row in rows if row.name.startswith("head.")]
    parameters = 32 * 8 * (2 + 3) + 2 * 8 + 2 * (16 + 1)
    assert sum(row.parameters for row in head) == parameters
    assert sum(row.trained_parameters for row in rows) == parameters
    assert sum(row.macs for row in head) == 16 * 32 * 8 * (2 + 3) + 2 * 16


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"encoder": None}, "classifier cnn received without an encoder"),
        ({"training": {"solver": "lbfgs"}}, "lbfgs received with classifier cnn"),
        ({"classifier": {"name": "cnn", "widths": [3, 3]}}, "allowed: different widths"),
        ({"classifier": {"name": "cnn", "widths": []}}, "widths"),
        ({"augmentation": {"flip": True}}, "vectors are computed once"),
    ],
)
def test_settings_that_mean_nothing_are_refused(sections: dict[str, Any], message: str) -> None:
    content = {"technique": "probe", "data": {"set": "digits"}, "classifier": CNN, **ENCODER}
    with pytest.raises(InputError, match=message):
        parse_recipe({**content, **sections})


def test_images_and_encoders_without_tokens_are_refused(
    encoder: PretrainedPredictor, data: TrainingData
) -> None:
    settings = ProbeSettings.parse({"classifier": CNN, **ENCODER})
    with pytest.raises(InputError, match="cnn received for data that are not texts"):
        Probe().check(settings, Offer((8, 8, 1), 100, {}))
    Probe().check(settings, Offer((), 100, {}))
    with pytest.raises(InputError, match="depend on an encoder's vectors of tokens"):
        Probe().untrained(settings, (8, 8, 1), 3)
    random = ProbeSettings.parse({"classifier": CNN, **ENCODER, "training": {"sampling": "random"}})
    with pytest.raises(InputError, match="sampling: random received"):
        Probe().check(random, Offer((), 100, {}))
    pooled = Probe().fit(cell(classifier={"name": "softmax"}), data, {"it": encoder}, MemoryRun())
    with pytest.raises(InputError, match="recipe 'it' gives no vectors of tokens"):
        Probe().fit(cell(), data, {"it": pooled}, MemoryRun())
    images = TrainingData(
        data.task,
        "image",
        Examples(np.zeros((4, 2, 2, 1), np.uint8), np.arange(4) % 2, np.arange(4).astype(np.str_)),
        data.validation,
        None,
    )
    with pytest.raises(InputError, match="texts needed"):
        Probe().fit(cell(), images, {"it": encoder}, MemoryRun())


def test_an_encoder_that_has_diverged_is_told(tmp_path: Path, data: TrainingData) -> None:
    broken = encoder_of(save_tiny(tmp_path / "bert"))
    with torch.no_grad():
        list(broken.inference.module.parameters())[-1].fill_(torch.nan)
    with pytest.raises(InputError, match="it has diverged"):
        fit(broken, data)
