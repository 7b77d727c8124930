"""Tests of the digits that come with scikit-learn."""

import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

from bakeoff.data import digits
from bakeoff.data.digits import DIGITS, load_digits


def test_half_is_test_and_nothing_is_lost() -> None:
    from sklearn.datasets import load_digits as load_bundled

    dataset = load_digits(Path())
    assert dataset.test is not None
    assert (len(dataset.train), len(dataset.test)) == DIGITS.sizes
    ids = [*dataset.train.ids, *dataset.test.ids]
    assert sorted(map(int, ids)) == list(range(1797))
    counts = np.bincount(dataset.train.labels) - np.bincount(dataset.test.labels)
    assert np.abs(counts).max() <= 1
    bundled = load_bundled()
    for examples in (dataset.train, dataset.test):
        where = examples.ids.astype(int)
        assert examples.labels.tolist() == bundled.target[where].tolist()
        restored = np.asarray(examples.items)[..., 0] * (16 / 255)
        assert np.abs(restored - bundled.images[where]).max() < 0.04


def test_the_content_never_changes() -> None:
    assert load_digits(Path()).hash == DIGITS.hash


def test_a_moved_file_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = ModuleSpec("sklearn", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(digits, "find_spec", lambda name: elsewhere)
    assert load_digits(Path()).hash == DIGITS.hash


def test_scikit_learn_is_not_imported() -> None:
    code = (
        "import sys; from bakeoff.data.catalogue import load; load('digits'); "
        "print(sorted({'sklearn', 'scipy', 'torch', 'PIL', 'requests'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"
