"""The text of a runner's TOML: its statements, and where one could insert or cut. Pure.

What is found here is tried in `edit`, which proves what it means.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Path = tuple[str, ...]

RUNNERS: Path = ("runners",)
KUBERNETES: Path = ("runners", "kubernetes")

_BYTE_ORDER_MARK = "\ufeff"


class Insertion(NamedTuple):
    """A piece of text that was inserted: its offset in the new text, and itself."""

    offset: int
    text: str


def quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Statement(NamedTuple):
    """A header, an assignment (of several lines, perhaps), or a line with neither.

    Attributes:
        offset: where it starts.
        text: itself with its line end.
        table: the path of the table that it stands in, or that it opens.
        path: the path of the key that it sets; () where it sets none.
        opens: whether it is the header of `table`.
    """

    offset: int
    text: str
    table: Path
    path: Path
    opens: bool

    @property
    def end(self) -> int:
        return self.offset + len(self.text)

    @property
    def indent(self) -> str:
        return self.text[: len(self.text) - len(self.text.lstrip(" \t"))]


# A simple key, bare or quoted; and several of them, dotted.
_QUOTED = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_SIMPLE = rf"(?:[\w-]+|{_QUOTED})"
_KEY = re.compile(rf"[ \t]*({_SIMPLE}(?:[ \t]*\.[ \t]*{_SIMPLE})*)[ \t]*=")

# What may hold a line end or a bracket that is none, then these themselves.
_MARK = re.compile(
    r'''"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}'''
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    rf"|{_QUOTED}|#[^\n]*|[\[\]{{}}\n]"
)


def statements_of(text: str) -> list[Statement]:
    """The statements of a text that is valid TOML; together they are the text."""
    found = []
    table: Path = ()
    for offset, piece in _pieces(text):
        bare = piece.removeprefix(_BYTE_ORDER_MARK)
        says = meaning(bare)
        opens = bare.lstrip().startswith("[")
        key = _KEY.match(bare)
        if opens:
            table = _path(says)
        path = table + _path(says, len(re.findall(_SIMPLE, key[1]))) if key else ()
        found.append(Statement(offset, piece, table, path, opens))
    return found


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """The text, cut at the ends of lines that are not within brackets or a string; offsets first.

    Each character is looked at once: to parse a string of many lines again for each line of it
    takes seconds.
    """
    start = depth = 0
    for mark in _MARK.finditer(text):
        if mark[0] in ("[", "{"):
            depth += 1
        elif mark[0] in ("]", "}"):
            depth -= 1
        elif mark[0] == "\n" and depth == 0:
            yield start, text[start : mark.end()]
            start = mark.end()
    if start < len(text):
        yield start, text[start:]


def load(text: str) -> dict[str, Any]:
    """What TOML says; raises ValueError. A byte order mark is read over, as by gitlab-runner."""
    return tomllib.loads(text.removeprefix(_BYTE_ORDER_MARK))


def meaning(text: str) -> dict[str, Any] | None:
    """What TOML says; None: it is not valid."""
    try:
        return load(text)
    except tomllib.TOMLDecodeError:
        return None


def _path(value: object, length: int | None = None) -> Path:
    """The path that a header, or an assignment to a key of this many parts, names."""
    path: Path = ()
    while value and len(path) != length:
        if isinstance(value, list):
            value = value[0]
        elif isinstance(value, dict):
            ((key, value),) = value.items()
            path += (key,)
    return path


def candidates(
    text: str, target: Path, entries: Mapping[str, str], *, lines: Sequence[str] = ()
) -> Iterator[Insertion]:
    """The places and pieces to try, best first, for `entries` in the table `target`.

    Args:
        lines: more assignments, as they are.
    """
    statements = statements_of(text)
    assignments = [f"{quoted(k)} = {quoted(v)}" for k, v in entries.items()] + [*lines]
    # As the table itself is written; where it is not there, as the one around it is.
    for path in (target, KUBERNETES):
        for statement in statements:
            if statement.path == path:  # name = { ... }
                yield from _into_braces(statement, (), assignments)
                yield from _into_braces(statement, target[len(path) :], assignments)
        for i, statement in enumerate(statements):
            if statement.opens and statement.table == path:
                yield _in_table(statements, i, target, assignments)
        yield from _dotted(statements, path, target, assignments)
    for i, statement in enumerate(statements):
        if statement.opens and statement.table == RUNNERS:
            yield _in_table(statements, i, target, assignments)


def appended(text: str, tables: Sequence[Sequence[str]]) -> Iterator[Insertion]:
    """The places to try, best first, for whole tables below [runners.kubernetes], as lines."""
    statements = statements_of(text)
    step = _step(statements)
    headers = [i for i, each in enumerate(statements) if each.opens]
    inside = [i for i in headers if statements[i].table[:2] == KUBERNETES]
    for i in [*reversed(inside), *reversed(headers)]:
        outer = statements[i]
        indent = outer.indent + step * (len(outer.table) <= len(KUBERNETES))
        lines = [f"{indent}{line}" for lines in tables for line in lines]
        yield _after(statements, _last_of_table(statements, i), lines)


def _dotted(
    statements: list[Statement], path: Path, target: Path, assignments: list[str]
) -> Iterator[Insertion]:
    """After the last key that names the table `path` itself, as in kubernetes.image = "x"."""
    for statement in reversed(statements):
        outer, below = len(statement.table), len(path)
        if statement.path[:below] == path != statement.path and outer < below:
            start = f"{statement.indent}{'.'.join(target[outer:])}"
            yield _after(statements, statement, [f"{start}.{each}" for each in assignments])
            return


def _into_braces(statement: Statement, below: Path, assignments: list[str]) -> Iterator[Insertion]:
    inline = ", ".join(assignments)
    if below:
        inline = f"{'.'.join(below)} = {{ {inline} }}"
    for brace in reversed([i for i, char in enumerate(statement.text) if char == "}"]):
        before = statement.text[:brace]
        inner = before.rstrip(" \t")
        if inner.endswith("{"):
            yield Insertion(
                statement.offset + len(inner), f" {inline} " if inner == before else f" {inline}"
            )
        else:
            yield Insertion(statement.offset + len(inner), f", {inline}")


def _in_table(
    statements: list[Statement], header: int, target: Path, assignments: list[str]
) -> Insertion:
    """At the end of a table; where it is not the target, that as a new table."""
    step = _step(statements)
    outer, last = statements[header], _last_of_table(statements, header)
    pieces = []
    indent = last.indent + step * (last is outer)
    if outer.table != target:
        indent = outer.indent + step * (len(target) - len(outer.table))
        pieces = [f"{indent}[{'.'.join(target)}]"]
        indent += step
    return _after(statements, last, pieces + [f"{indent}{each}" for each in assignments])


def _last_of_table(statements: list[Statement], header: int) -> Statement:
    """The last assignment of a table, or its header where it has none."""
    last = statements[header]
    for statement in statements[header + 1 :]:
        if statement.opens:
            break
        if statement.path:
            last = statement
    return last


def _step(statements: list[Statement]) -> str:
    """By how much this text indents a table within another: by its own example, else by two."""
    indents = {
        statement.table: statement.indent for statement in reversed(statements) if statement.opens
    }
    outer, inner = indents.get(RUNNERS, ""), indents.get(KUBERNETES)
    if inner is None:
        return "  "
    return inner[len(outer) :] if inner.startswith(outer) else ""


def _after(statements: list[Statement], statement: Statement, pieces: list[str]) -> Insertion:
    """Lines of their own after a statement, with its line end."""
    example = statement if statement.text.endswith("\n") else statements[0]
    newline = "\r\n" if example.text.endswith("\r\n") else "\n"
    if statement.text.endswith("\n"):
        return Insertion(statement.end, "".join(piece + newline for piece in pieces))
    return Insertion(statement.end, "".join(newline + piece for piece in pieces))


def cuts(statements: list[Statement], target: Path, name: str) -> Iterator[tuple[int, int, str]]:
    """The pieces to try, best first: start, end, and the header of a table that is in it."""
    value = r'"(?:[^"\\]|\\.)*"'
    entry = rf"{re.escape(quoted(name))}[ \t]*=[ \t]*{value}"
    for before, statement in zip([None, *statements], statements, strict=False):
        if statement.path == (*target, name):
            if before is not None and before.opens:
                yield before.offset, statement.end, before.text.strip()
            yield statement.offset, statement.end, ""
        elif statement.path in {target, KUBERNETES}:
            for pattern in (rf",[ \t]*{entry}", rf"{entry}[ \t]*,[ \t]*", rf"[ \t]*{entry}"):
                for match in re.finditer(pattern, statement.text):
                    yield statement.offset + match.start(), statement.offset + match.end(), ""
