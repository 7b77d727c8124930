"""The recurrent technique: what it learns, what it tells, how batches are made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contracts.small import Bench, cell_of, resolved, run_of

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Noted
from bakeoff.core.recipe import DataSettings, Recipe
from bakeoff.techniques import find
from bakeoff.techniques.lstm import Lstm, RecurrentPredictor
from bakeoff.training.torch import numerics as torch_numerics

SMALL: dict[str, Any] = {
    "words": {"length": 6, "size": 60, "minimum_count": 1},
    "model": {"embedding": 8, "hidden": 8, "dropout": 0.1},
    "training": {"iterations": 30, "batch_size": 16, "learning_rate": 0.02},
}


def fitted(
    folder: Path, precision: str = "float32", **changes: Any
) -> tuple[RecurrentPredictor, Any, Any]:
    """Predictor, run and data of a short fit."""
    technique = Lstm()
    content = {name: SMALL[name] | changes.get(name, {}) for name in SMALL}
    recipe = Recipe(
        name="lstm",
        technique="lstm",
        data=DataSettings(set="digits"),
        numerics=resolved("torch").model_copy(update={"precision": precision}),
        settings=technique.settings.parse(content),
    )
    data, run = Bench(technique, folder).data(), run_of(recipe, folder / "cell")
    return technique.fit(cell_of(recipe), data, {}, run), run, data


@pytest.mark.parametrize("batches", ["buckets", "packed", "padded"])
def test_it_learns_whatever_becomes_of_padding(tmp_path: Path, batches: str) -> None:
    predictor, run, data = fitted(tmp_path, training={"batches": batches})
    scores = data.task.score(data.validation.labels, predictor.predict(data.validation.items))
    assert scores["accuracy"] > 0.9
    assert run.rows[-1]["validation/accuracy"] > 0.9


def test_a_handful_of_words_will_do(tmp_path: Path) -> None:
    predictor, run, data = fitted(tmp_path, words={"size": 4})
    assert len(predictor.vocabulary.words) <= 4
    assert np.isfinite(predictor.predict(data.validation.items)).all()
    assert run.rows


def test_the_record_tells_what_was_cut_and_unknown(tmp_path: Path) -> None:
    _, run, data = fitted(tmp_path, words={"length": 4})
    assert any("longer than 4 words and lose their end" in note for note in run.notes)
    technique = find("lstm")
    assert isinstance(technique, Noted)
    told = technique.notes(technique.settings.parse({"words": {"length": 4}}), data)
    assert any("120 of 120 training texts are longer than 4 words" in note for note in told)


def test_words_of_validation_have_no_number(tmp_path: Path) -> None:
    predictor, _, data = fitted(tmp_path)
    learnt = {word for text in data.train.items for word in str(text).split()}
    assert set(predictor.vocabulary.words) <= learnt


def test_unknown_words_all_read_alike(tmp_path: Path) -> None:
    predictor, _, _ = fitted(tmp_path)
    found = predictor.predict(["xyzzy plugh", "foo <b>bar</b>", "", "\x00 !"])
    assert (found[0] == found[1]).all()
    assert (found[2] == found[3]).all(), "a text without words is one unknown word"


def test_without_units_for_it_bfloat16_is_float32_and_the_record_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_numerics, "has_bfloat16_units", lambda device: False)
    predictor, run, _ = fitted(tmp_path, precision="bfloat16", training={"iterations": 1})
    assert predictor.inference.precision == "float32"
    assert run.notes[-1] == "computed in float32: this processor has no units for bfloat16"


def test_bad_settings_are_refused() -> None:
    parse = Lstm.settings.parse
    with pytest.raises(InputError, match=r"training\.batches: .*'buckets', 'packed' or 'padded'"):
        parse({"training": {"batches": "bucket"}})
    with pytest.raises(InputError, match=r"model\.cell: .*'rnn', 'gru' or 'lstm'"):
        parse({"model": {"cell": "lstn"}})
    with pytest.raises(InputError, match=r"words\.lenght: unknown field; did you mean 'length'"):
        parse({"words": {"lenght": 3}})


def test_a_damaged_folder_is_refused(tmp_path: Path) -> None:
    predictor, _, _ = fitted(tmp_path)
    predictor.save(tmp_path)
    state = tmp_path / "state.json"
    state.write_text(state.read_text().replace('"size": 60', '"size": 61'))
    with pytest.raises(InputError, match="not a saved lstm"):
        Lstm().load(tmp_path)


def test_images_are_refused() -> None:
    untrained = Lstm().untrained(Lstm.settings.parse(SMALL), (), 2)
    with pytest.raises(InputError, match=r"^lstm: texts needed, \(2, 3\) float64 received"):
        untrained.predict(np.zeros((2, 3)))
