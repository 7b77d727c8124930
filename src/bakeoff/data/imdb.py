"""IMDB: 50,000 film reviews, half of them praise; 25,000 to train and 25,000 to test.

Source: A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts 2011, "Learning word
vectors for sentiment analysis", ACL. One file a review,
`aclImdb/{train,test}/{pos,neg}/ID_STARS.txt`; line i of `urls_pos.txt` and `urls_neg.txt` names
the film of review i. The halves share one film of 7,036 (2 reviews of train, 23 of test).

`imdb` keeps the published split, and the reviews of one film together: validation is then asked
about films that were not learnt, as the test is, and verdicts count films, not reviews.
`imdb-712` deals all 50,000 reviews 7:1:2, classes even and copies together, the same for every
seed. There a film may be on both sides, so its scores are no measure of the published split's.
"""

import os
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, concatenated
from bakeoff.data.dataset import Dataset
from bakeoff.data.hashing import item_digests
from bakeoff.data.sources import Entry
from bakeoff.data.stratify import carve
from bakeoff.data.text_files import decoded, lost_note, read_bytes

CLASSES = ("negative", "positive")
FOLDER = "aclImdb"
PARTS = {"neg": 0, "pos": 1}
LAYOUT = tuple(
    f"{FOLDER}/{half}/urls_{part}.txt" for half in ("train", "test") for part in ("neg", "pos")
)
VALIDATION, TEST = 0.1, 0.2
"""Shares of all reviews in `imdb-712`."""


def load_imdb(folder: Path) -> Dataset:
    """The published split.

    Raises:
        InputError: where a folder has no reviews, or one is named otherwise or cannot be read.
    """
    films: dict[str, int] = {}
    train, lost = _half(folder / FOLDER / "train", films)
    test, more = _half(folder / FOLDER / "test", films)
    notes = lost_note(str(folder), lost + more)
    return Dataset("imdb", "text", CLASSES, train, test, None, notes)


def load_712(folder: Path) -> Dataset:
    """All reviews, dealt 7:1:2 by each text's own digest.

    Raises:
        InputError: as `load_imdb` does.
    """
    published = load_imdb(folder)
    assert published.test is not None
    halves = {"train": published.train, "test": published.test}
    whole = concatenated([_alone(half, name) for name, half in halves.items()])
    keys = item_digests(whole.items)
    copies = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    test = np.sort(carve(whole.labels, TEST, keys, copies))
    rest = np.setdiff1d(np.arange(len(whole)), test)
    share = VALIDATION / (1 - TEST)
    validation = np.sort(rest[carve(whole.labels[rest], share, keys[rest], copies[rest])])
    train = np.setdiff1d(rest, validation)
    return Dataset(
        "imdb-712",
        "text",
        CLASSES,
        whole.take(train),
        whole.take(test),
        whole.take(validation),
        published.notes,
    )


def _alone(half: Examples, name: str) -> Examples:
    """A half with its name before the identities, and without films."""
    ids = np.array([f"{name}/{identity}" for identity in half.ids])
    return Examples(half.items, half.labels, ids)


def _half(folder: Path, films: dict[str, int]) -> tuple[Examples, int]:
    """The reviews of one half, and how many of them were not UTF-8; numbers new films."""
    texts: list[str] = []
    labels: list[int] = []
    ids: list[str] = []
    groups: list[int] = []
    lost = 0
    for part, label in PARTS.items():
        urls = read_bytes(folder / f"urls_{part}.txt").decode("utf-8", "replace").split()
        for number, name in _reviews(folder / part):
            if number >= len(urls):
                raise InputError(
                    f"{folder / part / name}: urls_{part}.txt has only {len(urls)} lines"
                )
            text, broken = decoded(read_bytes(folder / part / name))
            texts.append(text)
            lost += broken
            labels.append(label)
            ids.append(f"{part}/{name.removesuffix('.txt')}")
            groups.append(films.setdefault(urls[number], len(films)))
    return Examples(texts, np.array(labels), np.array(ids), _array(groups)), lost


def _array(groups: list[int]) -> NDArray[np.int64]:
    return np.array(groups, dtype=np.int64)


def _reviews(folder: Path) -> list[tuple[int, str]]:
    """Number and name of each review, by number."""
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".txt")]
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from None
    if not names:
        raise InputError(f"{folder}: no reviews (files called NUMBER_STARS.txt)")
    wrong = [name for name in names if not name.partition("_")[0].isdecimal()]
    if wrong:
        raise InputError(f"{folder}: {wrong[0]} is not called NUMBER_STARS.txt")
    return sorted((int(name.partition("_")[0]), name) for name in names)


_entry = partial(
    Entry,
    modality="text",
    classes=CLASSES,
    shape=(),
    licence="none stated; free for research, cite the paper",
    citation="Maas, Daly, Pham, Huang, Ng, Potts 2011, Learning word vectors for sentiment "
    "analysis, ACL",
    homepage="https://ai.stanford.edu/~amaas/data/sentiment/",
    folder="imdb",
    layouts=(LAYOUT,),
)

IMDB = _entry(
    name="imdb",
    summary="film reviews, praise or not; published split, films apart",
    sizes=(25_000, 25_000),
    load=load_imdb,
    hash="8b7cdd195f660290b1eadb262ebe33c3d0190def79f7c0674b37251405867f22",
)
IMDB_712 = _entry(
    name="imdb-712",
    summary="all 50,000 reviews of imdb, dealt 7:1:2 whatever the film",
    sizes=(35_000, 10_000),
    load=load_712,
    hash="82c653fc323b20d38e5717088e2e0c2b66c4ebf77aface93327bc69996e89fbd",
)
