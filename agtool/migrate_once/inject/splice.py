"""Operations as edits of a text: pieces that are put in, and values that are replaced. Pure.

Pieces are put in where a list or a mapping is written at its place and not empty, or where a key is
missing. Whatever else stands there, null, an empty list, an alias, is replaced, and returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from agtool.core.yamltext import Path
from agtool.migrate_once.inject.nodes import (
    Entry,
    Stop,
    colon_of,
    end_of_item,
    end_of_value,
    entry,
    line_end,
    line_start,
    start_of_item,
    walk,
)
from agtool.migrate_once.inject.operation import Insert, Operation, Put, applied, below
from agtool.migrate_once.inject.writing import as_written, block, flow, pretty

_BEFORE = ("containers", "image", "name")
"""Before which of its keys a mapping gets a new one; before another one if it has none of them."""


class Edit(NamedTuple):
    """A piece in the place of another one, which may be empty."""

    start: int
    end: int
    text: str


class Replaced(NamedTuple):
    """What stood at a key; None: the key was not there."""

    path: Path
    text: str | None


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with all of them; those of one place in their order."""
    made, at = [], 0
    for edit in sorted(edits, key=lambda each: each.start):
        made += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*made, text[at:]])


class Splice:
    """A document's text, into which pieces are put."""

    def __init__(self, text: str, root: Any, dash: int) -> None:
        self._text = text
        self._root = root
        self._dash = dash
        found = re.search("\r?\n", text)
        self._newline = found[0] if found else "\n"

    def edits(self, operations: Sequence[Operation]) -> tuple[list[Edit], list[Replaced]]:
        """What is to be edited, and what is replaced by that.

        Raises:
            ManifestError: there is no place for it.
        """
        made: list[Edit] = []
        stopped: dict[tuple[int, str], tuple[Stop, list[Operation]]] = {}
        for operation in operations:
            found = walk(
                self._root,
                operation.path,
                "sequence" if isinstance(operation, Insert) else "mapping",
            )
            if not isinstance(found, Stop):
                made.append(self._inserted(found, operation))
                continue
            last = found.depth + 1 == len(operation.path)
            name = str(operation.path[found.depth])
            if found.entry is None and not found.inherited and last:
                made.append(
                    self._new_key(
                        found.mapping, name, applied(None, [below(operation, len(operation.path))])
                    )
                )
            else:
                _, together = stopped.setdefault((id(found.mapping), name), (found, []))
                together.append(operation)
        replaced = []
        for stop, together in stopped.values():
            edit, before = self._replaced(stop, together)
            made.append(edit)
            replaced.append(before)
        return made, replaced

    def _replaced(self, stop: Stop, operations: Sequence[Operation]) -> tuple[Edit, Replaced]:
        """A key's value written anew as a whole."""
        path = operations[0].path[: stop.depth + 1]
        name = str(path[-1])
        before = as_written(stop.mapping).get(name)
        value = applied(before, [below(each, stop.depth + 1) for each in operations])
        if stop.entry is None:
            return self._new_key(stop.mapping, name, value), Replaced(path, None)
        start, end = value_span(self._text, stop.entry)
        return Edit(start, end, f" {flow(value)}"), Replaced(path, self._text[start:end])

    def _inserted(self, node: Any, operation: Operation) -> Edit:
        if isinstance(operation, Put):
            return self._new_key(node, operation.key, operation.value)
        at = len(node.value) if operation.at is None else operation.at
        if at < len(node.value):
            start = start_of_item(self._text, node, at)
            return Edit(start, start, self._before(node, start, operation.items))
        end = end_of_item(self._text, node, at - 1)
        first = start_of_item(self._text, node, 0)
        if node.flow_style:
            gap = self._gap(first)
            items = [f",{gap}{self._json(each, gap)}" for each in operation.items]
            return Edit(end, end, "".join(items))
        end = line_end(self._text, end)
        indent = " " * (first - line_start(self._text, first))
        lines = [f"{self._newline}{indent}{line}" for line in block(operation.items, self._dash)]
        return Edit(end, end, "".join(lines))

    def _before(self, node: Any, start: int, items: Sequence[Any]) -> str:
        """Items as they stand before another one."""
        if node.flow_style:
            gap = self._gap(start)
            return "".join(f"{self._json(each, gap)},{gap}" for each in items)
        return self._lines_before(start, block(items, self._dash))

    def _lines_before(self, start: int, lines: Sequence[str]) -> str:
        between = self._newline + " " * (start - line_start(self._text, start))
        return "".join(f"{line}{between}" for line in lines)

    def _new_key(self, mapping: Any, name: str, value: Any) -> Edit:
        """A key that a mapping has not got."""
        if not mapping.value:
            start = self._text.index("{", mapping.start_mark.index) + 1
            return Edit(start, start, f"{flow(name)}: {flow(value)}")
        start = self._place(mapping)
        if mapping.flow_style:
            gap = self._gap(start)
            return Edit(start, start, f"{flow(name)}: {self._json(value, gap)},{gap}")
        if isinstance(value, str):
            lines = [f"{name}: {flow(value)}"]
        else:
            lines = block({name: value}, self._dash)
        return Edit(start, start, self._lines_before(start, lines))

    def _place(self, mapping: Any) -> int:
        """Before which key a mapping gets a new one: not behind the dash of an item."""
        preferred = [each.key for each in (entry(mapping, one) for one in _BEFORE) if each]
        starts = [key.start_mark.index for key in (*preferred, *(key for key, _ in mapping.value))]
        own_line = [
            each
            for each in starts
            if not self._text[line_start(self._text, each) : each].strip(" ")
        ]
        return int((starts if mapping.flow_style else own_line or starts)[0])

    def _gap(self, start: int) -> str:
        """What stands before a piece within brackets: its line's indentation, or a space."""
        line = line_start(self._text, start)
        before = self._text[line:start]
        if line and not before.strip(" \t"):
            return self._newline + before
        return " " if self._text[start - 1 : start] == " " else ""

    def _json(self, value: Any, gap: str) -> str:
        prefix = gap.lstrip("\r\n")
        if prefix == gap:
            return flow(value)
        return pretty(value, self._step() or "  ", self._newline, prefix)

    def _step(self) -> str:
        """By what each level is indented: the first key of the document, beside its bracket."""
        if self._root.id != "mapping":
            return ""
        first = self._gap(self._root.value[0][0].start_mark.index).lstrip("\r\n")
        bracket = self._gap(self._root.end_mark.index - 1).lstrip("\r\n")
        return first[len(bracket) :]


def value_span(text: str, found: Entry) -> tuple[int, int]:
    """From behind the colon of a key to the end of its value."""
    start = colon_of(text, found)
    return start, max(start, end_of_value(text, found))
