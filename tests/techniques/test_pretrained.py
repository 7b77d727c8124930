"""The pretrained encoder as it is: its vectors, its nearest means, its cache."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from tests.contracts.small import Bench, cell_of, resolved, run_of
from tests.models.tiny import save_tiny

from bakeoff.core.cache import cache_folder
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.frozen import plain
from bakeoff.core.recipe import DataSettings, Recipe
from bakeoff.techniques import find
from bakeoff.techniques.pretrained import EncoderSettings, PretrainedPredictor, PretrainedSettings
from bakeoff.techniques.texts import VECTORS, key_of, tokeniser_of

REAL = os.environ.get("BAKEOFF_MODELS", "")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "bert")


def fit(
    folder: Path, place: Path, precision: str | None = None, **model: object
) -> PretrainedPredictor:
    technique = find("pretrained")
    settings = PretrainedSettings.parse(
        {"model": {"weights": str(folder), "max_tokens": 16, **model}}
    )
    numerics = resolved("torch")
    recipe = Recipe(
        name="it",
        technique="pretrained",
        data=DataSettings(set="digits"),
        numerics=numerics.model_copy(update={"precision": precision or numerics.precision}),
        settings=settings,
    )
    data = Bench(technique, place).data()
    run = run_of(recipe, place / "cell")
    fitted = technique.fit(cell_of(recipe), data, {}, run)
    assert isinstance(fitted, PretrainedPredictor)
    return fitted


def test_collapse_is_judged_in_the_precision_of_the_encoder(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakeoff.core.collapse.SHARES", {"float32": 0.0, "bfloat16": 1e9})
    for precision in ("float32", "bfloat16"):
        fitted = fit(weights, tmp_path, precision)
        assert fitted.prototypes.collapsed == (precision == "bfloat16")


def test_predictions_are_those_of_the_nearest_mean(weights: Path, tmp_path: Path) -> None:
    fitted = fit(weights, tmp_path)
    data = Bench(find("pretrained"), tmp_path).data()
    vectors = fitted.represent(data.train.items)
    oracle = NearestCentroid().fit(vectors, data.train.labels)
    some = fitted.represent(data.validation.items)
    found = fitted.predict(data.validation.items).argmax(axis=1)
    np.testing.assert_array_equal(found, oracle.predict(some))


def test_neighbours_are_found_among_the_vectors(weights: Path, tmp_path: Path) -> None:
    encoder = fit(weights, tmp_path)
    technique: Any = find("knn")
    settings = technique.settings.parse({"encoder": {"recipe": "it"}, "k": 3})
    recipe = Recipe(
        name="near",
        technique="knn",
        data=DataSettings(set="digits"),
        numerics=resolved("numpy"),
        settings=settings,
    )
    data = Bench(find("pretrained"), tmp_path).data()
    run = run_of(recipe, tmp_path / "near")
    found = technique.fit(cell_of(recipe), data, {"it": encoder}, run)
    oracle = KNeighborsClassifier(3).fit(encoder.represent(data.train.items), data.train.labels)
    wanted = oracle.predict_proba(encoder.represent(data.validation.items))
    np.testing.assert_allclose(found.predict(data.validation.items), wanted, atol=1e-6)
    with pytest.raises(InputError, match="encoder: needed for texts"):
        technique.check(technique.settings(), Offer((), 100, {}))


def test_vectors_are_cached_by_content(weights: Path, tmp_path: Path) -> None:
    def cached() -> list[str]:
        found = cache_folder().rglob("*.safetensors")
        return sorted(str(path.relative_to(cache_folder())) for path in found)

    encoder = fit(weights, tmp_path)
    files = cached()
    assert [name.split("/")[0] for name in files] == ["arrays", "rows"]  # tokens, vectors
    shutil.copytree(weights, tmp_path / "elsewhere")
    fit(tmp_path / "elsewhere", tmp_path)  # the same weights, wherever they lie
    assert cached() == files

    data = Bench(find("pretrained"), tmp_path).data()
    recipe = Recipe(
        name="probe",
        technique="probe",
        data=DataSettings(set="digits"),
        numerics=resolved("torch"),
        settings=find("probe").settings.parse({"encoder": {"recipe": "it"}}),
    )
    run = run_of(recipe, tmp_path / "probe")
    find("probe").fit(cell_of(recipe), data, {"it": encoder}, run)
    more = set(cached()) - set(files)
    assert len(more) == 1, "of the texts that validate alone: the others had their vectors"

    fit(weights, tmp_path, pooling="cls")
    assert len(cached()) == 4


def test_keys_say_the_device_where_it_is_no_cpu(weights: Path) -> None:
    settings = PretrainedSettings.parse({"model": {"weights": str(weights), "max_tokens": 16}})
    encoder = find("pretrained").untrained(settings, (), 2)
    assert isinstance(encoder, PretrainedPredictor)
    encoder.inference.device = torch.device("cpu")
    content = plain(encoder.settings) | {"weights": encoder.tokeniser.pretrained.digest}
    before = {
        "vectors of": content,
        "precision": encoder.inference.precision,
        "version": VECTORS,
    }
    assert encoder.vectors_key == key_of(before)
    encoder.inference.device = torch.device("cuda")
    assert encoder.vectors_key != key_of(before)


def test_texts_that_are_too_long_are_cut_counted_and_said(weights: Path, tmp_path: Path) -> None:
    tokens, long = tokeniser_of(EncoderSettings(weights=str(weights), max_tokens=6))(
        ["the film was good", "the film was good and the plot was not", ""]
    )
    assert tokens.lengths.tolist() == [6, 6, 2]
    assert long == 1
    assert tokens[1][-1] == 3  # [SEP] stays at the end
    technique = find("pretrained")
    settings = PretrainedSettings.parse({"model": {"weights": str(weights), "max_tokens": 5}})
    recipe = Recipe(
        name="it", technique="pretrained", data=DataSettings(set="digits"), settings=settings,
        numerics=resolved("torch"),
    )  # fmt: skip
    run = run_of(recipe, tmp_path / "cell")
    technique.fit(cell_of(recipe), Bench(technique, tmp_path).data(), {}, run)
    assert run.notes == ["120 of 120 training texts were longer than 5 tokens and were cut"]


def test_weights_that_have_changed_are_refused(weights: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    fit(weights, tmp_path).save(saved)
    assert json.loads((saved / "state.json").read_text())["technique"] == "pretrained"
    find("pretrained").load(saved)
    shutil.rmtree(weights)
    save_tiny(weights, seed=1)
    with pytest.raises(InputError, match="have changed: sha256"):
        find("pretrained").load(saved)


def test_real_vectors_know_what_texts_are_about(tmp_path: Path) -> None:
    """Against Transformers' own pipeline, and by meaning."""
    if not REAL or not (Path(REAL) / "minilm").is_dir():
        pytest.skip("set $BAKEOFF_MODELS to a folder that holds minilm")
    fitted = find("pretrained").untrained(
        PretrainedSettings.parse({"model": {"weights": f"{REAL}/minilm"}}), (), 2
    )
    assert isinstance(fitted, PretrainedPredictor)
    texts = ["The striker scored twice.", "A late goal won the match.", "Shares fell on Monday."]
    vectors = fitted.represent(texts)
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1
    assert sum(layer.parameters for layer in fitted.layers()) == 22_713_216 - 147_840 + 2 * 384
