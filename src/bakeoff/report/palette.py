"""Colours and marks: one per recipe and one per outcome, the same in every figure and table.

The recipes' colours are Okabe and Ito's (2008), told apart with every kind of colour vision,
darkened for white paper and lightened for dark screens until they stand out from the ground by
3 : 1. No meaning rests on colour alone: each recipe has its marker, each outcome its sign.
"""

from dataclasses import dataclass

from bakeoff.report.results import OUTCOMES

# The control first, in the colour of the text.
_RECIPES = {
    "light": "33383f 0072b2 d55e00 008c66 b5568e a87400 2490cf 7a7400",
    "dark": "d9dde3 5aaef0 ff8f4a 2fc79b e896c6 efb32e 9ad6ff e6dc4e",
}
_OUTCOMES = {  # better, equivalent, worse, undecided
    "light": "00705a 3652c9 b0281a 666d78",
    "dark": "45d0a6 9aaeff ff8c7a a3abb6",
}
_GROUND = {
    "light": {
        "ground": "#ffffff", "raised": "#f6f6f3", "sunken": "#efefea", "ink": "#1b1e23",
        "muted": "#59606a", "faint": "#8b919a", "rule": "#e2e2dc", "accent": "#0b5c9e",
        "heat-0": "#f7f7f4", "heat-1": "#8fb8dc", "heat-2": "#0b4a86",
    },
    "dark": {
        "ground": "#131519", "raised": "#1b1e24", "sunken": "#22262d", "ink": "#e8eaed",
        "muted": "#a5acb6", "faint": "#7c848f", "rule": "#2e333b", "accent": "#7dbcf5",
        "heat-0": "#1b1e24", "heat-1": "#2c5f93", "heat-2": "#a9d4ff",
    },
}  # fmt: skip
_BAND = {"light": 0.15, "dark": 0.2}

MARKS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "star")
OUTCOME_MARKS = {
    "better": "triangle-up",
    "worse": "triangle-down",
    "equivalent": "square",
    "undecided": "circle",
}
OUTCOME_SIGNS = {"better": "▲", "worse": "▼", "equivalent": "=", "undecided": "?"}

# The recipes' marks once more, as paths in a box from -1 to 1.
MARK_PATHS = {
    "circle": "M-.85 0a.85 .85 0 1 0 1.7 0a.85 .85 0 1 0-1.7 0z",
    "square": "M-.75-.75h1.5v1.5h-1.5z",
    "diamond": "M0-1L1 0 0 1-1 0z",
    "triangle-up": "M0-.95L.95 .75h-1.9z",
    "cross": "M-.3-.9h.6v.6h.6v.6h-.6v.6h-.6v-.6h-.6v-.6h.6z",
    "x": "M-.9-.5L-.5-.9 0-.4 .5-.9 .9-.5 .4 0 .9 .5 .5 .9 0 .4-.5 .9-.9 .5-.4 0z",
    "triangle-down": "M0 .95L.95-.75h-1.9z",
    "star": "M0-1L.24-.32 .95-.31 .38 .12 .59 .81 0 .4-.59 .81-.38 .12-.95-.31-.24-.32z",
}


@dataclass(frozen=True)
class Look:
    """How a recipe looks: names of style sheet colours, and a marker."""

    colour: str
    band: str
    mark: str


def look(index: int) -> Look:
    """Colour and marker of the recipe at a place; the control's is 0.

    Seven colours and eight markers: 56 variants before a pair comes back.
    """
    colours = len(_colours(_RECIPES["light"]))
    number = 0 if index == 0 else 1 + (index - 1) % (colours - 1)
    return Look(f"--c{number}", f"--c{number}-band", MARKS[index % len(MARKS)])


def outcome_colour(outcome: str) -> str:
    """The style sheet colour of an outcome."""
    return f"--{outcome}"


def style_sheet() -> str:
    """The colours of both themes as custom properties."""
    light, dark = _properties("light"), _properties("dark")
    return "\n".join(
        [
            f":root{{color-scheme:light;{light}}}",
            "@media (prefers-color-scheme:dark){:root:not([data-theme=light])"
            f"{{color-scheme:dark;{dark}}}}}",
            f":root[data-theme=dark]{{color-scheme:dark;{dark}}}",
            # Paper is white: told to the style sheet and, while it draws for paper, to the script.
            f"@media print{{:root:root[lang]{{color-scheme:light;{light}}}}}",
            f":root:root:root.printing{{color-scheme:light;{light}}}",
        ]
    )


def _properties(theme: str) -> str:
    pairs = [(name, colour) for name, colour in _GROUND[theme].items()]
    for number, colour in enumerate(_colours(_RECIPES[theme])):
        pairs += [(f"c{number}", colour), (f"c{number}-band", _faded(colour, _BAND[theme]))]
    for outcome, colour in zip(OUTCOMES, _colours(_OUTCOMES[theme]), strict=True):
        pairs += [(outcome, colour), (f"{outcome}-band", _faded(colour, _BAND[theme]))]
    pairs.append(("margin-band", _faded(_GROUND[theme]["muted"], 0.13)))
    return "".join(f"--{name}:{value};" for name, value in pairs)


def _colours(listed: str) -> list[str]:
    return [f"#{colour}" for colour in listed.split()]


def _faded(colour: str, share: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"
