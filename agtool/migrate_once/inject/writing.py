"""Values as YAML: in blocks, or as JSON within brackets. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_PLAIN = re.compile(r"(?:--)?[A-Za-z/](?:[A-Za-z0-9_./@:=-]*[A-Za-z0-9_/])?|[0-9]+(?:m|Mi)")
"""Strings that no reader takes for something else, if they are none of these words."""

_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

_UNFIT = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
"""What JSON may hold as it is, and YAML may not."""


class Verbatim(str):
    """A number, say, as it stood in the manifest: 0644 and 1e3 mean what they meant."""

    __slots__ = ()


def as_written(node: Any) -> Any:
    """A node's value with its scalars as they are written; anchors and merges are resolved."""
    if isinstance(node.value, str):
        if node.tag == "tag:yaml.org,2002:str":
            return str(node.value)
        if node.tag == "tag:yaml.org,2002:null":
            return None
        return Verbatim(node.value)
    if node.id == "sequence":
        return [as_written(each) for each in node.value]
    merged: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, value in node.value:
        if key.tag != "tag:yaml.org,2002:merge":
            own[as_written(key)] = as_written(value)
            continue
        for each in reversed(value.value) if value.id == "sequence" else [value]:
            merged |= as_written(each)
    return merged | own


def scalar(value: Any, *, plain: bool) -> str:
    """A scalar. plain: without quotes where they are not needed."""
    if isinstance(value, Verbatim):
        return value
    if not isinstance(value, str):
        return json.dumps(value)
    if plain and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _UNFIT.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False)
    )


def flow(value: Any) -> str:
    """A value as JSON in one line."""
    if isinstance(value, Mapping):
        inner = (f"{scalar(str(key), plain=False)}: {flow(each)}" for key, each in value.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value, plain=False)


def pretty(value: Any, indent: str, newline: str, prefix: str) -> str:
    """A value as JSON in lines; all but the first begin with `prefix`. indent: of each level."""

    def inner(pairs: Iterable[str], brackets: str) -> str:
        lines = [f"{newline}{prefix}{indent}{each}" for each in pairs]
        return f"{brackets[0]}{','.join(lines)}{newline}{prefix}{brackets[1]}"

    def below(each: Any) -> str:
        return pretty(each, indent, newline, prefix + indent)

    if isinstance(value, Mapping) and value:
        items = (f"{scalar(str(key), plain=False)}: {below(each)}" for key, each in value.items())
        return inner(items, "{}")
    if isinstance(value, list | tuple) and value:
        return inner(map(below, value), "[]")
    return flow(value)


def block(value: Any, dash: int) -> list[str]:
    """The lines of a mapping or a list that is not empty, as blocks.

    Args:
        dash: by how many columns the items of a list stand behind its key.
    """
    lines: list[str] = []
    if not isinstance(value, Mapping):
        for item in value:
            first, *rest = block(item, dash) if _is_deep(item) else [_leaf(item)]
            lines += [f"- {first}", *(f"  {each}" for each in rest)]
        return lines
    for key, each in value.items():
        name = scalar(str(key), plain=True)
        if not _is_deep(each):
            lines.append(f"{name}: {_leaf(each)}")
            continue
        indent = " " * (2 if isinstance(each, Mapping) else dash)
        lines += [f"{name}:", *(f"{indent}{inner}" for inner in block(each, dash))]
    return lines


def _is_deep(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple) and bool(value)


def _leaf(value: Any) -> str:
    return flow(value) if isinstance(value, Mapping | list | tuple) else scalar(value, plain=True)
