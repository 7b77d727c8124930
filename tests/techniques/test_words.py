"""Training texts as numbers of words, kept by content."""

from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.streams import Streams
from bakeoff.data.vocabulary import SequenceSettings, Vocabulary, read_words, sequence_notes
from bakeoff.execution.run import CellRun
from bakeoff.techniques import words
from bakeoff.techniques.bag_of_words import TermSettings
from bakeoff.techniques.words import numbered, words_key
from bakeoff.training.observers import Silent

TEXTS = ["a fine film", "", "a dull, dull film and more", "fine"]
SETTINGS = SequenceSettings(minimum_count=1, length=4)


def run_in(folder: Path) -> CellRun:
    return CellRun(folder, Streams(0), {}, True, Silent(), lambda: None)


def test_numbers_notes_and_price_of_what_is_read_by_hand(tmp_path: Path) -> None:
    run = run_in(tmp_path / "cell")
    vocabulary, tokens = numbered(run, TEXTS, SETTINGS)
    read = read_words(TEXTS, SETTINGS)
    by_hand = Vocabulary.of(read, SETTINGS)
    assert vocabulary == by_hand
    wanted = by_hand.tokens(read, SETTINGS)
    np.testing.assert_array_equal(tokens.ids, wanted.ids)
    np.testing.assert_array_equal(tokens.starts, wanted.starts)
    assert run.notes == list(sequence_notes(read, by_hand, SETTINGS))
    assert run.train_seconds == run.solve_seconds["words"] > 0


def test_texts_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_in(tmp_path / "a")
    vocabulary, tokens = numbered(first, TEXTS, SETTINGS)

    def never(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(words, "read_words", never)
    second = run_in(tmp_path / "b")
    again, ids = numbered(second, TEXTS, SETTINGS)
    assert again == vocabulary
    np.testing.assert_array_equal(ids.ids, tokens.ids)
    assert second.notes == first.notes
    assert second.train_seconds == first.train_seconds  # what it took, whoever paid
    with pytest.raises(AssertionError, match="read again"):
        numbered(run_in(tmp_path / "c"), [*TEXTS, "new"], SETTINGS)


def test_what_the_words_depend_on_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        words_key("sequences", TEXTS, SETTINGS),
        words_key("sequences", TEXTS[:2], SETTINGS),
        words_key("sequences", TEXTS, SequenceSettings(minimum_count=1, length=5)),
        words_key("terms", TEXTS, TermSettings()),
        words_key("terms", TEXTS, TermSettings(runs=1)),
    }
    assert len(keys) == 5
    monkeypatch.setattr("bakeoff.techniques.words.READING", -1)
    assert words_key("sequences", TEXTS, SETTINGS) not in keys
