"""Texts as tokens of a pretrained model's own tokenizer: cut, counted, cached."""

from pathlib import Path

import numpy as np
import pytest
from tests.contracts.small import resolved, run_of
from tests.models.tiny import save_tiny

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DataSettings, Recipe
from bakeoff.techniques.pretrained import EncoderSettings, PretrainedSettings
from bakeoff.techniques.texts import WeightsSettings, cut_note, tokeniser_of


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny") / "bert")


def test_more_tokens_than_the_model_reads(weights: Path) -> None:
    with pytest.raises(InputError, match=r"max_tokens: 33 received, but .* reads 32 at the most"):
        tokeniser_of(EncoderSettings(weights=str(weights), max_tokens=33))


def test_texts_of_every_kind_are_read(weights: Path) -> None:
    tokeniser = tokeniser_of(EncoderSettings(weights=str(weights), max_tokens=16))
    odd = ["", "\x00\x07", "\ud800 half a pair", "<b>bold</b>", "x " * 500_000, "\u202ereversed"]
    tokens, long = tokeniser(odd)
    assert len(tokens) == len(odd)
    assert (tokens.lengths >= 1).all()
    assert (tokens.lengths <= 16).all()
    assert long >= 1


def test_tokens_are_made_once_for_the_same_texts(weights: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        name="it",
        technique="pretrained",
        data=DataSettings(set="digits"),
        numerics=resolved("torch"),
        settings=PretrainedSettings(),
    )
    texts = ["the film", "a plot " * 20]
    tokeniser = tokeniser_of(WeightsSettings(weights=str(weights), max_tokens=16))
    first, long = tokeniser.through(run_of(recipe, tmp_path / "a"), "tokens", texts)
    assert long == 1

    def fail(texts: object) -> None:
        raise AssertionError("tokenised again")

    object.__setattr__(tokeniser, "tokenizer", fail)
    again, long = tokeniser.through(run_of(recipe, tmp_path / "b"), "tokens", texts)
    assert long == 1
    np.testing.assert_array_equal(first.ids, again.ids)


def test_padded_ends_in_no_tokens(weights: Path) -> None:
    tokeniser = tokeniser_of(WeightsSettings(weights=str(weights), max_tokens=16))
    ids = tokeniser.padded(["good", "the film was good"])
    assert ids.shape == (2, 6)
    assert ids[0].tolist()[3:] == [-1, -1, -1]
    assert tokeniser.padded([]).shape == (0, 0)


def test_a_decoder_reads_an_empty_text(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "gpt2", "gpt2")
    tokens, _ = tokeniser_of(WeightsSettings(weights=str(folder), max_tokens=16))(["", "good"])
    assert tokens.lengths.tolist() == [1, 1]


def test_what_the_record_says_of_cut_texts() -> None:
    assert cut_note(0, 10, 8) == []
    assert cut_note(1200, 3000, 8) == [
        "1,200 of 3,000 training texts were longer than 8 tokens and were cut"
    ]
