"""Tests of the news items, whole and test file alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.data.ag_news import load_7600, load_ag_news
from bakeoff.data.dataset import Dataset


def test_classes_count_from_one_in_the_file(write_toy: Callable[[str], Path]) -> None:
    dataset = load_ag_news(write_toy("ag-news"))
    assert dataset.test is not None
    assert (len(dataset.train), len(dataset.test)) == (60, 30)
    assert dataset.train.labels[:5].tolist() == [0, 1, 2, 3, 0]
    assert dataset.train.items[1] == 'Item 1 of train With a "quote", and \\ #36;1 of games.'


def test_the_test_file_alone_has_no_test_split_and_groups_near_copies(
    write_toy: Callable[[str], Path],
) -> None:
    folder = write_toy("ag-news-7600")
    (folder / "train.csv").unlink()
    alike = "the same long words of an agency again and again in one more paper today"
    with (folder / "test.csv").open("a") as file:
        file.write(f'"1","{alike}","once"\n"2","{alike}","twice"\n"1","{alike}","once"\n')
    dataset = load_7600(folder)
    assert dataset.test is None
    assert len(dataset.train) == 33
    groups = dataset.train.groups
    assert groups is not None
    assert groups[-3:].tolist() == [30, 30, 30]
    assert dataset.together is not None
    assert dataset.together.tolist() == groups.tolist()


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('"0","a","b"', r"line 31 is no class 1 to 4, title and description: 0,a,b"),
        ('"1","a"', r"line 31 is no class 1 to 4, title and description: 1,a"),
        ('"1","a","b', "line 31: unexpected end of data"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    write_toy: Callable[[str], Path], row: str, fault: str
) -> None:
    folder = write_toy("ag-news")
    with (folder / "test.csv").open("a") as file:
        file.write(row)
    with pytest.raises(InputError, match=fault):
        load_ag_news(folder)


def test_an_empty_file_is_refused_and_lost_bytes_are_told(
    write_toy: Callable[[str], Path],
) -> None:
    folder = write_toy("ag-news")
    with (folder / "test.csv").open("ab") as file:
        file.write(b'"1","caf\xe9","b"\n')
    assert load_ag_news(folder).notes == (
        f"{folder / 'test.csv'}: 1 texts are not UTF-8; what was lost reads \ufffd",
    )
    (folder / "test.csv").write_bytes(b"")
    with pytest.raises(InputError, match="no rows"):
        load_ag_news(folder)


@pytest.mark.data
def test_the_real_set(real: Callable[[str], Dataset]) -> None:
    dataset = real("ag-news-7600")
    assert np.bincount(dataset.train.labels).tolist() == [1_900] * 4
    assert dataset.train.groups is not None
    assert len(np.unique(dataset.train.groups)) == 7_579
