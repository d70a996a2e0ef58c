"""A text with several documents, cut into them without reading them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARK = re.compile(r"(?:\A|(?<=[\n\r\x85\u2028\u2029]))\ufeff?(---|\.\.\.)(?=\s|\Z)")
"""What ends a document wherever it stands: within a quoted string YAML forbids it."""

_CONTENT = re.compile(r"(?:^|(?<=\ufeff))(?![ \t\r]*(?:#|$)|%|\ufeff)", re.MULTILINE)
"""A line that is neither blank nor a comment nor a directive."""


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where each document of a text begins and ends, with the comments and directives before it.

    The marks that are left out are byte order marks.
    """
    start = 0
    for mark in _MARK.finditer(text):
        if mark[1] == "---":
            if _has_content(text, start, mark.start()):
                yield _without_mark(text, start), mark.start()
                start = mark.start()
            continue
        end = text.find("\n", mark.end()) + 1 or len(text)
        if _has_content(text, start, mark.start()):  # PyYAML takes no end of nothing
            yield _without_mark(text, start), end
        start = end
    if start < len(text):
        yield _without_mark(text, start), len(text)


def _has_content(text: str, start: int, end: int) -> bool:
    return _CONTENT.search(text, start, end) is not None and bool(
        text[start:end].strip("\ufeff \t\r\n")
    )


def _without_mark(text: str, start: int) -> int:
    return start + text.startswith("\ufeff", start)
