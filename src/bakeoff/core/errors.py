"""Errors a user can meet, and the wording they share.

Every message names what was received, where, and what is allowed.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class BakeoffError(Exception):
    """Something failed while running; the command line ends with `exit_code`."""

    exit_code = 1


class InputError(BakeoffError, ValueError):
    """Bad usage or bad input, found before anything ran. All faults are told at once.

    Args:
        faults: One message, or several, each naming what was received, where, and what is allowed.
    """

    exit_code = 2

    def __init__(self, faults: str | Iterable[str]) -> None:
        self.faults = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))


class DiskError(BakeoffError):
    """Writing failed (disk full, permission lost); what was written before is intact."""


class Interrupted(BakeoffError):
    """A signal asked the run to stop; it stopped at a checkpoint and can be resumed."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
        super().__init__(f"interrupted by signal {signal_number}; run the same command to continue")


def shown(text: object) -> str:
    """A path or name for one line of a message: line feeds and the like are written out."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in str(text))


def first_line(error: BaseException) -> str:
    """The first line of what an error says, short; its kind where it says nothing."""
    said = f"no {error}" if isinstance(error, KeyError) else str(error)  # which is a bare name
    lines = said.strip().splitlines()
    return shown(lines[0][:200]) if lines else type(error).__name__


def suggest(received: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest allowed name, or the empty string."""
    near = nearest(received, allowed)
    return "" if near is None else f"; did you mean '{near}'?"


def nearest(received: str, allowed: Iterable[str]) -> str | None:
    """The allowed name most like the received one, whatever its case, or None."""
    names = {name.lower(): name for name in allowed}
    near = get_close_matches(received.lower(), names, n=1, cutoff=0.6)
    return names[near[0]] if near else None


def unknown(what: str, received: object, allowed: Sequence[str], where: str = "") -> InputError:
    """The error for a name that is not among the allowed ones, with the nearest of them."""
    place = f"{where}: " if where else ""
    listing = ", ".join(allowed) or "none"
    near = suggest(str(received), allowed)
    return InputError(f"{place}unknown {what} '{received}'{near} (allowed: {listing})")
