"""Facts for people, a line for each value."""

from __future__ import annotations

from collections.abc import Iterator

from agtool.core.text import printable


def lines(name: str, *values: str) -> Iterator[str]:
    """The values below each other, with the name before the first of them."""
    width = max(10, len(name))
    for value in values:
        yield f"{name:<{width}} {printable(value)}".rstrip()
        name = ""
