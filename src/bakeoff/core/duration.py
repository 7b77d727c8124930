"""How long something took, in words."""

UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
"""Names and seconds, the largest first."""


def duration(seconds: float, space: str = " ") -> str:
    """A time in its two largest units.

    Args:
        seconds: 0 or more.
        space: Between a number and its unit.

    Returns:
        Below a minute one unit and two digits, in milliseconds below a second (at least one, as
        nothing measured took none): `12 ms`, `3.4 s`, `40 s`. Else two units, the second of which
        is left out where it is 0: `3 min 20 s`, `2 h`, `3 d 4 h`.
    """
    if 0 < seconds < 0.9995:
        return f"{max(1, 1_000 * seconds):.0f}{space}ms"
    if seconds < 59.5:
        return f"{seconds:.2g}{space}s"
    left, parts = round(seconds), []
    rank = next(i for i, (_, size) in enumerate(UNITS) if left >= size)
    for name, size in UNITS[rank : rank + 2]:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{space}{name}")
    return " ".join(parts)
