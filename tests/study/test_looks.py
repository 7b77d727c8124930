"""Look plans, families judged over looks, and who races on."""

from typing import Any

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.study.looks import judge_looks, plan_looks, still_racing

LEVELS = (0.03, 0.01, 0.01)


@pytest.mark.parametrize(
    ("seeds", "sizes", "levels"),
    [
        (5, (5, 10, 20), LEVELS),
        (3, (3, 6, 12), LEVELS),
        ({"exactly": 5}, (5,), (0.05,)),
        ({"race": True}, (3, 5, 8, 12, 20), (0.005, 0.01, 0.01, 0.01, 0.015)),
        ([7, 3, 5], (3,), (0.05,)),
    ],
)
def test_plans(seeds: object, sizes: tuple[int, ...], levels: tuple[float, ...]) -> None:
    plan = plan_looks(seeds)
    assert (plan.sizes, plan.levels) == (sizes, levels)
    assert sum(plan.levels) == pytest.approx(0.05)
    assert plan.spent(len(sizes)) == 0.05
    assert len(plan.seeds) == sizes[-1]


def test_seeds_keep_their_order() -> None:
    assert plan_looks([7, 3, 5]).seeds == (7, 3, 5)
    assert plan_looks(5).seeds == tuple(range(20))


def test_looks_reached() -> None:
    plan = plan_looks(5)
    assert [plan.reached(count) for count in (0, 4, 5, 9, 10, 20, 30)] == [0, 0, 1, 1, 2, 3, 3]
    assert [plan.spent(look) for look in (1, 2, 3)] == [0.03, 0.04, 0.05]


@pytest.mark.parametrize(
    "seeds",
    [
        0,
        -1,
        True,
        2.5,
        "5",
        None,
        [],
        [1, 1],
        [1, -2],
        [1, True],
        {},
        {"exactly": 0},
        10**14,
        {"exactly": 10**14},
        {"race": False},
        {"race": True, "exactly": 5},
    ],
)
def test_other_seeds_are_refused(seeds: Any) -> None:
    with pytest.raises(InputError, match="allowed: a number of seeds"):
        plan_looks(seeds)


def test_a_hypothesis_leaves_the_count_once_rejected() -> None:
    p = np.array([[0.009, 0.02, 0.5], [0.9, 0.004, 0.5], [0.9, 0.9, 0.009]])
    found = judge_looks(p, LEVELS)
    # Look 1: 0.009 * 3 passes 0.03, then 0.02 * 2 does not. Look 2: 0.004 * 2 passes 0.01.
    assert found.rejected_at.tolist() == [1, 2, 3]
    expected = [[0.027, 0.04, 0.5], [np.nan, 0.008, 0.5], [np.nan, np.nan, 0.009]]
    scale = [[0.05 / level] for level in LEVELS]
    np.testing.assert_allclose(found.corrected, np.minimum(1, np.multiply(expected, scale)))


def test_corrected_values_are_read_against_five_percent() -> None:
    rng = np.random.default_rng(0)
    found = judge_looks(rng.random((200, 3, 4)) ** 4, LEVELS)
    for look in range(3):
        passes = found.corrected[:, look] <= 0.05 + 1e-12
        np.testing.assert_array_equal(passes, found.rejected_at == look + 1)


def test_studies_are_judged_apart() -> None:
    p = np.random.default_rng(0).random((50, 3, 4)) ** 4
    whole = judge_looks(p, LEVELS)
    for study in range(50):
        one = judge_looks(p[study], LEVELS)
        np.testing.assert_array_equal(whole.rejected_at[study], one.rejected_at)
        np.testing.assert_array_equal(whole.corrected[study], one.corrected)


def test_more_evidence_never_takes_a_rejection_back() -> None:
    """What was not tested counts with p = 1; testing it later can only free the others."""
    p = np.random.default_rng(0).random((500, 3, 4)) ** 4
    without = p.copy()
    without[:, 1:, 0] = 1.0
    before, after = (judge_looks(values, LEVELS).rejected_at for values in (without, p))
    decided = before > 0
    assert decided.any()
    assert (after[decided] > 0).all()
    assert (after[decided] <= before[decided]).all()


def test_racing_against_the_control() -> None:
    pairs = [("x", "c", "better"), ("y", "c", "undecided"), ("z", "c", "equivalent")]
    assert still_racing(pairs) == {"y", "c"}
    assert still_racing([pairs[0], pairs[2]]) == frozenset()


def test_racing_for_the_best() -> None:
    pairs = [("x", "c", "better"), ("y", "c", "undecided"), ("y", "x", "undecided")]
    assert still_racing(pairs, for_best=True) == {"x", "y"}
    assert still_racing([*pairs[:2], ("y", "x", "worse")], for_best=True) == frozenset()
    assert still_racing([("x", "c", "equivalent")], for_best=True) == frozenset()
