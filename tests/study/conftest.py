"""Finished runs for all who only look, and copies for those who do not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.study.tiny import QUICK, run, study

from bakeoff.core.examples import Examples
from bakeoff.data.dataset import Dataset, numbered


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three recipes and three seeds; not to be written into."""
    out = tmp_path_factory.mktemp("shared") / "run"
    variants = {"softmax": QUICK, "knn": {"technique": "knn"}}
    references = [{"label": "a paper", "value": 0.9, "source": "A paper, table 1"}]
    run(out, study(seeds={"exactly": 3}, variants=variants, references=references, margin=None))
    return out


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two cells; not to be written into."""
    out = tmp_path_factory.mktemp("small") / "run"
    run(out)
    return out


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Copies of a run folder to write into."""

    def copy(folder: Path) -> Path:
        return Path(shutil.copytree(folder, tmp_path / folder.parent.name))

    return copy


@pytest.fixture
def texts() -> Dataset:
    """Sixty texts of two classes, a third of them test."""
    labels = np.arange(60) % 2
    items = [f"{'bad' if label else 'good'} film number {i}" for i, label in enumerate(labels)]
    every = Examples(items, labels.astype(np.int64), numbered(60))
    train, test = every.take(np.arange(40)), every.take(np.arange(40, 60))
    return Dataset("texts.csv", "text", ("good", "bad"), train, test)
