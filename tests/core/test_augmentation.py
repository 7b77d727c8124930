"""Draws: of seed, epoch and example alone."""

import numpy as np

from bakeoff.core.augmentation import AugmentationDraws
from bakeoff.core.streams import Streams


def test_draws_are_a_function_of_seed_and_epoch() -> None:
    one, two = (AugmentationDraws(True, 3, 500, Streams(1)) for _ in range(2))
    one.flips(7)
    np.testing.assert_array_equal(one.flips(2), two.flips(2))
    np.testing.assert_array_equal(one.shifts(2), two.shifts(2))
    assert (one.flips(2) != one.flips(3)).any()
    other = AugmentationDraws(True, 3, 500, Streams(2))
    assert (other.shifts(2) != one.shifts(2)).any()


def test_one_kind_does_not_move_the_other() -> None:
    alone, both = (
        AugmentationDraws(False, 3, 50, Streams(1)),
        AugmentationDraws(True, 3, 50, Streams(1)),
    )
    np.testing.assert_array_equal(alone.shifts(0), both.shifts(0))


def test_every_second_is_mirrored_and_every_shift_is_drawn() -> None:
    draws = AugmentationDraws(True, 2, 5000, Streams(0))
    assert abs(draws.flips(0).mean() - 0.5) < 0.03
    shifts = draws.shifts(0)
    assert shifts.shape == (5000, 2)
    assert np.unique(shifts).tolist() == [-2, -1, 0, 1, 2]
