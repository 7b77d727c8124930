"""Colours that stand out, and marks that do not need them."""

import re

import pytest

from bakeoff.report import palette
from bakeoff.report.results import OUTCOMES

THEMES = ("light", "dark")


def properties(theme: str) -> dict[str, str]:
    lines = palette.style_sheet().splitlines()
    line = lines[0] if theme == "light" else lines[1]
    return dict(re.findall(r"--([\w-]+):([^;]+);", line))


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["ground", "raised"])
@pytest.mark.parametrize("name", ["ink", "muted", "accent", *OUTCOMES])
def test_text_is_readable(theme: str, ground: str, name: str) -> None:
    colours = properties(theme)
    assert contrast(colours[name], colours[ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_marks_stand_out(theme: str) -> None:
    colours = properties(theme)
    for index in range(8):
        colour = colours[palette.look(index).colour.removeprefix("--")]
        assert contrast(colour, colours["ground"]) >= 3
    assert contrast(colours["faint"], colours["ground"]) >= 3


def test_recipes_look_different() -> None:
    looks = [(palette.look(i).colour, palette.look(i).mark) for i in range(57)]
    assert len(set(looks)) == 57
    assert palette.look(0).colour == "--c0"
    assert all(colour != "--c0" for colour, _ in looks[1:])


def test_every_mark_has_a_path() -> None:
    assert set(palette.MARKS) == set(palette.MARK_PATHS)
    assert set(palette.OUTCOME_MARKS) == set(OUTCOMES) == set(palette.OUTCOME_SIGNS)
    assert len(set(palette.OUTCOME_MARKS.values())) == len(OUTCOMES)


def test_every_colour_is_there_in_both_themes() -> None:
    light, dark = properties("light"), properties("dark")
    assert light.keys() == dark.keys()
    used = {palette.look(i).colour for i in range(20)} | {palette.look(i).band for i in range(20)}
    used |= {palette.outcome_colour(outcome) for outcome in OUTCOMES}
    assert {name.removeprefix("--") for name in used} <= light.keys()


def test_paper_is_white() -> None:
    printed = [line for line in palette.style_sheet().splitlines() if "print" in line]
    assert len(printed) == 2
    assert all("--ground:#ffffff" in line for line in printed)
