"""The values that techniques, steps and loops hand to each other."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.core.protocols import LayerProfile, Normaliser, Position, micro_batches


@settings(max_examples=50, deadline=None)
@given(
    mean=st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3),
    sd=st.lists(st.floats(0.0625, 1, width=32), min_size=3, max_size=3),
    seed=st.integers(0, 9),
)
def test_pixels_are_shifted_and_scaled(mean: list[float], sd: list[float], seed: int) -> None:
    normaliser = Normaliser(np.array(mean, np.float32), np.array(sd, np.float32))
    images = np.random.default_rng(seed).integers(0, 256, (4, 2, 5, 3), dtype=np.uint8)
    out = normaliser(images)
    assert (out.dtype, out.shape) == (np.dtype(np.float32), images.shape)
    exact = (images / 255 - np.array(mean)) / np.array(sd)
    assert np.abs(out - exact).max() < 1e-5
    assert np.array_equal(out, images.astype(np.float32) * normaliser.scale + normaliser.shift)


def test_pixels_can_be_normalised_one_by_one() -> None:
    rng = np.random.default_rng(0)
    mean = rng.random((2, 2, 1), dtype=np.float32)
    sd = mean + np.float32(0.5)
    images = rng.integers(0, 256, (3, 2, 2, 1), dtype=np.uint8)
    single = np.stack([Normaliser(mean, sd)(image[None])[0] for image in images])
    assert np.array_equal(Normaliser(mean, sd)(images), single)


def test_positions_and_profiles_are_values() -> None:
    at = Position(step=3, epoch=1, learning_rate=0.1)
    assert at == Position(3, 1, 0.1, parts=1)
    with pytest.raises(FrozenInstanceError):
        at.step = 4  # type: ignore[misc]
    layer = LayerProfile("conv1", "Conv2d", (1, 8, 8), (4, 8, 8), {"weight": (4, 1, 3, 3)}, 36, 36)
    assert layer == LayerProfile(**vars(layer))
    assert LayerProfile("pool", "MaxPool2d", (4, 8, 8), (4, 4, 4)).weights == {}


@pytest.mark.parametrize(
    ("count", "parts", "sizes"),
    [(8, 1, [8]), (8, 2, [4, 4]), (7, 3, [3, 3, 1]), (4, 3, [2, 2]), (2, 5, [1, 1])],
)
def test_a_batch_in_parts(count: int, parts: int, sizes: list[int]) -> None:
    found = list(micro_batches(count, parts))
    assert [part.stop - part.start for part in found] == sizes
    assert [i for part in found for i in range(count)[part]] == list(range(count))
