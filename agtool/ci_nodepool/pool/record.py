"""The annotation with what agtool set on a node, so that undo takes back that and no more. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agtool.ci_nodepool.model import Label, Taint


class Entry(NamedTuple):
    """A value that agtool set, and the value that it replaced (None: there was none)."""

    value: str
    before: str | None


@dataclass(frozen=True)
class Record:
    """What agtool set on one node.

    Attributes:
        labels: by key.
        taints: by key and effect.
    """

    labels: dict[str, Entry] = field(default_factory=dict)
    taints: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.labels or self.taints)

    @classmethod
    def read(cls, annotation: str) -> Record:
        """From the annotation. One that agtool did not write gives an empty record."""
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            value: Any = json.loads(annotation or "{}")
            return cls(
                labels={key: _entry(e) for key, e in value.get("labels", {}).items()},
                taints={(e["key"], e["effect"]): _entry(e) for e in value.get("taints", [])},
            )
        return cls()

    def write(self) -> str:
        """The annotation, the same for the same record; empty if there is nothing to keep."""
        if not self:
            return ""
        labels = {key: entry._asdict() for key, entry in sorted(self.labels.items())}
        taints = [
            {"key": key, "effect": effect, **entry._asdict()}
            for (key, effect), entry in sorted(self.taints.items())
        ]
        return json.dumps({"labels": labels, "taints": taints}, separators=(",", ":"))

    def set(self, what: Label | Taint, before: str | None) -> Record:
        """With `what` as ours, which replaced `before`."""
        if isinstance(what, Label):
            entry = _merged(self.labels.get(what.key), what.value, before)
            return Record({**self.labels, what.key: entry}, self.taints)
        identity = (what.key, what.effect)
        entry = _merged(self.taints.get(identity), what.value, before)
        return Record(self.labels, {**self.taints, identity: entry})

    def without_label(self, key: str) -> Record:
        """Without a label, which is gone."""
        return Record({k: e for k, e in self.labels.items() if k != key}, self.taints)

    def without_taint(self, key: str, effect: str) -> Record:
        """Without a taint, which is gone."""
        kept = {i: e for i, e in self.taints.items() if i != (key, effect)}
        return Record(self.labels, kept)

    def owned(self) -> Iterator[Label | Taint]:
        """What agtool set."""
        for key, entry in self.labels.items():
            yield Label(key, entry.value)
        for (key, effect), entry in self.taints.items():
            yield Taint(key, entry.value, effect)


def _merged(earlier: Entry | None, value: str, before: str | None) -> Entry:
    """If `before` is what we set earlier, undo has to go back to what was there before that."""
    if earlier is not None and earlier.value == before:
        return Entry(value, earlier.before)
    return Entry(value, before)


def _entry(value: dict[str, Any]) -> Entry:
    before = value["before"]
    if not isinstance(value["value"], str) or not isinstance(before, str | None):
        raise TypeError(value)
    return Entry(value["value"], before)
