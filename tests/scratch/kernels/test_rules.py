"""The table of rules says what both implementations need."""

from typing import get_args

import numpy as np
import pytest

from bakeoff.scratch.kernels import numpy_kernels
from bakeoff.scratch.kernels.rules import MOMENTS, Numbers, Rule


def test_every_rule_is_in_the_table() -> None:
    assert set(MOMENTS) == set(get_args(Rule))


@pytest.mark.parametrize("rule", MOMENTS)
def test_a_rule_moves_against_the_gradient_and_changes_the_moments_it_keeps(rule: Rule) -> None:
    values, gradient = np.zeros(5), np.array([1.0, -2.0, 0.5, 3.0, -1.0])
    mean, square = (np.zeros(5) if kept else None for kept in MOMENTS[rule])
    numbers = Numbers(rate=0.1, first=0.9, second=0.99, epsilon=1e-8)
    numpy_kernels.update(rule, values, gradient.copy(), mean, square, numbers)
    np.testing.assert_array_equal(np.sign(values), -np.sign(gradient))
    assert mean is None or mean.all()
    assert square is None or square.all()
