"""Draws depend on seed, epoch and example alone, and not on each other."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.errors import InputError
from bakeoff.core.streams import Streams

COUNT, SHAPE = 4000, (10, 12, 3)
EVERYTHING: dict[str, Any] = {
    "flip": True,
    "crop": 3,
    "cutout": 4,
    "brightness": 0.2,
    "contrast": 0.4,
}


def draws(seed: int = 0, **settings: Any) -> Draws:
    return Draws(AugmentationSettings(**settings), SHAPE, COUNT, Streams(seed))


def test_mirrors_are_coins() -> None:
    drawn = draws(flip=True)
    first, second = drawn.mirrored(0), drawn.mirrored(1)
    for coins in (first, second, first == second):
        assert abs(coins.mean() - 0.5) < 0.04
    assert np.array_equal(drawn.mirrored(0), first)
    assert not np.array_equal(draws(1, flip=True).mirrored(0), first)


def test_alternating_mirrors_show_every_image_both_ways() -> None:
    drawn = draws(flip="alternating")
    assert np.array_equal(drawn.mirrored(0), draws(flip=True).mirrored(0))
    for epoch in range(4):
        assert np.array_equal(drawn.mirrored(epoch), drawn.mirrored(0) ^ bool(epoch % 2))


def test_shifts_are_uniform_along_both_axes() -> None:
    shifts = draws(crop=3).shifts(2)
    assert shifts.shape == (COUNT, 2)
    for axis in range(2):
        values, counts = np.unique(shifts[:, axis], return_counts=True)
        assert values.tolist() == list(range(-3, 4))
        assert counts.min() > 0.8 * COUNT / 7
    assert abs(float(np.corrcoef(shifts[:, 0], shifts[:, 1]).item(1))) < 0.06


def test_squares_are_centred_inside_the_image() -> None:
    corners = draws(cutout=4).corners(0)
    centres = corners + 2
    assert (centres.min(axis=0) == 0).all()
    assert centres.max(axis=0).tolist() == [9, 11]


def test_factors_lie_around_one() -> None:
    factors = draws(brightness=0.2, contrast=0.4).factors(0)
    assert factors.dtype == np.float32
    spread = np.array([0.2, 0.4, 0.0])
    assert (np.abs(factors - 1) <= spread + 1e-6).all()
    np.testing.assert_allclose(factors.mean(axis=0), 1, atol=0.02)
    np.testing.assert_allclose(factors.std(axis=0), spread / np.sqrt(3), atol=0.01)


def test_one_kind_of_change_leaves_the_others_as_they_are() -> None:
    every = draws(**EVERYTHING)
    assert np.array_equal(every.mirrored(3), draws(flip=True).mirrored(3))
    assert np.array_equal(every.shifts(3), draws(crop=3).shifts(3))
    assert np.array_equal(every.corners(3), draws(cutout=4).corners(3))
    assert np.array_equal(every.factors(3)[:, 1], draws(contrast=0.4).factors(3)[:, 1])


def test_shifts_beyond_the_image_are_refused() -> None:
    with pytest.raises(InputError, match=r"augmentation.crop: 10 received .allowed: 0 to 9"):
        draws(crop=10)


@pytest.mark.parametrize(
    "content", [{"flip": "often"}, {"crop": -1}, {"brightness": 1}, {"mixup": -0.1}]
)
def test_values_out_of_range_are_refused(content: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"augmentation.{next(iter(content))}"):
        AugmentationSettings.parse(content, "augmentation")


def test_settings_say_what_is_done() -> None:
    none = AugmentationSettings()
    assert (none.moves, none.jitters) == (False, False)
    assert AugmentationSettings(flip="alternating").moves
    assert AugmentationSettings(crop=1).moves
    assert AugmentationSettings(saturation=0.1).jitters


def test_images_are_shifted_by_less_than_their_sides() -> None:
    AugmentationSettings(crop=3).check((4, 9, 1))
    with pytest.raises(InputError, match=r"augmentation\.crop: 4 received \(allowed: 0 to 3"):
        AugmentationSettings(crop=4).check((9, 4, 1))


def test_partners_are_uniform_over_all_examples() -> None:
    partners = draws(mixup=1.0).partners(0)
    assert partners.shape == (COUNT,)
    assert (partners.min(), partners.max()) >= (0, COUNT // 2)
    assert partners.max() < COUNT
    counts = np.bincount(partners * 10 // COUNT, minlength=10)
    assert counts.min() > 0.8 * COUNT / 10


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_have_the_moments_of_their_distribution(alpha: float) -> None:
    shares = draws(mixup=alpha).shares(0)
    assert shares.dtype == np.float32
    assert ((shares >= 0) & (shares <= 1)).all()
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.06)


KINDS: dict[str, Callable[[Draws, int], NDArray[Any]]] = {
    "mirrored": Draws.mirrored,
    "shifts": Draws.shifts,
    "corners": Draws.corners,
    "factors": Draws.factors,
    "partners": Draws.partners,
    "shares": Draws.shares,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_draw_is_a_function_of_seed_and_epoch(kind: str) -> None:
    """Of no epoch drawn before, and of no other draw."""
    draw, settings = KINDS[kind], EVERYTHING | {"saturation": 0.3, "mixup": 0.5}
    first = draw(draws(**settings), 3)
    busy = draws(**settings)
    for epoch in (0, 3, 1):
        for other in KINDS.values():
            other(busy, epoch)
    assert np.array_equal(draw(busy, 3), first)
    assert not np.array_equal(draw(busy, 4), first)
    assert not np.array_equal(draw(draws(1, **settings), 3), first)
    assert len(first) == COUNT


def test_blending_is_refused_where_labels_are_out_of_reach() -> None:
    AugmentationSettings(flip=True).check_unblended("a technique")
    with pytest.raises(InputError, match=r"^augmentation\.mixup: 0\.5 received, but a technique"):
        AugmentationSettings(mixup=0.5).check_unblended("a technique")
