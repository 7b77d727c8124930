"""Which prediction belongs to which id of another file."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bakeoff.core.errors import shown

SHOWN = 5


def _same(name: str) -> str:
    return name


def _file(name: str) -> str:
    return PurePosixPath(name).name


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _without_suffix(name: str) -> str:
    return str(PurePosixPath(name).with_suffix("")) if _file(name) else name


Way = tuple[Callable[[str], str], Callable[[str], str]]
WAYS: tuple[Way, ...] = (
    (_same, _same),
    (_without_suffix, _same),
    (_file, _same),
    (_stem, _same),
    (_same, _stem),
    (_file, _file),
    (_stem, _stem),
)
"""How a predicted id and a wanted one may be written: `test/7.png`, `test/7`, `7.png` or `7`."""


@dataclass(frozen=True)
class Match:
    """The best that could be found.

    Args:
        rows: The row of the prediction for each wanted id that has one.
        doubled: Wanted ids, each with the predicted ids that it could mean.
    """

    rows: Mapping[str, int]
    doubled: Mapping[str, tuple[str, str]]


def match(predicted: Sequence[str], wanted: Sequence[str]) -> Match:
    """Find the prediction of every wanted id.

    One way of reading ids is used for all of them: the first that finds every wanted id exactly
    once, or else the one that finds most.

    Args:
        predicted: Ids as predicted, all different.
        wanted: Ids as another file writes them, all different.
    """
    best = Match({}, {})
    for way in WAYS:
        found = _by(way, predicted, wanted)
        if len(found.rows) == len(wanted):
            return found
        if len(found.rows) + len(found.doubled) > len(best.rows) + len(best.doubled):
            best = found
    return best


def _by(way: Way, predicted: Sequence[str], wanted: Sequence[str]) -> Match:
    made, asked = way
    rows: dict[str, int] = {}
    twice: dict[str, tuple[str, str]] = {}
    for row, name in enumerate(predicted):
        key = made(name)
        if key in rows:
            twice.setdefault(key, (predicted[rows[key]], name))
        rows.setdefault(key, row)
    keys = [asked(name) for name in wanted]
    several = {key for key, count in Counter(keys).items() if count > 1}
    pairs = [pair for pair in zip(wanted, keys, strict=True) if pair[1] not in several]
    return Match(
        {name: rows[key] for name, key in pairs if key in rows and key not in twice},
        {name: twice[key] for name, key in pairs if key in twice},
    )


def repeated(ids: Sequence[str]) -> list[str]:
    """Those that occur more than once, in order."""
    return [name for name, count in Counter(ids).items() if count > 1]


def some(ids: Sequence[str]) -> str:
    """The first ids, and how many more there are."""
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(f"'{shown(name)}'" for name in ids[:SHOWN]) + more
