"""Where the values of a document stand in its text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from agtool.core.yamltext import Path
from agtool.migrate_once.inject.problem import ManifestError, Place

_MERGE = "tag:yaml.org,2002:merge"
_ALIAS = re.compile(r"(?:\s|#[^\n]*\n)*\*[^\s,\[\]{}]+")
_NEXT_ALIAS = re.compile(r"[^*]*\*[^\s,\[\]{}]+")
_BREAK = re.compile("\r?\n")


class Entry(NamedTuple):
    """A key of a mapping and its value, which may be another one's (an alias)."""

    key: Any
    value: Any

    @property
    def is_alias(self) -> bool:
        """Whether the value is written elsewhere."""
        return bool(self.value.start_mark.index < self.key.end_mark.index)


class Stop(NamedTuple):
    """Where a path ends before its end: at a key whose value is not the mapping's own.

    Attributes:
        mapping: which has the key, or would have it.
        depth: how many steps lead there.
        entry: None: the key is not there.
        inherited: whether the mapping has it by a merge (<<).
    """

    mapping: Any
    depth: int
    entry: Entry | None
    inherited: bool


def entries(mapping: Any) -> Iterator[tuple[str, Entry]]:
    """The keys that a mapping has itself."""
    for key, value in mapping.value:
        if key.tag != _MERGE:
            yield key.value if isinstance(key.value, str) else "", Entry(key, value)


def entry(mapping: Any, name: str) -> Entry | None:
    """One of them. Raises ManifestError if it stands there twice."""
    found = [each for own, each in entries(mapping) if own == name]
    if len(found) > 1:
        lines = [each.key.start_mark.line + 1 for each in found]
        raise ManifestError(
            f"the key {name} stands there twice",
            hint="Leave one of them: readers differ in which of the two they take.",
            place=Place("", 0, lines[1]),
        )
    return found[0] if found else None


def inherits(mapping: Any, name: str) -> bool:
    """Whether a mapping has a key by a merge."""
    for key, value in mapping.value:
        if key.tag == _MERGE:
            merged = value.value if value.id == "sequence" else [value]
            for each in merged:
                if each.id == "mapping" and (entry(each, name) or inherits(each, name)):
                    return True
    return False


def walk(root: Any, path: Path, kind: str) -> Any:
    """The node at a path, a `mapping` or a `sequence` that is not empty; or a Stop.

    Raises:
        ManifestError: an item of a list on the way is written elsewhere, or a key stands twice.
    """
    node = root
    for depth, step in enumerate(path):
        last = depth + 1 == len(path)
        if isinstance(step, int):
            item = node.value[step]
            if item.start_mark.index < node.start_mark.index:
                raise ManifestError(
                    "it is written elsewhere, behind an anchor (&), where it also counts for "
                    "others",
                    hint="Write it out here.",
                    place=Place("", 0, node.start_mark.line + 1),
                )
            node = item
            continue
        found = entry(node, step)
        wanted = kind if last else "sequence" if isinstance(path[depth + 1], int) else "mapping"
        if found is None or found.is_alias or found.value.id != wanted or not found.value.value:
            return Stop(node, depth, found, found is None and inherits(node, step))
        node = found.value
    return node


def end_of(text: str, node: Any) -> int:
    """The offset behind the last character that belongs to a node written at its place."""
    if isinstance(node.value, str):
        if node.style not in ("|", ">"):
            return int(node.end_mark.index)
        start, end = node.start_mark.index, node.end_mark.index
        header = _BREAK.split(text[start:end], maxsplit=1)[0].partition("#")[0]
        body = text[start:end]
        return int(end if "+" in header else start + len(body.rstrip(" \t\r\n\x85\u2028\u2029")))
    if node.flow_style or not node.value:
        return int(node.end_mark.index)
    if node.id == "mapping":
        return end_of_value(text, Entry(*node.value[-1]))
    return end_of_item(text, node, len(node.value) - 1)


def end_of_value(text: str, found: Entry) -> int:
    """The same of a key's value; of an alias, behind its name."""
    if not found.is_alias:
        return end_of(text, found.value)
    colon = colon_of(text, found)
    match = _ALIAS.match(text, colon)
    return match.end() if match else colon


def end_of_item(text: str, sequence: Any, at: int) -> int:
    """The same of an item."""
    if not _is_alias(sequence, at):
        return end_of(text, sequence.value[at])
    before = end_of_item(text, sequence, at - 1) if at else int(sequence.start_mark.index)
    match = _NEXT_ALIAS.match(text, before)
    return match.end() if match else before


def start_of_item(text: str, sequence: Any, at: int) -> int:
    """Where an item begins: with its dash, if it is a block's."""
    start = int(sequence.value[at].start_mark.index)
    if _is_alias(sequence, at):
        start = text.rindex("*", 0, end_of_item(text, sequence, at))
    return start if sequence.flow_style else _dash_before(text, start)


def _is_alias(sequence: Any, at: int) -> bool:
    return bool(sequence.value[at].start_mark.index < sequence.start_mark.index)


def _dash_before(text: str, start: int) -> int:
    """The dash that stands in the line of an offset, or in one above it."""
    line = line_start(text, start)
    while "-" not in text[line:start].partition("#")[0] and line:
        line, start = line_start(text, line - 1), line - 1
    return line + text[line:start].partition("#")[0].rindex("-")


def line_start(text: str, offset: int) -> int:
    """The offset at which the line of another one begins."""
    return text.rfind("\n", 0, offset) + 1


def line_end(text: str, offset: int) -> int:
    """The offset at which it ends, before its line break."""
    found = _BREAK.search(text, offset)
    return found.start() if found else len(text)


def colon_of(text: str, found: Entry) -> int:
    """The offset behind the colon of a key."""
    return text.index(":", found.key.end_mark.index) + 1
