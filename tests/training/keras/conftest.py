"""TensorFlow computes with one thread in these tests: it is told once in a process."""

import pytest

from bakeoff.core.recipe import Numerics
from bakeoff.training.keras import numerics


@pytest.fixture(autouse=True)
def one_thread() -> None:
    numerics.apply(Numerics(device="cpu", precision="float32", threads=1))
