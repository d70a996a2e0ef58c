"""What others wrote, read and made fit to be shown. Pure."""

from __future__ import annotations

import re
from typing import Any

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def read_json(text: str | bytes) -> Any:
    """A JSON document. Raises ValueError when it is none, or is nested too deeply to be read."""
    import json  # not for those who read none

    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def is_utf_8(text: str) -> bool:
    """Whether it came as UTF-8: other bytes of arguments and variables are surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str, *, besides: str = "") -> str:
    """`text` with a mark in the place of each control character, so that it can do no harm.

    Args:
        besides: control characters that may stay, such as a line feed.
    """
    return "".join(c if c.isprintable() or c in besides else _REPLACEMENT for c in text)


def count(number: int, noun: str, plural: str = "") -> str:
    """Such as `1 node` and `5,000 nodes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def some(names: list[str] | tuple[str, ...], most: int = 10) -> str:
    """The names, or the first of them and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def fits_a_header(text: str) -> bool:
    """Whether a header of HTTP can hold it in UTF-8: no control characters, no other bytes."""
    return not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text)
