"""Words by hand: how a text becomes words, and which words have a number.

A vocabulary is made from training texts alone. A word is a run of letters or digits, with
apostrophes inside; case, punctuation and the marks of HTML do not count, nor whether an accent is
part of a letter or stands behind it. Numbers go to words by frequency, those of equal frequency by
their letters, so that the vocabulary is a function of the texts, whatever their order.
"""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bakeoff.core.frozen import Frozen
from bakeoff.core.tokens import Tokens

READING = 2
"""Which way texts become words, in the keys that numbered texts are kept by. Raise it whenever
words change (2: words in all scripts that have spaces, accents in either form)."""
UNKNOWN = 0
"""The number of every word without one of its own, and of a text without words."""
TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
"""Of texts in ASCII."""
GRAMMAR = """
a an the this that these those such
i me my mine myself we us our ours ourselves you your yours yourself yourselves
he him his himself she her hers herself it its itself they them their theirs themselves
who whom whose which what
am is are was were be been being have has had having do does did doing
will would shall should can could may might must
and or but if because as until while though although than so
of at by for with about against between into through during before after above below to
from up down in out on off over under upon within along across
again further then once here there when where why how
all any both each few more most other some own same too very just also only
i'm you're he's she's it's we're they're i've you've we've they've i'd you'd he'd she'd
we'd they'd i'll you'll he'll she'll we'll they'll that's who's what's here's there's
where's how's let's
"""
STOP_WORDS = frozenset(GRAMMAR.split())
"""English words of grammar. Words that negate (no, not, nor, never, don't) are none: they decide
what is said."""


class VocabularySettings(Frozen):
    """Which words have a number."""

    size: Annotated[int, Field(ge=2)] = 20_000
    """The most words, the unknown one included. What is learnt for each word has as many rows."""
    minimum_count: Annotated[int, Field(ge=1)] = 2
    """Rarer words of the training texts are unknown."""
    stop_words: Literal["none", "english"] = "none"
    """`english`: words of grammar are left out of every text."""


class SequenceSettings(VocabularySettings):
    """Words in their order, up to a limit."""

    length: Annotated[int, Field(ge=1)] = 400
    """The most words of a text that are read."""
    keep: Literal["head", "tail"] = "head"
    """Which end of a longer text is read."""


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    if "<" in text:
        text = TAG.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    if text.isascii():
        return WORD.findall(text.lower())
    composed = unicodedata.normalize("NFC", text.lower())
    return _word_with_marks().findall(composed.replace("\u2019", "'"))


@cache
def _word_with_marks() -> re.Pattern[str]:
    """A word of any script: marks that belong to the letter before them are inside it.

    So Hindi, vowelled Arabic and accents that stand by themselves do not break words up. Scripts
    without spaces (Chinese, Japanese, Thai) have words as long as what stands between two marks.
    """
    kinds = {chr(i) for i in range(0x300, 0x10000) if unicodedata.category(chr(i))[0] == "M"}
    letter = rf"(?:[^\W_][{re.escape(''.join(sorted(kinds)))}]*)"
    return re.compile(rf"{letter}+(?:'{letter}+)*")


def read_words(texts: Iterable[str], settings: VocabularySettings) -> list[list[str]]:
    """The words of every text, without stop words where they are left out."""
    read = [words_of(text) for text in texts]
    if settings.stop_words == "none":
        return read
    return [[word for word in words if word not in STOP_WORDS] for words in read]


@dataclass(frozen=True)
class Vocabulary:
    """Words with numbers; 0 is the unknown word's.

    Args:
        words: That of number i + 1 is `words[i]`.
    """

    words: tuple[str, ...]

    @classmethod
    def of(cls, read: Iterable[Sequence[str]], settings: VocabularySettings) -> "Vocabulary":
        """The most frequent words.

        Args:
            read: Training texts, as words.
            settings: How many, and how rare.
        """
        counts = Counter(chain.from_iterable(read))
        frequent = [w for w, n in counts.items() if n >= settings.minimum_count]
        frequent.sort(key=lambda word: (-counts[word], word))
        return cls(tuple(frequent[: settings.size - 1]))

    @classmethod
    def from_array(cls, array: NDArray[np.uint8]) -> "Vocabulary":
        """What `to_array` gave, back."""
        text = array.tobytes().decode("utf-8", "surrogatepass")
        return cls(tuple(text.split("\n")) if text else ())

    def to_array(self) -> NDArray[np.uint8]:
        """(bytes,) uint8: the words in UTF-8, a line each, to be saved among arrays."""
        return np.frombuffer("\n".join(self.words).encode("utf-8", "surrogatepass"), np.uint8)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """By word, from 1."""
        return {word: i for i, word in enumerate(self.words, start=1)}

    def __len__(self) -> int:
        """How many numbers there are, that of the unknown word included."""
        return len(self.words) + 1

    def tokens(self, read: Sequence[Sequence[str]], settings: SequenceSettings) -> Tokens:
        """The numbers of words, cut to the limit; a text without words is one unknown word."""
        find, limit = self.numbers.get, settings.length
        kept = slice(None, limit) if settings.keep == "head" else slice(-limit, None)
        return Tokens.of(
            [find(word, UNKNOWN) for word in words[kept]] or [UNKNOWN] for words in read
        )


def cut_notes(read: Sequence[Sequence[str]], settings: SequenceSettings, what: str) -> list[str]:
    """What is said of texts that are too long, if any are."""
    long = sum(len(words) > settings.length for words in read)
    if not long:
        return []
    end = "end" if settings.keep == "head" else "beginning"
    return [
        f"{long:,} of {len(read):,} {what} are longer than {settings.length} words and lose their "
        f"{end}"
    ]


def sequence_notes(
    read: Sequence[Sequence[str]], vocabulary: Vocabulary, settings: SequenceSettings
) -> tuple[str, ...]:
    """What people should know of training texts as they are read: cut, empty, unknown words."""
    lengths = np.array([len(words) for words in read])
    numbers = vocabulary.numbers
    total = int(lengths.sum())
    unknown = sum(word not in numbers for words in read for word in words)
    notes = [
        f"{len(vocabulary) - 1:,} words have a number; {unknown / max(total, 1):.1%} of the "
        "training texts' words have none"
    ]
    notes += cut_notes(read, settings, "training texts")
    if empty := int((lengths == 0).sum()):
        notes.append(f"{empty:,} of {len(read):,} training texts hold no word")
    return tuple(notes)
