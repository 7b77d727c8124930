"""Training texts as numbers of words: read once for all cells that read the same texts alike."""

import json
from collections.abc import Sequence

import numpy as np

from bakeoff.core.cell import Key
from bakeoff.core.frozen import plain
from bakeoff.core.protocols import Arrays, Run
from bakeoff.core.tokens import Tokens
from bakeoff.data.vocabulary import (
    READING,
    SequenceSettings,
    Vocabulary,
    VocabularySettings,
    read_words,
    sequence_notes,
)
from bakeoff.techniques.texts import key_of, texts_hash


def numbered(
    run: Run, texts: Sequence[str], settings: SequenceSettings
) -> tuple[Vocabulary, Tokens]:
    """The words of training texts that have a number, and the texts as numbers, in one phase.

    What people should know of the texts goes into the record. The phase, `words`, is part of the
    price of training, whoever it was that read the texts.

    Args:
        run: What is worked through.
        texts: All that is learnt from.
        settings: Which words have a number, and how many of a text are read.
    """

    def compute() -> Arrays:
        read = read_words(texts, settings)
        vocabulary = Vocabulary.of(read, settings)
        tokens = vocabulary.tokens(read, settings)
        notes = json.dumps(sequence_notes(read, vocabulary, settings)).encode()
        return {
            "vocabulary": vocabulary.to_array(),
            "ids": tokens.ids,
            "starts": tokens.starts,
            "notes": np.frombuffer(notes, np.uint8),
        }

    arrays = run.solve("words", compute, words_key("sequences", texts, settings))
    run.remark(json.loads(arrays["notes"].tobytes()))
    tokens = Tokens(arrays["ids"], arrays["starts"])
    return Vocabulary.from_array(arrays["vocabulary"]), tokens


def words_key(what: str, texts: Sequence[str], settings: VocabularySettings) -> Key:
    """Of what texts give by their words.

    Args:
        what: It is.
        texts: In their order.
        settings: Which words have a number.
    """
    return key_of({what: texts_hash(texts), "reading": READING, "settings": plain(settings)})
