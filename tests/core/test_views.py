"""Views: their weights, and what images allow."""

import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.views import PredictionSettings, View


def test_one_view_is_the_image_itself() -> None:
    assert PredictionSettings().views() == (View(0, False, 1.0),)


def test_the_mirror_image_counts_half() -> None:
    assert PredictionSettings(mirror=True).views() == (View(0, False, 0.5), View(0, True, 0.5))


def test_shifts_count_a_quarter_each() -> None:
    assert PredictionSettings(shift=2).views() == (
        View(0, False, 0.5),
        View(-2, False, 0.25),
        View(2, False, 0.25),
    )


def test_both_are_the_six_views_of_the_source() -> None:
    views = PredictionSettings(mirror=True, shift=1).views()
    assert {(v.shift, v.mirrored): v.weight for v in views} == {
        (0, False): 0.25,
        (0, True): 0.25,
        **{(shift, mirrored): 0.125 for shift in (-1, 1) for mirrored in (False, True)},
    }
    assert sum(view.weight for view in views) == 1
    assert views[0] == View(0, False, 0.25)


def test_images_are_shifted_by_less_than_their_sides() -> None:
    PredictionSettings(shift=3).check((4, 9, 1))
    with pytest.raises(InputError, match=r"^prediction\.shift: 4 received \(allowed: 0 to 3"):
        PredictionSettings(shift=4).check((9, 4, 1))


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match=r"^prediction\.shift"):
        PredictionSettings.parse({"shift": -1}, "prediction")
    with pytest.raises(InputError, match=r"^prediction\.shifts: unknown .*'shift'"):
        PredictionSettings.parse({"shifts": 1}, "prediction")
