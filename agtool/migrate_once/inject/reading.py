"""One document, read as Kubernetes reads it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from agtool.core.yamltext import NotYaml, Path, as_kubernetes, parsed


def read(text: str) -> tuple[Any, Any]:
    """The node and the value of a text with one document.

    Raises:
        NotYaml
    """
    for node, value_of in parsed(text, as_kubernetes()):
        value = value_of(node)
        # PyYAML writes merges (<<) into the nodes while it makes values of them.
        return next(parsed(text, as_kubernetes()))[0] if "<<" in text else node, value
    raise NotYaml("there is no document")


def at(data: Any, path: Path) -> Any:
    """The value at a path; None: there is none."""
    for step in path:
        if isinstance(step, int):
            data = data[step] if isinstance(data, list) and step < len(data) else None
        else:
            data = data.get(step) if isinstance(data, Mapping) else None
    return data


def canonical(value: Any, without: Collection[Path] = (), path: Path = ()) -> object:
    """Equal for equal meaning and nothing else: 1 is not 1.0 is not true, and nan is nan.

    Args:
        without: paths that are left out.
    """
    if isinstance(value, Mapping):
        return {
            repr(key): canonical(each, without, (*path, key))
            for key, each in value.items()
            if (*path, key) not in without
        }
    if isinstance(value, list):
        return [canonical(each, without, (*path, i)) for i, each in enumerate(value)]
    return type(value).__name__, repr(value)
