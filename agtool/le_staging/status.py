"""`agtool le-staging status`: what is installed and whether it works, section by section."""

from __future__ import annotations

from typing import Any, NamedTuple


class Section(NamedTuple):
    """What one part of le-staging says of itself.

    Attributes:
        name: its heading, and its key in JSON.
        works: whether all of it is as it should be; None: it is not installed.
        lines: for people: what, and its state.
        data: for programs.
    """

    name: str
    works: bool | None
    lines: list[tuple[str, str]]
    data: dict[str, Any]
