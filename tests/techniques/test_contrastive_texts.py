"""A text encoder that learns by comparison, and what stands on its vectors."""

from dataclasses import replace
from pathlib import Path
from typing import Any

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
from bakeoff.core.protocols import Attending, TrainingData
from bakeoff.core.recipe import DataSettings, Recipe
from bakeoff.techniques import find
from bakeoff.techniques.contrast import ContrastiveSettings
from bakeoff.techniques.contrastive import Contrastive
from bakeoff.techniques.contrastive_texts import TextContrastivePredictor

TRAINING = {"epochs": 10, "batch_size": 16, "learning_rate": 0.003}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_tiny(tmp_path_factory.mktemp("weights") / "bert")


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return opinions()


def cell(technique: str, **sections: Any) -> Cell:
    recipe = Recipe(
        name="it",
        technique=technique,
        data=DataSettings(set="digits"),
        numerics=resolved("torch"),
        settings=find(technique).settings.parse(sections),
    )
    return cell_of(recipe)


def fit(
    weights: Path, data: TrainingData, run: MemoryRun | None = None, **sections: Any
) -> TextContrastivePredictor:
    model = {"name": "pretrained", "weights": str(weights), "max_tokens": 16}
    content = {"vector": {"dimension": 8}, "training": TRAINING, **sections}
    made = cell("contrastive", **{"model": model, **content})
    found = Contrastive().fit(made, data, {}, run or MemoryRun())
    assert isinstance(found, TextContrastivePredictor)
    return found


@pytest.mark.parametrize("loss", ["triplet", "supervised-contrastive"])
def test_it_learns_and_others_stand_on_it(
    weights: Path, data: TrainingData, loss: str, tmp_path: Path
) -> None:
    run = MemoryRun()
    # Without dropout: whether so small a model learns in ten epochs with it is a matter of masks.
    model = {"name": "pretrained", "weights": str(weights), "max_tokens": 16, "dropout": 0}
    predictor = fit(weights, data, run, loss={"name": loss}, model=model)
    texts, labels = list(data.validation.items), data.validation.labels
    assert (predictor.predict(texts).argmax(axis=1) == labels).mean() > 0.75
    first, last = run.rows[0], run.rows[-1]
    apart = [row["train/negative_distance"] / row["train/positive_distance"] for row in run.rows]
    assert apart[-1] > apart[0]
    assert last["epoch"] > first["epoch"]
    vectors = predictor.represent(texts)
    assert vectors.shape == (24, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    for technique, sections in (("probe", {}), ("knn", {"k": 3})):
        made = cell(technique, encoder={"recipe": "it"}, **sections)
        above = find(technique).fit(made, data, {"it": predictor}, MemoryRun())
        assert (above.predict(texts).argmax(axis=1) == labels).mean() > 0.75
    predictor.save(tmp_path)
    again = find("contrastive").load(tmp_path)
    np.testing.assert_array_equal(again.predict(texts), predictor.predict(texts))
    assert again.layers() == predictor.layers()


def test_company_order_and_padding_change_no_bit(weights: Path, data: TrainingData) -> None:
    predictor = fit(weights, data, training={**TRAINING, "epochs": 1})
    texts = list(data.validation.items)
    together = predictor.represent(texts)
    np.testing.assert_array_equal(predictor.represent(texts[::-1]), together[::-1])
    np.testing.assert_array_equal(predictor.represent([texts[5]])[0], together[5])


def test_it_starts_from_the_pretrained_weights(weights: Path, data: TrainingData) -> None:
    """Without a layer of its own and before it learns, its vectors are those of `pretrained`."""
    model = {"name": "pretrained", "weights": str(weights), "max_tokens": 16}
    settings = ContrastiveSettings.parse({"model": model, "vector": {"dimension": None}})
    predictor = Contrastive().untrained(settings, (), 2)
    plain = find("pretrained").settings.parse({"model": {k: model[k] for k in list(model)[1:]}})
    theirs: Any = find("pretrained").untrained(plain, (), 2)
    texts = list(data.validation.items)
    np.testing.assert_array_equal(predictor.represent(texts), theirs.represent(texts))
    assert isinstance(predictor, Attending)
    tokens, attention = predictor.attention(texts[0], 12)
    assert attention.shape[2:] == (len(tokens), len(tokens))
    wide = ContrastiveSettings.parse({"model": model})
    rows = Contrastive().untrained(wide, (), 2).layers()
    body = sum(row.parameters for row in theirs.layers()) - 2 * 32
    assert sum(row.parameters for row in rows) == body + 33 * 128 + 2 * 128


def test_what_cannot_be_is_refused(weights: Path, data: TrainingData) -> None:
    texts = ContrastiveSettings.parse({"model": {"name": "pretrained"}})
    with pytest.raises(InputError, match="model: pretrained received for images"):
        Contrastive().check(texts, Offer((8, 8, 1), 100, {"a": 50, "b": 50}))
    with pytest.raises(InputError, match="model: simple-cnn received for texts"):
        Contrastive().check(ContrastiveSettings(), Offer((), 100, {"a": 50, "b": 50}))
    Contrastive().check(texts, Offer((), 100, {"a": 50, "b": 50}))
    alone = data.train.take(np.array([0, 2, 4, 1]))
    with pytest.raises(InputError, match="1 training example received of yes: it has no"):
        fit(weights, replace(data, train=alone))
    images = replace(data.train, items=np.zeros((64, 2, 2, 1), np.uint8))
    with pytest.raises(InputError, match="texts needed"):
        fit(weights, replace(data, train=images))


def test_weights_that_have_changed_are_refused(data: TrainingData, tmp_path: Path) -> None:
    place = save_tiny(tmp_path / "bert")
    saved = tmp_path / "saved"
    saved.mkdir()
    fit(place, data, training={**TRAINING, "epochs": 1}).save(saved)
    (place / "model.safetensors").unlink()
    save_tiny(place, seed=1)
    with pytest.raises(InputError, match="have changed: sha256"):
        find("contrastive").load(saved)
