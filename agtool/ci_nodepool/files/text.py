"""YAML documents with the places of their strings. Pure.

The text between two places is never touched, so comments, order, quoting and line ends stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agtool.core.yamltext import Path, parsed


@dataclass(frozen=True)
class Scalar:
    """A string as it stands in a text.

    Attributes:
        start: the offset of its first character, with its quote or its block's `|`.
        end: the offset after its last.
        line: the number of its first line of content, from 0.
        style: how it is written: | > ' " or plain (empty).
        column: of the key before it, by which a block is indented at least.
    """

    start: int
    end: int
    line: int
    style: str
    column: int
    value: str


@dataclass(frozen=True)
class Document:
    """One document of a text."""

    data: Any
    node: Any

    def scalar(self, path: Path) -> Scalar | None:
        """The string at a path; None: there is none, or it is not a string."""
        node, column = self.node, 0
        for step in path:
            node, column = _below(node, step)
            if node is None:
                return None
        if not hasattr(node, "style") or not isinstance(node.value, str):
            return None
        start, end = node.start_mark, node.end_mark
        style = node.style or ""
        line = start.line + (style in "|>" and bool(style))
        return Scalar(start.index, end.index, line, style, column, node.value)


@dataclass(frozen=True)
class File:
    """A file that is read.

    Attributes:
        name: as it was given.
    """

    name: str
    text: str

    @cached_property
    def documents(self) -> Sequence[Document]:
        """Its documents, parsed once however often they are asked for. Raises NotYaml."""
        return tuple(documents(self.text))


def _below(node: Any, step: str | int) -> tuple[Any, int]:
    """The node below a step, and the column of what names it."""
    if isinstance(step, int):
        # A number that is a key is not found: what it names is changed by hand.
        there = node.value[step] if node.id == "sequence" else None
        return there, there.start_mark.column if there is not None else 0
    # Of a key that stands twice the last one counts.
    for key, value in reversed(node.value) if isinstance(node.value, list) else ():
        if key.value == step:
            return value, key.start_mark.column
    return None, 0


def documents(text: str) -> Iterator[Document]:
    """The documents of a text, those that are empty left out.

    Raises:
        NotYaml
    """
    for node, value_of in parsed(text):
        data = value_of(node)
        if data is not None:
            yield Document(data, node)
