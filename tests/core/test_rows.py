"""Rows are computed once for every item, whoever asks, and come back in every bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.core.disk import ERRORS, Fault, each_call
from tests.core.test_cache import PRICE, measured

from bakeoff.core.cache import Price
from bakeoff.core.errors import DiskError
from bakeoff.core.protocols import Arrays
from bakeoff.core.rows import rows_at, rows_folder
from bakeoff.data.hashing import item_digests

TEXTS = [f"text {n}" for n in range(40)]


class Counted:
    """Gives rows that are a function of the text, and counts those it gave."""

    def __init__(self, texts: list[str]) -> None:
        self.texts, self.asked = texts, [0]

    def __call__(self, at: NDArray[np.intp]) -> NDArray[np.float32]:
        self.asked.append(len(at))
        return np.array([_row(self.texts[i]) for i in at], np.float32).reshape(len(at), 3)


def _row(text: str) -> tuple[float, float, float]:
    return len(text), float(text.split()[1]), np.pi


def ask(folder: Path, texts: list[str]) -> tuple[NDArray[Any], float, int]:
    compute = Counted(texts)
    rows, prices = rows_at(folder, item_digests(texts), compute, measured)
    np.testing.assert_array_equal(rows, np.array([_row(t) for t in texts], np.float32))
    return rows, sum(price.seconds for price in prices), sum(compute.asked)


def test_only_what_is_missing_is_computed(tmp_path: Path) -> None:
    assert ask(tmp_path, TEXTS[10:30])[2] == 20
    assert ask(tmp_path, TEXTS[10:30])[2] == 0
    assert ask(tmp_path, TEXTS[29:14:-1])[2] == 0
    assert ask(tmp_path, TEXTS[:20])[2] == 10
    assert ask(tmp_path, TEXTS)[2] == 10
    assert ask(tmp_path, TEXTS[::3])[2] == 0


def test_equal_items_are_computed_once(tmp_path: Path) -> None:
    assert ask(tmp_path, [TEXTS[3], TEXTS[1], TEXTS[3], TEXTS[3]])[2] == 2


def test_no_items_still_have_a_width(tmp_path: Path) -> None:
    rows, prices = rows_at(tmp_path / "none", item_digests([]), Counted([]), measured)
    assert rows.shape == (0, 3)
    assert prices == []
    assert not (tmp_path / "none").exists()


def test_a_part_bears_its_share_of_the_seconds(tmp_path: Path) -> None:
    _, all_, _ = ask(tmp_path, TEXTS)
    _, again, _ = ask(tmp_path, TEXTS)
    _, quarter, _ = ask(tmp_path, TEXTS[:10])
    assert all_ == again > 0
    assert quarter == pytest.approx(all_ / 4)


def test_every_file_that_rows_come_from_tells_its_price(tmp_path: Path) -> None:
    def busy(compute: Callable[[], Arrays]) -> tuple[Arrays, Price]:
        return compute(), Price(8.0, alone=False, machine="another")

    rows_at(tmp_path, item_digests(TEXTS[:4]), Counted(TEXTS), busy)
    ask(tmp_path, TEXTS[:10])  # six more, with nobody else at work

    def prices(texts: list[str]) -> list[Price]:
        found = rows_at(tmp_path, item_digests(texts), Counted(texts), measured)[1]
        return sorted(found, key=lambda price: price.alone)

    first, second = prices(TEXTS[3:7])
    assert first == Price(2.0, alone=False, machine="another")
    assert (second.alone, second.machine) == (True, PRICE.machine)
    assert second.seconds == pytest.approx(PRICE.seconds / 2)
    assert [price.alone for price in prices(TEXTS[4:10])] == [True]


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    ask(tmp_path, TEXTS[:10])
    ask(tmp_path, TEXTS[:20])
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert ask(tmp_path, TEXTS[:20])[2] == 10
        assert ask(tmp_path, TEXTS[:20])[2] == 0


@pytest.mark.parametrize("fault", ERRORS)
def test_a_failing_disk_leaves_no_half_file(tmp_path: Path, fault: Fault) -> None:
    for number, disk in enumerate(each_call(fault)):
        folder, error = tmp_path / str(number), None
        with pytest.MonkeyPatch.context() as patch:
            disk.trying(patch)
            try:
                ask(folder, TEXTS)
            except DiskError as caught:
                error = str(caught)
        left = list(folder.iterdir()) if folder.is_dir() else []
        assert error or len(left) == 1
        assert ask(folder, TEXTS)[2] == (0 if left else 40)


def test_computations_keep_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKEOFF_CACHE", "/somewhere")
    assert rows_folder("abcd") == Path("/somewhere/rows/ab/abcd")
