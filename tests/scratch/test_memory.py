"""Memory that grows, is used again, and changes its dtype."""

import numpy as np

from bakeoff.scratch.memory import Buffer


def test_memory_is_used_again() -> None:
    buffer = Buffer()
    first = buffer((4, 3), np.float32)
    assert first.shape == (4, 3)
    assert first.dtype == np.float32
    assert first.flags.c_contiguous
    assert np.shares_memory(first, buffer((4, 3), np.float32))
    assert np.shares_memory(first, buffer((2, 5), np.float32))


def test_it_grows_and_changes_dtype() -> None:
    buffer = Buffer()
    small = buffer((2,), np.float32)
    assert buffer((100, 2), np.float32).shape == (100, 2)
    assert not np.shares_memory(small, buffer((2,), np.float32))
    assert buffer((2,), np.float64).dtype == np.float64
    assert buffer((0, 7), np.float64).shape == (0, 7)
