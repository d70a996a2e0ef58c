"""The difference between two templates of a runner, without secrets, for people. Pure."""

from __future__ import annotations

import difflib
import re

from agtool.ci_nodepool.runner.edit import read
from agtool.ci_nodepool.runner.toml import Statement, statements_of

_SHOWN = {"namespace", "image", "executor", "privileged", "service_account"}
"""Keys whose values help a reader to find the place, and are no secrets."""

_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|[ \t]*#.*')


def diff(before: str, after: str, name: str) -> str:
    """A unified diff of two templates; `name` is what they are called.

    Whatever is not part of the edit may be a secret: a token in `environment`, a key of the cache,
    a password in a script or a comment. So of that only the keys are shown.
    """
    shown = {
        text
        for template in (before, after)
        for table in vars(read(template)).values()
        for entry in table.items()
        for text in entry
    }
    return "\n".join(
        difflib.unified_diff(
            [_masked(statement, shown) for statement in statements_of(before)],
            [_masked(statement, shown) for statement in statements_of(after)],
            f"{name} (now)",
            f"{name} (new)",
            lineterm="",
        )
    )


def _masked(statement: Statement, shown: set[str]) -> str:
    """A statement as one line, without what may be secret."""
    text = statement.text.strip()
    if statement.opens:
        return statement.indent + re.sub(r"\][ \t]*#.*", "]", text)
    if not statement.path:
        return f"{statement.indent}# ..." if text else ""
    if "\n" in text:
        return f"{statement.indent}{'.'.join(statement.path[len(statement.table) :])} = ..."
    known = shown | set(statement.path) | {"In"}

    def replace(found: re.Match[str]) -> str:
        string = found[0]
        if string.startswith(("#", " ", "\t")):
            return ""
        return string if string[1:-1] in known or statement.path[-1] in _SHOWN else '"..."'

    return statement.indent + _STRING_OR_COMMENT.sub(replace, text)
