"""Small data for the estimators."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, make_blobs
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tests.techniques.conftest import MemoryRun, image_data

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.protocols import Arrays
from bakeoff.techniques import find
from bakeoff.techniques.recipes import parse_recipe

Split = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def _split(rows: NDArray[np.float64], labels: NDArray[np.int64]) -> Split:
    """Training rows, held-out rows, training labels, held-out labels; rows standardised."""
    train, held, train_labels, held_labels = train_test_split(
        rows, labels, test_size=0.25, stratify=labels, random_state=0
    )
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(held), train_labels, held_labels


@pytest.fixture(scope="session")
def digits() -> Split:
    """1,347 and 450 rows of 64 numbers, 10 classes."""
    return _split(*load_digits(return_X_y=True))


@pytest.fixture(scope="session")
def cancer() -> Split:
    """426 and 143 rows of 30 numbers, 2 classes."""
    return _split(*load_breast_cancer(return_X_y=True))


@pytest.fixture(scope="session")
def blobs() -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """90 rows of 4 numbers in three classes with names."""
    rows, labels = make_blobs(90, 4, centers=3, cluster_std=2.0, random_state=1)
    return StandardScaler().fit_transform(rows), np.array(["ant", "bee", "cat"])[labels]


def learnt(
    name: str, tmp: Path, seed: int, **sections: Any
) -> tuple[Arrays, NDArray[np.float32], NDArray[np.int64]]:
    """What a technique learns from 60 small images, and these as rows of numbers with labels."""
    from safetensors.numpy import load_file

    generator = np.random.default_rng(0)
    items = generator.integers(0, 256, (80, 4, 3, 2), np.uint8)
    classes = 2 if name == "logistic" else 3
    data = image_data(items, generator.integers(0, classes, 80), 20, classes)
    recipe = parse_recipe({"technique": name, "data": {"set": "digits"}, **sections})
    cell = Cell(recipe, Replicate(seed=seed), "data", "split", 1, {})
    find(name).fit(cell, data, {}, MemoryRun(seed)).save(tmp)
    assert data.normaliser is not None
    rows = data.normaliser(np.asarray(data.train.items)).reshape(60, -1)
    return load_file(tmp / "model.safetensors"), rows, data.train.labels
