"""Tests of the sentences of linguistics."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.data.cola import COLA, load_cola
from bakeoff.data.dataset import Dataset


def test_both_dev_files_are_test_and_told_apart(write_toy: Callable[[str], Path]) -> None:
    dataset = load_cola(write_toy("cola"))
    assert dataset.test is not None
    assert dataset.validation is None
    assert dataset.test.ids[[0, 15]].tolist() == ["in-domain-0", "out-of-domain-0"]
    assert dataset.train.labels[:3].tolist() == [0, 1, 0]
    assert dataset.train.items[0] == 'He "in_domain_train 0', "a quote is a sign like others"


@pytest.mark.parametrize("line", ["book\t2\t\tA.", "book\t1\tA.", "", "book\t1\t\tA.\tB."])
def test_lines_that_do_not_fit_are_refused(write_toy: Callable[[str], Path], line: str) -> None:
    folder = write_toy("cola")
    path = folder / "cola_public/raw/in_domain_dev.tsv"
    path.write_text(f"book\t1\t\tFine.\n{line}\nbook\t1\t\tFine.\n")
    with pytest.raises(InputError, match="line 2 is not source, label 0 or 1, star and sentence"):
        load_cola(folder)


def test_lost_bytes_are_told(write_toy: Callable[[str], Path]) -> None:
    folder = write_toy("cola")
    path = folder / "cola_public/raw/in_domain_dev.tsv"
    path.write_bytes(b"book\t1\t\tFine.\nbook\t0\t*\tNa\xefve.\n")
    note = f"{path}: 1 texts are not UTF-8; what was lost reads \ufffd"
    assert load_cola(folder).notes == (note,)


@pytest.mark.data
def test_the_real_set(real: Callable[[str], Dataset]) -> None:
    dataset = real("cola")
    assert dataset.test is not None
    found = [np.char.startswith(dataset.test.ids, f"{part}-").sum() for part in COLA.parts]
    assert found == [527, 516]
    assert np.bincount(dataset.train.labels).tolist() == [2_528, 6_023]
