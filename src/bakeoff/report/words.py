"""Numbers and names as people read them."""

import math
from dataclasses import dataclass

from bakeoff.core.duration import duration as in_units
from bakeoff.core.measures import bare, difference_unit, in_words, scale_of

MINUS, THIN = "\N{MINUS SIGN}", "\N{NARROW NO-BREAK SPACE}"
MISSING = "\N{EN DASH}"

RECALL = "recall"
"""Of one class: shown like a metric, though no task has it."""


@dataclass(frozen=True)
class Metric:
    """How one metric is written: shares of 1 as percent, their differences as points.

    Args:
        name: `split/name`, or the name alone.
        protocol: What figures of texts were measured by; empty of all others.
    """

    name: str
    protocol: str = ""

    @property
    def split(self) -> str:
        """The split it is of, or the empty string."""
        return self.name.rpartition("/")[0]

    @property
    def word(self) -> str:
        """The metric without its split, in words."""
        return in_words(bare(self.name), self.protocol)

    @property
    def words(self) -> str:
        """Split and metric in words."""
        return in_words(self.name, self.protocol)

    @property
    def percent(self) -> bool:
        """Whether it is a share of 1."""
        return scale_of(self.name) == "share" or self.name == RECALL

    @property
    def scale(self) -> float:
        """What plots multiply it with."""
        return 100.0 if self.percent else 1.0

    @property
    def unit(self) -> str:
        """Of a score: percent, or nothing."""
        return f"{THIN}%" if self.percent else ""

    @property
    def axis(self) -> str:
        """The title of an axis of scores."""
        return f"{self.words} (%)" if self.percent else self.words

    @property
    def points(self) -> str:
        """Of a difference: points, nats where it is one of logarithms, or nothing."""
        unit = "points" if self.percent else difference_unit(self.name)
        return f" {unit}" if unit else ""

    @property
    def in_points(self) -> str:
        """Of a column of differences: its unit in brackets, or nothing."""
        return f" ({self.points.strip()})" if self.points else ""

    def bare(self, value: float | None) -> str:
        """A score without unit."""
        if value is None:
            return MISSING
        return signless(f"{value * 100:.2f}" if self.percent else decimals(value))

    def score(self, value: float | None) -> str:
        """A score with its unit."""
        return MISSING if value is None else self.bare(value) + self.unit

    def difference(self, value: float | None) -> str:
        """A difference with its sign, without unit."""
        return MISSING if value is None else signed(self.bare(value))

    def amount(self, value: float) -> str:
        """The size of a difference, with its unit."""
        return self.bare(abs(value)) + self.points

    def rounded(self, value: float) -> str:
        """The size of a difference in the fewest digits that tell it, with its unit."""
        if not self.percent:
            return f"{abs(value):.2g}"
        size = abs(value) * 100
        return f"{size:.{1 if size >= 0.95 else 2}f}{self.points}"

    def range(self, ends: tuple[float, float] | None, *, signs: bool = False) -> str:
        """Two ends: `91.2 to 92.0`."""
        if ends is None:
            return MISSING
        low, high = (self.difference(end) if signs else self.bare(end) for end in ends)
        return f"{low} to {high}"


def decimals(value: float) -> str:
    """Four significant digits or so, never an exponent for usual sizes; nothing is a bare 0."""
    size = abs(value)
    if not size:
        return "0"
    if size < 1e-4 or size >= 1e7:
        return f"{value:.3g}"
    digits = 4 if size < 1 else 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0
    return f"{value:.{digits}f}"


def signless(number: str) -> str:
    """A formatted number with a true minus sign, and none before zero."""
    if not number.startswith("-"):
        return number
    return number[1:] if not number.strip("-0.") else MINUS + number[1:]


def signed(number: str) -> str:
    """A formatted number with a plus sign where it is above zero."""
    return number if number.startswith(MINUS) or not number.strip("0.") else f"+{number}"


def probability(value: float | None) -> str:
    """A p-value: two digits, small ones as a bound."""
    if value is None:
        return MISSING
    if value < 0.0001:
        return f"<{THIN}0.0001"
    return f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def count(value: float | None) -> str:
    """A whole number with its thousands apart."""
    return MISSING if value is None else f"{value:,.0f}".replace(",", THIN)


def plural(value: int, noun: str, many: str = "") -> str:
    """`1 seed`, `5 seeds`."""
    return f"{count(value)} {noun if value == 1 else many or noun + 's'}"


def _scaled(value: float, step: float, units: tuple[str, ...]) -> str:
    """Three digits and a unit."""
    rank = 0
    while abs(value) >= step and rank < len(units) - 1:
        value, rank = value / step, rank + 1
    digits = 0 if abs(value) >= 100 or (rank == 0 and value == int(value)) else 1
    digits = 2 if digits and abs(value) < 10 else digits
    return f"{value:.{digits}f}{THIN}{units[rank]}".rstrip(THIN)


def big(value: float | None) -> str:
    """A large number with k, M, G."""
    return MISSING if value is None else _scaled(value, 1000, ("", "k", "M", "G", "T"))


def size(value: float | None) -> str:
    """Bytes."""
    return MISSING if value is None else _scaled(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def duration(seconds: float | None) -> str:
    """A time in its two largest units."""
    return MISSING if seconds is None else in_units(seconds, THIN)


def ratio(value: float | None) -> str:
    """`6.2×`; two digits where it is below one."""
    if value is None or not math.isfinite(value):
        return MISSING
    shown = f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"
    return f"{shown}×"


def joined(names: list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def cut(name: str, length: int = 28) -> str:
    """A name that fits beside a plot."""
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"


def first_upper(sentence: str) -> str:
    """A sentence that begins with a capital."""
    return sentence[:1].upper() + sentence[1:]


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t: half a 95 % interval, in standard errors."""
    if freedom < 1:
        return math.nan
    if freedom <= len(_T975):
        return _T975[freedom - 1]
    z, n = 1.959963984540054, float(freedom)  # Cornish-Fisher; 1e-6 from 31 on
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3


# Student's t, 97.5 % quantile, 1 to 30 degrees of freedom.
_T975 = (
    12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157,
    2.228139, 2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922,
    2.093024, 2.085963, 2.079614, 2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831,
    2.048407, 2.045230, 2.042272,
)  # fmt: skip
