"""A text without the values in it that may be secret. Pure.

Whether a variable's value is one cannot be told by its name: MONGO, CONFIG. So each is left out.
Of a command's words those are that look as if a password stood in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from agtool.core.yamltext import as_kubernetes, parsed
from agtool.migrate_once.inject.additions import ANNOTATION
from agtool.migrate_once.inject.nodes import end_of, entries
from agtool.migrate_once.inject.splice import Edit, edited
from agtool.migrate_once.inject.stream import spans

_COPIES = {"kubectl.kubernetes.io/last-applied-configuration", ANNOTATION}
"""Annotations with all of an object, or with what a command was, as JSON."""

_NAMED_SO = r"(?i:pass(?:w(?:or)?d|phrase)?|pwd|secret|token)"

_WITH_PASSWORD = re.compile(
    # URLs, the data source names of Go's MySQL, assignments as shells, JSON and properties have
    # them, and options; `--auth-token --host h` is two of these.
    r"://[^\s/:@]*:[^\s@]+@"
    r"|\S:\S+@(?:tcp|unix)\("
    rf"|{_NAMED_SO}[\"']?\s*[=:]\s*\S"
    rf"|(?<!\S)--?[\w.-]*{_NAMED_SO}\s+[^\s-]"
)

_BEFORE_PASSWORD = re.compile(rf"--?[\w.-]*{_NAMED_SO}")


def masked(text: str, start: int, end: int) -> str:
    """The text with `...` in the place of each of them, and as many lines as before.

    They are the literal values of variables, what Secrets hold, passwords in commands, and what
    annotations keep of these.

    Args:
        start: the offset from which documents matter.
        end: and to which.

    Raises:
        NotYaml
    """
    edits = []
    for first, last in spans(text):
        if first >= end or last <= start:
            continue
        piece = text[first:last]
        found: dict[int, Any] = {}
        for node, _ in parsed(piece, as_kubernetes()):
            for each in _secret(node):
                found[each.start_mark.index] = each
        for at, node in found.items():
            stop = end_of(piece, node)
            edits.append(Edit(first + at, first + stop, _hidden(piece[at:stop])))
    return edited(text, edits)


def _hidden(value: str) -> str:
    lines = (re.fullmatch(r"(?s)(\s*)(.*?)(\s*)", line) for line in value.splitlines(keepends=True))
    return "".join(
        f"{line[1]}{'...' if line[2] else ''}{line[3]}" for line in lines if line is not None
    )


def _secret(root: Any) -> Iterator[Any]:
    """The scalars below a node that may be secret; of an alias, that which it stands for."""
    seen: set[int] = set()
    rest = [root]
    while rest:
        node = rest.pop()
        if id(node) in seen or node.id == "scalar":
            continue
        seen.add(id(node))
        if node.id == "sequence":
            rest += node.value
            continue
        own = {name: each.value for name, each in entries(node)}
        secret = set(_COPIES)
        if "name" in own or len(own) < len(node.value):  # by a merge
            secret.add("value")
        if "kind" in own and own["kind"].value == "Secret":
            secret |= {"data", "stringData"}
        for name in secret & own.keys():
            yield from _scalars(own[name])
        for name in {"command", "args"} & own.keys():
            yield from _passwords(own[name])
        rest += [value for _, value in node.value]


def _scalars(node: Any) -> Iterator[Any]:
    if node.id == "scalar":
        yield node
    elif node.id == "mapping":
        yield from (value for _, value in node.value if value.id == "scalar")


def _passwords(words: Any) -> Iterator[Any]:
    """Of a command's words those in which a password may stand."""
    before = ""
    for word in words.value if words.id == "sequence" else ():
        text = word.value if word.id == "scalar" else ""
        if _WITH_PASSWORD.search(text) or _BEFORE_PASSWORD.fullmatch(before):
            yield word
        before = text
