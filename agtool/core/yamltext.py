"""YAML as text with nodes in it: where each value stands. Pure.

Whoever edits a text puts pieces into it at these places; what is between them is never touched, so
that comments, order, quoting and line ends stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

Path = tuple[str | int, ...]
"""Of a value in a document: keys of mappings, and places in sequences."""


class NotYaml(ValueError):
    """A text that is not YAML; says where.

    Attributes:
        line: from 1; None: it is not known.
        problem: the message without the line.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.problem = problem
        self.line = line


def parsed(text: str, loader: Any = None) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
    """The documents of a text as nodes, each with the function that gives a node's value.

    Args:
        loader: a class of PyYAML's; None: its safe one, in C if that is there.

    Raises:
        NotYaml: also while the values are asked for.
    """
    import yaml  # type: ignore[import-untyped]  # its stubs would be one more package

    kind: Any = loader or getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with _translated():
        made = kind(text)

    def value_of(node: Any) -> Any:
        with _translated():
            return made.construct_document(node)

    try:
        while True:
            with _translated():
                if not made.check_node():
                    return
                node = made.get_node()
            yield node, value_of
    finally:
        made.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    import yaml

    try:
        yield
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise NotYaml(problem, mark.line + 1 if mark else None) from error


@lru_cache(maxsize=1)
def as_kubernetes() -> Any:
    """A loader that takes plain scalars for what Kubernetes takes them for.

    Kubernetes reads with Go's yaml.v2, to which 12:30:45 and 2026-01-02 are strings, and 1e3 is a
    number. To PyYAML, which follows YAML 1.1, they are a number, a date and a string.
    """
    import re

    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    dropped = {f"tag:yaml.org,2002:{name}" for name in ("timestamp", "int", "float")}
    Loader.yaml_implicit_resolvers = {
        first: [each for each in resolvers if each[0] not in dropped]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }
    number = "[-+]?(?:0|[1-9][0-9_]*)"
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:int",
        re.compile(rf"(?:{number}|[-+]?0[0-7_]+|[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+)\Z"),
        list("-+0123456789"),
    )
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(
            r"(?:[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
        ),
        list("-+0123456789."),
    )
    return Loader
