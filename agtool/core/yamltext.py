"""YAML as text with nodes in it: where each value stands. Pure.

Whoever edits a text puts pieces into it at these places; what is between them is never touched, so
that comments, order, quoting and line ends stay.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

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


class Opaque(NamedTuple):
    """A value with a tag of some program: !reference of GitLab CI, !vault of Ansible.

    Attributes:
        text: its content, so that the same values are equal and others are not.
    """

    tag: str
    text: str


def parsed(text: str, loader: Any = None) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
    """The documents of a text as nodes, each with the function that gives a node's value.

    Args:
        loader: a class of PyYAML's; None: `tolerant`.

    Raises:
        NotYaml: also while the values are asked for.
    """
    kind: Any = loader or tolerant()
    pairs = _has_pairs(text)
    with _translated():
        made = kind(_PAIR.sub(_as_private, text) if pairs else text)

    def value_of(node: Any) -> Any:
        with _translated():
            return made.construct_document(node)

    try:
        while True:
            with _translated(), uncollected():
                if not made.check_node():
                    return
                node = made.get_node()
            if pairs:
                _restore(node, text)
            yield node, value_of
    finally:
        made.dispose()


_HIGH, _LOW = r"[dD][89abAB][0-9a-fA-F]{2}", r"[dD][c-fC-F][0-9a-fA-F]{2}"
_PAIR = re.compile(rf"\\(?:u{_HIGH}\\u{_LOW}|.)")


def _has_pairs(text: str) -> bool:
    """Whether it is JSON that has characters beyond U+FFFF as two escapes each.

    YAML forbids these (yaml.org/spec/1.2.2, 5.7), and Kubernetes reads JSON as such.
    """
    if not text.lstrip().startswith("{") or re.search(rf"\\u{_HIGH}\\u{_LOW}", text) is None:
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _as_private(escape: re.Match[str]) -> str:
    """Other escapes of the same length in their place, so that everything stays where it is."""
    if len(escape[0]) == 2:
        return escape[0]
    return "".join(rf"\u{int(code, 16) + 0x800:x}" for code in escape[0].split(r"\u")[1:])


def _restore(node: Any, text: str) -> None:
    """Give the nodes of JSON the values that the text says."""
    if node.id == "scalar":
        source = text[node.start_mark.index : node.end_mark.index]
        if node.style == '"' and r"\u" in source:
            node.value = json.loads(source)
    else:
        for each in node.value:
            for inner in each if node.id == "mapping" else (each,):
                _restore(inner, text)


@contextmanager
def uncollected() -> Iterator[None]:
    """Nodes are no garbage: looking for it among a million takes longer than making them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def _translated() -> Iterator[None]:
    import yaml  # type: ignore[import-untyped]  # its stubs would be one more package

    try:
        yield
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise NotYaml(problem, mark.line + 1 if mark else None) from error


@lru_cache(maxsize=1)
def tolerant() -> Any:
    """PyYAML's safe loader, in C if that is there, to which an unknown tag is no error."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    def opaque(loader: Any, node: Any) -> Opaque:
        if node.id == "scalar":
            return Opaque(node.tag, node.value)
        make = loader.construct_mapping if node.id == "mapping" else loader.construct_sequence
        return Opaque(node.tag, repr(make(node, deep=True)))

    Loader.add_constructor(None, opaque)
    return Loader


@lru_cache(maxsize=1)
def as_kubernetes() -> Any:
    """A loader that takes plain scalars for what Kubernetes takes them for.

    Kubernetes reads with Go's yaml.v2, to which 12:30:45 and 2026-01-02 are strings, and 1e3 is a
    number. To PyYAML, which follows YAML 1.1, they are a number, a date and a string.
    """
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
