"""What changes in a text, for people. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

_CONTEXT = 3
_SENSITIVE = r"""["']?name["']?:\s*["']?\w*(?:PASS|SECRET|TOKEN|KEY|URL|DSN|URI|CRED|AUTH)"""
_NAME = re.compile(rf"^[ +-]\s*(?:- )?{_SENSITIVE}", re.IGNORECASE)
_VALUE = re.compile(r"""^([ +-]\s*["']?value["']?:\s*).+""")
_FLOW = re.compile(
    rf"""({_SENSITIVE}\w*["']?,\s*["']?value["']?:\s*)"""
    r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^,}\]]+)""",
    re.IGNORECASE,
)


def difference(before: str, after: str, name: str) -> Iterator[str]:
    """The lines of a unified diff, with the values of variables that may be secret left out."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    end = 0
    while end < min(len(old), len(new)) - same and old[-1 - end] == new[-1 - end]:
        end += 1
    # A text of 300,000 lines is compared where it differs only.
    first, last = max(0, same - _CONTEXT), max(0, end - _CONTEXT)
    secret = False
    for line in difflib.unified_diff(
        old[first : len(old) - last],
        new[first : len(new) - last],
        name,
        f"{name} (injected)",
        n=_CONTEXT,
    ):
        shown = line.rstrip("\r\n")
        if line.startswith("@@"):
            shown = re.sub(
                r"([-+])(\d+)", lambda found: f"{found[1]}{int(found[2]) + first}", shown
            )
        if secret:
            shown = _VALUE.sub(r"\1...", shown)
        secret = _NAME.match(shown) is not None
        yield _FLOW.sub(r"\1...", shown)
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"
