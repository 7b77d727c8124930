"""Texts to be foretold: examples of documents, and any text file as a data set."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.perplexity import word_count
from bakeoff.core.recipe import CorpusSource
from bakeoff.data.dataset import FEWEST_PER_CLASS, Dataset, hold_out_test, numbered


def documents(texts: Sequence[str]) -> Examples:
    """Examples of texts: the label of each is the number of its words, float64."""
    words = np.array([word_count(text) for text in texts], np.float64)
    return Examples(list(texts), words, numbered(len(texts)))


def read_utf8(path: Path) -> str:
    """A text file.

    Raises:
        InputError: where it cannot be read, is not UTF-8, or holds nothing but white space.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error}") from None
    if not text.strip():
        raise InputError(f"{path}: holds no text")
    return text


def load_corpus(source: CorpusSource) -> Dataset:
    """A text file, cut at ends of lines into documents; a fifth of them is set aside as test.

    Raises:
        InputError: where the file cannot be read or has too few documents.
    """
    path = Path(source.corpus).expanduser()
    texts = list(_cut(read_utf8(path), source.words))
    if len(texts) < FEWEST_PER_CLASS:
        many = "1 document" if len(texts) == 1 else f"{len(texts)} documents"
        raise InputError(
            f"{path}: {many} of about {source.words:,} words (needed: {FEWEST_PER_CLASS} "
            "or more, one each to train, validate and test; dataset.words makes them shorter)"
        )
    train, test, note = hold_out_test(documents(texts), (), str(path))
    notes = (f"cut into {len(texts):,} documents of about {source.words:,} words", note)
    return Dataset(str(path), "text", (), train, test, notes=notes)


def _cut(text: str, words: int) -> Iterator[str]:
    """Lines together until they have so many words; empty ones at the ends left out."""
    lines: list[str] = []
    count = 0
    for line in text.splitlines():
        lines.append(line)
        count += word_count(line)
        if count >= words:
            yield "\n".join(lines).strip("\n")
            lines, count = [], 0
    if count:
        yield "\n".join(lines).strip("\n")
