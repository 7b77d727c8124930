"""Tests of KMNIST and its first 7,011 images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.data import kmnist
from bakeoff.data.dataset import Dataset
from bakeoff.data.kmnist import load_first, load_kmnist


def test_npz_and_idx_hold_the_same(
    tmp_path: Path, write_toy: Callable[[str], Path], make_pixels: Callable[..., NDArray[np.uint8]]
) -> None:
    from_idx = load_kmnist(write_toy("kmnist"))
    for split, count in (("train", 60), ("test", 30)):
        np.savez(tmp_path / f"kmnist-{split}-imgs.npz", make_pixels(count, 28, 28, seed=count))
        np.savez(tmp_path / f"kmnist-{split}-labels.npz", np.arange(count).astype(np.uint8) % 10)
    assert load_kmnist(tmp_path).hash == from_idx.hash


def test_the_first_come_from_the_whole_set_too(
    write_toy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_toy("kmnist")
    with pytest.raises(InputError, match="60 training images; kmnist-7011 needs 7011"):
        load_first(folder)
    monkeypatch.setattr(kmnist, "FIRST", 25)
    first, whole = load_first(folder), load_kmnist(folder)
    assert first.name == "kmnist-25"
    assert first.train.ids.tolist() == whole.train.ids[:25].tolist()
    assert first.test_hash == whole.test_hash


@pytest.mark.data
def test_the_real_set(real: Callable[[str], Dataset]) -> None:
    dataset = real("kmnist-7011")
    assert dataset.notes == ()
    assert len(dataset.train) == 7011
    assert dataset.test is not None
    assert np.bincount(dataset.test.labels).tolist() == [1000] * 10
