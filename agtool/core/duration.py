"""Durations as people write and read them."""

from __future__ import annotations

import re

_LONGEST = 366 * 86400.0
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """`90`, `90s`, `1.5m`, `1h30m` -> seconds.

    Raises:
        ValueError: not such a duration, or longer than a year.
    """
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhd]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(
            f"{text!r} is not a duration. Write seconds or units, such as 90, 90s, 5m, 1h30m."
        )
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is too long. A duration may be a year at most.")
    return seconds


def in_words(seconds: float) -> str:
    """Such as `40 s`, `5 min`, `30 h` and `12 days`: in the largest unit that it has two of.

    Seconds are rounded to the next one, all else down.
    """
    whole = round(seconds)
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if whole >= 2 * length:
            return f"{whole // length:,} {unit}"
    return f"{whole} s"
