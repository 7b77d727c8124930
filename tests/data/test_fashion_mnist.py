"""Tests of Fashion-MNIST."""

from collections.abc import Callable

import numpy as np
import pytest

from bakeoff.data.dataset import Dataset
from bakeoff.data.fashion_mnist import CLASSES, DOWNLOADS


def test_the_publisher_comes_before_the_mirror() -> None:
    assert all("fashion-mnist.s3-website" in item.urls[0] for item in DOWNLOADS)


@pytest.mark.data
def test_the_real_set(real: Callable[[str], Dataset]) -> None:
    dataset = real("fashion-mnist")
    assert dataset.notes == ()
    assert dataset.test is not None
    assert np.bincount(dataset.train.labels).tolist() == [6000] * 10
    assert np.bincount(dataset.test.labels).tolist() == [1000] * 10
    # The first training image is an ankle boot, the first test image too.
    assert CLASSES[dataset.train.labels[0]] == CLASSES[dataset.test.labels[0]] == "Ankle boot"
    assert abs(float(np.asarray(dataset.train.items).mean()) - 72.94) < 0.01
