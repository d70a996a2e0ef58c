"""What is added to an object, and what the object is then. Pure.

Objects are plain dicts and lists: as they were parsed, or as they are written (`writing.Verbatim`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from agtool.core.yamltext import Path


class Insert(NamedTuple):
    """Put items into a list, which is made if there is none.

    Attributes:
        path: of the list.
        at: before which of its items; None: behind the last.
    """

    path: Path
    items: Sequence[Any]
    at: int | None = 0


class Put(NamedTuple):
    """Put a new key into a mapping, which is made if there is none.

    Attributes:
        path: of the mapping.
    """

    path: Path
    key: str
    value: str


Operation = Insert | Put


def applied(data: Any, operations: Iterable[Operation]) -> Any:
    """The object with all of them done; the given one stays as it is."""
    made = unshared(data)
    for operation in operations:
        made = _at(made, operation.path, operation)
    return made


def unshared(value: Any) -> Any:
    """A copy in which no two places have the same object: what aliases mean, without them."""
    if isinstance(value, dict):
        return {key: unshared(each) for key, each in value.items()}
    return [unshared(each) for each in value] if isinstance(value, list) else value


def below(operation: Operation, depth: int) -> Operation:
    """The same, seen from a value so deep in its path."""
    return operation._replace(path=operation.path[depth:])


def _at(data: Any, path: Path, operation: Operation) -> Any:
    """The value with what is done at a path below it."""
    if path:
        step: Any = path[0]
        made: Any = data if data is not None else {}
        there = made[step] if isinstance(made, list) else made.get(step)
        made[step] = _at(there, path[1:], operation)
        return made
    if isinstance(operation, Put):
        return {**(data or {}), operation.key: operation.value}
    items = list(data or ())
    at = len(items) if operation.at is None else operation.at
    return [*items[:at], *operation.items, *items[at:]]
