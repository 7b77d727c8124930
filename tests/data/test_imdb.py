"""Tests of the film reviews, as published and dealt anew."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.data.dataset import Dataset
from bakeoff.data.imdb import load_712, load_imdb


def test_reviews_come_by_number_with_their_films(write_toy: Callable[[str], Path]) -> None:
    dataset = load_imdb(write_toy("imdb"))
    assert dataset.test is not None
    train, test = dataset.train, dataset.test
    assert (len(train), len(test)) == (60, 30)
    assert train.ids[[0, 9, 10, 30]].tolist() == ["neg/0_2", "neg/9_2", "neg/10_2", "pos/0_7"]
    assert train.labels.tolist() == [0] * 30 + [1] * 30
    assert "<br />" in train.items[0], "texts are as published"
    assert train.groups is not None
    assert test.groups is not None
    # A film's reviews, praise and blame, are one group; no film is in both halves.
    assert train.groups[:6].tolist() == [0, 0, 0, 1, 1, 1]
    assert train.groups[30:33].tolist() == [0, 0, 0]
    assert not set(train.groups.tolist()) & set(test.groups.tolist())


def test_dealt_anew_seven_one_two(write_toy: Callable[[str], Path]) -> None:
    dataset = load_712(write_toy("imdb-712"))
    sizes = {name: len(examples) for name, examples in dataset.splits.items()}
    assert sizes == {"train": 64, "validation": 8, "test": 18}, "copies leave no even 63, 9, 18"
    ids = [i for examples in dataset.splits.values() for i in examples.ids.tolist()]
    assert len(set(ids)) == 90
    assert {i.split("/")[0] for i in ids} == {"train", "test"}
    for examples in dataset.splits.values():
        assert abs(np.bincount(examples.labels) / len(examples) - 0.5).max() < 0.1
        assert examples.groups is None


def test_copies_are_dealt_together(write_toy: Callable[[str], Path]) -> None:
    folder = write_toy("imdb-712")
    for half in ("train", "test"):
        for path in (folder / "aclImdb" / half / "pos").iterdir():
            if int(path.name.split("_")[0]) < 5:
                path.write_text("The very same words.", "utf-8")
    dataset = load_712(folder)
    holding = [n for n, e in dataset.splits.items() if "The very same words." in e.items]
    assert len(holding) == 1


def test_bytes_that_are_not_utf8_are_told(write_toy: Callable[[str], Path]) -> None:
    folder = write_toy("imdb")
    (folder / "aclImdb/train/neg/3_2.txt").write_bytes("caf\xe9".encode("latin-1"))
    dataset = load_imdb(folder)
    assert dataset.notes == (f"{folder}: 1 texts are not UTF-8; what was lost reads \ufffd",)
    assert dataset.train.items[3] == "caf\ufffd"


def test_a_half_set_is_refused(write_toy: Callable[[str], Path]) -> None:
    folder = write_toy("imdb")
    (folder / "aclImdb/train/neg/notes.txt").write_text("?")
    with pytest.raises(InputError, match=r"neg: notes\.txt is not called NUMBER_STARS\.txt"):
        load_imdb(folder)
    (folder / "aclImdb/train/neg/notes.txt").unlink()
    (folder / "aclImdb/train/urls_neg.txt").write_text("one\n")
    with pytest.raises(InputError, match=r"1_2\.txt: urls_neg\.txt has only 1 lines"):
        load_imdb(folder)
    for path in (folder / "aclImdb/test/pos").iterdir():
        path.unlink()
    (folder / "aclImdb/train/urls_neg.txt").write_text("film\n" * 60)
    with pytest.raises(InputError, match="pos: no reviews"):
        load_imdb(folder)


@pytest.mark.data
def test_the_real_set(real: Callable[[str], Dataset]) -> None:
    dataset = real("imdb")
    assert dataset.test is not None
    for examples in dataset.splits.values():
        assert np.bincount(examples.labels).tolist() == [12_500, 12_500]
    assert dataset.train.groups is not None
    assert len(np.unique(dataset.train.groups)) == 3_456
    assert dataset.test.groups is not None
    assert np.isin(dataset.train.groups, dataset.test.groups).sum() == 2, "one film is in both"
    assert dataset.train.items[0].startswith("Story of a man who has unnatural feelings for a pig.")
