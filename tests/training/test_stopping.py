"""Every stopping rule on sequences made by hand: where it stops, and where it does not yet."""

from typing import Any, get_args

import pytest

from bakeoff.training.settings import StoppingSettings, StopRule
from bakeoff.training.stopping import RULES, Trigger

RISING = [i / 100 for i in range(60)]


def stops_at(rule: StopRule, scores: list[float], **settings: Any) -> int | None:
    """The validation, from 1, at which it stops."""
    trigger = Trigger(StoppingSettings(rule=rule, **settings))
    for number, score in enumerate(scores, start=1):
        if trigger(score, -score):
            return number
    return None


def test_every_rule_has_its_function() -> None:
    assert set(RULES) == set(get_args(StopRule))


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("window", [1, 5])
def test_no_rule_stops_what_gets_better_by_the_same_step(rule: StopRule, window: int) -> None:
    assert stops_at(rule, RISING, window=window) is None


@pytest.mark.parametrize(
    ("rule", "scores", "settings", "stop"),
    [
        ("first-degradation", [0.5], {}, None),
        ("first-degradation", [0.5, 0.6, 0.6, 0.59, 0.9], {}, 4),
        ("first-degradation", [0.5, 0.4], {}, 2),
        ("first-degradation", [0.5, 0.45, 0.39, 0.2], {"tolerance": 0.1}, 4),
        ("no-change", [0.5] * 5, {"window": 5}, None),
        ("no-change", [0.5] * 6, {"window": 5}, 6),
        ("no-change", [0.1, 0.5, 0.5, 0.5], {"window": 2}, 4),
        ("no-change", [0.5, 0.51, 0.52, 0.53], {"window": 2, "tolerance": 0.02001}, 3),
        ("no-change", [0.5, 0.51, 0.52, 0.53], {"window": 2, "tolerance": 0.015}, None),
        ("no-change", [0.5, 0.5], {"window": 1}, 2),
        ("absolute-change", [0.5], {"tolerance": 1}, None),
        ("absolute-change", [0.1, 0.5, 0.5], {}, 3),
        ("absolute-change", [0.1, 0.5, 0.46, 0.6], {"tolerance": 0.05}, 3),
        ("average-change", [0.5] * 5, {"window": 5}, None),
        ("average-change", [0.5] * 6, {"window": 5}, 6),
        # Changes 0.4, 0.05, 0.05: their mean over two falls to 0.05 at the fourth.
        ("average-change", [0.1, 0.5, 0.55, 0.5], {"window": 2, "tolerance": 0.051}, 4),
        ("average-change", [0.5, 0.6, 0.5, 0.6, 0.5], {"window": 2, "tolerance": 0.09}, None),
        ("patience", [0.5, 0.4, 0.4], {"window": 3}, None),
        ("patience", [0.5, 0.4, 0.4, 0.4], {"window": 3}, 4),
        ("patience", [0.5, 0.4, 0.4, 0.51, 0.1, 0.1, 0.1], {"window": 3}, 7),
        ("patience", [0.5, 0.5, 0.5], {"window": 2}, 3),
        ("patience", [0.5, 0.52, 0.54], {"window": 2, "tolerance": 0.04001}, 3),
        ("patience", [0.5, 0.4], {"window": 1}, 2),
    ],
)
def test_rules(rule: StopRule, scores: list[float], settings: Any, stop: int | None) -> None:
    assert stops_at(rule, scores, **settings) == stop


def test_last_25_stops_where_the_newest_beats_none_of_the_25_before_it() -> None:
    assert stops_at("last-25", [0.5] * 25) is None
    assert stops_at("last-25", [0.5] * 26) == 26
    # It need not beat all of them: one smaller value among the 25 keeps the loop going ...
    noisy = [0.5] * 24 + [0.3, 0.4, 0.31]
    assert stops_at("last-25", noisy) is None
    # ... until that one is more than 25 validations ago, or is not beaten either.
    assert stops_at("last-25", [*noisy, 0.3]) == 28
    assert stops_at("last-25", [0.3, *[0.5] * 25, 0.5]) == 27
    assert stops_at("last-25", [0.3, *[0.5] * 25]) is None


def test_losses_count_the_other_way_round() -> None:
    falling = Trigger(StoppingSettings(rule="first-degradation", on="loss"))
    assert [falling(score, loss) for score, loss in [(0.9, 1.0), (0.1, 0.5), (0.0, 0.6)]] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_what_it_remembers_can_be_put_back(rule: StopRule) -> None:
    scores = [0.3, 0.5, 0.45, *[0.44, 0.43] * 20]
    settings = StoppingSettings(rule=rule, window=3, tolerance=0.02)
    unbroken = Trigger(settings)
    wanted = [unbroken(score, 0.0) for score in scores]
    for cut in range(1, len(scores)):
        first, second = Trigger(settings), Trigger(settings)
        found = [first(score, 0.0) for score in scores[:cut]]
        state = first.state()
        second.load(state)
        state.clear()  # it was a copy
        assert found + [second(score, 0.0) for score in scores[cut:]] == wanted
