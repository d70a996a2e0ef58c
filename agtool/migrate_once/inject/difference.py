"""What changes in a text, for people. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from agtool.migrate_once.inject.secrets import masked

_CONTEXT = 3


def difference(before: str, after: str, name: str) -> Iterator[str]:
    """The lines of a unified diff, with the values that may be secret left out.

    Raises:
        NotYaml
    """
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    end = 0
    while end < min(len(old), len(new)) - same and old[-1 - end] == new[-1 - end]:
        end += 1
    # A text of 300,000 lines is compared where it differs only.
    first, last = max(0, same - _CONTEXT), max(0, end - _CONTEXT)
    for line in difflib.unified_diff(
        _shown(old, first, len(old) - last),
        _shown(new, first, len(new) - last),
        name,
        f"{name} (injected)",
        n=_CONTEXT,
    ):
        shown = line.rstrip("\r\n")
        if line.startswith("@@"):
            shown = re.sub(
                r"([-+])(\d+)", lambda found: f"{found[1]}{int(found[2]) + first}", shown
            )
        yield shown
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _shown(lines: Sequence[str], first: int, last: int) -> list[str]:
    """Some lines of a text, as they may be shown."""
    start = sum(map(len, lines[:first]))
    end = start + sum(map(len, lines[first:last]))
    return masked("".join(lines), start, end).splitlines(keepends=True)[first:last]
