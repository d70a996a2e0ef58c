"""The way back of splice: edits that cut out a key, or items of a list. Pure."""

from __future__ import annotations

from typing import Any

from agtool.migrate_once.inject.nodes import (
    Entry,
    end_of_item,
    end_of_value,
    line_end,
    line_start,
    start_of_item,
)
from agtool.migrate_once.inject.splice import Edit


def cut_key(text: str, mapping: Any, found: Entry) -> Edit:
    """The edit that takes a key and its value out of a mapping."""
    at = next(i for i, (key, _) in enumerate(mapping.value) if key is found.key)
    start, end = int(found.key.start_mark.index), end_of_value(text, found)
    follower = mapping.value[at + 1][0].start_mark.index if at + 1 < len(mapping.value) else None
    before = end_of_value(text, Entry(*mapping.value[at - 1])) if at else None
    return _cut(text, start, end, follower, before, flow=mapping.flow_style)


def cut_items(text: str, sequence: Any, first: int, last: int) -> Edit:
    """The edit that takes some items, which follow each other, out of a list."""
    start, end = start_of_item(text, sequence, first), end_of_item(text, sequence, last)
    more = last + 1 < len(sequence.value)
    follower = start_of_item(text, sequence, last + 1) if more else None
    before = end_of_item(text, sequence, first - 1) if first else None
    return _cut(text, start, end, follower, before, flow=sequence.flow_style)


def _cut(
    text: str, start: int, end: int, follower: int | None, before: int | None, *, flow: bool
) -> Edit:
    """The edit for a piece.

    Args:
        follower: where the next one begins; None: it is the last.
        before: where the previous one ends; None: it is the first.
    """
    if not flow and not text[line_start(text, start) : start].strip(" "):
        return Edit(*_lines(text, start, end), "")
    if follower is not None:
        return Edit(start, follower, "")
    return Edit(start if before is None else before, end, "")


def _lines(text: str, start: int, end: int) -> tuple[int, int]:
    """The lines of a piece, each with its break; at the end of a text, with the one before them."""
    start, end = line_start(text, start), line_end(text, end)
    if end < len(text):
        return start, end + (2 if text[end] == "\r" else 1)
    return max(0, start - (2 if text[:start].endswith("\r\n") else 1)), end
