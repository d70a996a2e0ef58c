"""The annotation with what agtool set on a node, so that undo takes back that and no more. Pure."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, NamedTuple

from agtool.ci_nodepool.model import Identity, Label, Taint, with_value


class Entry(NamedTuple):
    """A value that agtool set, and the value that it replaced (None: there was none)."""

    value: str
    before: str | None


Record = dict[Identity, Entry]
"""What agtool set on one node."""


def read_record(annotation: str) -> Record:
    """From the annotation. One that agtool did not write gives an empty record."""
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        value: Any = json.loads(annotation or "{}")
        entries = [{**e, "key": key, "effect": ""} for key, e in value.get("labels", {}).items()]
        entries += value.get("taints", [])
        return {(entry["key"], entry["effect"]): _entry(entry) for entry in entries}
    return {}


def write_record(record: Record) -> str:
    """The annotation, the same for the same record; empty if there is nothing to keep."""
    labels: dict[str, Any] = {}
    taints = []
    for (key, effect), entry in sorted(record.items()):
        if effect:
            taints.append({"key": key, "effect": effect, **entry._asdict()})
        else:
            labels[key] = entry._asdict()
    return json.dumps({"labels": labels, "taints": taints}, separators=(",", ":")) * bool(record)


def owned(annotation: str) -> list[Label | Taint]:
    """What agtool set, by its annotation."""
    return [with_value(what, entry.value) for what, entry in read_record(annotation).items()]


def _entry(value: dict[str, Any]) -> Entry:
    before = value["before"]
    if not isinstance(value["value"], str) or not isinstance(before, str | None):
        raise TypeError(value)
    return Entry(value["value"], before)
