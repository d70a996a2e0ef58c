"""Tables for people, in which an identifier is never cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agtool.core.text import printable

if TYPE_CHECKING:
    from rich.table import Table

_NARROWEST = 8
"""Columns of the terminal to which a cell that is not an identifier may be folded."""


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, identifiers: Sequence[str] = ()
) -> Table:
    """A table; its cells are shown as they are, without markup and control characters.

    Args:
        identifiers: the columns whose cells a person copies. They stay on one line, also where
            the terminal is narrower; the cells of the others are folded first.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    cells = [
        [
            printable(cell, besides="" if title in identifiers else "\n")
            for title, cell in zip(columns, row, strict=True)
        ]
        for row in rows
    ]
    made = Table(box=None, pad_edge=False)
    narrowest = 0
    for number, title in enumerate(columns):
        longest = max(cell_len(text) for text in (title, *(row[number] for row in cells)))
        whole = title in identifiers
        width = longest if whole else min(longest, max(_NARROWEST, cell_len(title)))
        made.add_column(title, no_wrap=whole, min_width=width, overflow="fold")
        narrowest += width + 2
    made.min_width = narrowest
    for row in cells:
        made.add_row(*map(Text, row))
    return made
