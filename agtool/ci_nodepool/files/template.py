"""TOML with Go template text in it, as it stands in Helm values. Pure.

What is between {{ and }} becomes text of the same length that is TOML, so that every offset in the
one is an offset in the other.
"""

from __future__ import annotations

import re

_ACTION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
# Each character can be matched in one way only: else a line of many braces takes forever.
_TEXT = r'"(?:[^"\\\n]|\\[^\n])*"|`[^`\n]*`|(?!\}\})[^"`\n]'
_LINE = re.compile(rf"^[ \t]*(?:\{{\{{(?:{_TEXT})*\}}\}}[ \t]*)+\r?$", re.MULTILINE)
_CONTROL = re.compile(
    r"\{\{-?\s*(?:if|else|end|range|with|include|template|block|define|toYaml|toToml|tpl)\b"
)


def decides(text: str) -> bool:
    """Whether template text adds or leaves out whole lines: nobody can tell what is there."""
    return bool(_LINE.search(text) or _CONTROL.search(text))


def masked(text: str, filling: str = "x") -> str:
    """The text as TOML: lines of template text as comments, values of it as strings.

    Args:
        filling: one letter, of which these strings are made.
    """

    def as_comment(found: re.Match[str]) -> str:
        return "#" + re.sub(r"[^\r]", filling, found[0][1:])

    text = _LINE.sub(as_comment, text)
    made, at = [], 0
    for found in _ACTION.finditer(text):
        before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        bare = before.count('"') % 2 == 0 and before.count("'") % 2 == 0
        length = found.end() - found.start()
        made += [
            text[at : found.start()],
            f'"{filling * (length - 2)}"' if bare else filling * length,
        ]
        at = found.end()
    return "".join([*made, text[at:]])
