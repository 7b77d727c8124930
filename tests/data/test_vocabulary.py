"""Words by hand: what a word is, which have numbers, what is cut."""

import unicodedata

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.data.vocabulary import (
    STOP_WORDS,
    SequenceSettings,
    Vocabulary,
    VocabularySettings,
    read_words,
    sequence_notes,
    words_of,
)

TEXTS = ["The cat, the DOG", "a cat isn't a dog", "the bird"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Cat's  life!", ["a", "cat's", "life"]),
        ("don\u2019t 'quote'", ["don't", "quote"]),
        ("one<br /><br />two", ["one", "two"]),
        ("salt&amp;pepper &lt;b&gt;", ["salt", "pepper", "b"]),
        ("3 < 4 and 5 > 2", ["3", "4", "and", "5", "2"]),
        ("naïve Straße 東京", ["naïve", "straße", "東京"]),
        ("snake_case\x00word", ["snake", "case", "word"]),
        ("!?... \ud800", []),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_marks_belong_to_the_letter_before_them() -> None:
    assert words_of("हिन्दी भाषा") == ["हिन्दी", "भाषा"]
    assert words_of("مُحَمَّد كِتَاب") == ["مُحَمَّد", "كِتَاب"]
    for form in ("NFC", "NFD"):
        assert words_of(unicodedata.normalize(form, "Résumé, l’été")) == ["résumé", "l'été"]
    assert words_of("İstanbul") == ["i̇stanbul"]
    assert words_of("a_b – c̲ 2×3") == ["a", "b", "c̲", "2", "3"]


def test_a_line_of_a_megabyte_is_read_at_once() -> None:
    assert len(words_of("<" * 500_000 + "word " * 100_000 + "&" * 500_000)) == 100_000


def test_frequent_words_come_first_and_order_of_texts_is_none() -> None:
    settings = VocabularySettings(minimum_count=1)
    vocabulary = Vocabulary.of(read_words(TEXTS, settings), settings)
    assert vocabulary.words == ("the", "a", "cat", "dog", "bird", "isn't")
    assert Vocabulary.of(read_words(TEXTS[::-1], settings), settings) == vocabulary
    few = Vocabulary.of(read_words(TEXTS, settings), VocabularySettings(minimum_count=2, size=3))
    assert few.words == ("the", "a")
    assert len(few) == 3


def test_stop_words_are_left_out_and_negations_kept() -> None:
    settings = VocabularySettings(stop_words="english")
    assert read_words(["This is not the film"], settings) == [["not", "film"]]
    assert not STOP_WORDS & {"no", "not", "nor", "never", "don't", "isn't"}
    assert "the" in STOP_WORDS


def test_numbers_unknown_words_and_both_ends() -> None:
    vocabulary = Vocabulary(("the", "cat"))
    read = [["the", "cat", "sat"], [], ["cat"] * 5]
    head = vocabulary.tokens(read, SequenceSettings(length=2))
    assert [head[i].tolist() for i in range(3)] == [[1, 2], [0], [2, 2]]
    tail = vocabulary.tokens(read, SequenceSettings(length=2, keep="tail"))
    assert tail[0].tolist() == [2, 0]
    assert vocabulary.tokens([], SequenceSettings()).padded(-1).shape == (0, 0)


def test_saved_among_arrays_and_back() -> None:
    for words in ((), ("one",), ("naïve", "東京", "don't")):
        array = Vocabulary(words).to_array()
        assert array.dtype == np.uint8
        assert Vocabulary.from_array(array) == Vocabulary(words)


def test_what_is_cut_empty_and_unknown_is_told() -> None:
    read = [["a"] * 9 + ["b"], [], ["a"]]
    notes = sequence_notes(read, Vocabulary(("a",)), SequenceSettings(length=5))
    assert notes == (
        "1 words have a number; 9.1% of the training texts' words have none",
        "1 of 3 training texts are longer than 5 words and lose their end",
        "1 of 3 training texts hold no word",
    )


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match=r"words\.size: .*greater than or equal to 2"):
        SequenceSettings.parse({"size": 1}, "words")
    with pytest.raises(InputError, match=r"words\.stop_words: .*'none' or 'english'"):
        SequenceSettings.parse({"stop_words": "german"}, "words")
