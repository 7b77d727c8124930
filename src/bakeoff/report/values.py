"""Reading values of a JSON file that may be missing, null or of another kind than expected.

A report is also made of folders that others wrote. What is not what it should be counts as
missing, so that one odd value leaves a gap and never a traceback.
"""

import math
from typing import Any

Range = tuple[float, float]


def number(value: object) -> float | None:
    """A finite number, or None; true and false are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def whole(value: object) -> int | None:
    """A whole number, or None."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def text(value: object, default: str = "") -> str:
    """A text; numbers and truth values as JSON writes them; `default` for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return default


def mapping(value: object) -> dict[str, Any]:
    """A mapping, empty where there is none."""
    return {str(key): entry for key, entry in value.items()} if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """A list, empty where there is none."""
    return list(value) if isinstance(value, list | tuple) else []


def interval(value: object) -> Range | None:
    """Two numbers, or None."""
    ends = [number(end) for end in listing(value)]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    return ends[0], ends[1]


def short(value: float | None) -> float | None:
    """Six significant digits: enough for any screen, and a third of the bytes."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")
