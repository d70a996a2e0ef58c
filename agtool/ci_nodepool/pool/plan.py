"""What to change on a node so that labels and taints are as wanted, and back. Pure.

The node carries an annotation with what agtool set, so that undo takes back that and no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agtool.ci_nodepool.model import (
    RECORD,
    Identity,
    Label,
    Node,
    Taint,
    identity,
    taint_of,
    with_value,
)
from agtool.core.text import read_json


class Entry(NamedTuple):
    """A value that agtool set, and the value that it replaced (None: there was none)."""

    value: str
    before: str | None


Record = dict[Identity, Entry]
"""What agtool set on one node."""


@dataclass(frozen=True)
class Wanted:
    """What shall hold for nodes.

    Attributes:
        no_taints: with an empty effect: of any effect.
        overwrite: replace a label or taint that is there with another value.
    """

    labels: tuple[Label, ...] = ()
    taints: tuple[Taint, ...] = ()
    no_labels: tuple[Identity, ...] = ()
    no_taints: tuple[Identity, ...] = ()
    overwrite: bool = False


@dataclass(frozen=True)
class Change:
    """What to change on one node.

    Attributes:
        labels: their new values; None: to be removed.
        taints: all taints that it shall have; None: those that it has.
        record: the new annotation; empty: none.
        lines: the same for people, such as `+ taint KEY=VALUE:NoSchedule`.
        clashes: what is there with another value, and must not be overwritten.
        kept: what undo leaves, and why.
    """

    node: Node
    labels: Mapping[str, str | None] = field(default_factory=dict)
    taints: tuple[Mapping[str, Any], ...] | None = None
    record: str = ""
    lines: tuple[str, ...] = ()
    clashes: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels) or self.taints is not None or self.record != self.node.record

    def patch(self) -> dict[str, Any]:
        """As a JSON merge patch, which the API refuses (409) if the node has changed meanwhile.

        It has to: spec.taints can only be replaced as a whole, and with it would go a taint that
        another controller added since the node was read.
        """
        metadata: dict[str, Any] = {"resourceVersion": self.node.resource_version}
        if self.labels:
            metadata["labels"] = dict(self.labels)
        if self.record != self.node.record:
            metadata["annotations"] = {RECORD: self.record or None}
        patch: dict[str, Any] = {"metadata": metadata}
        if self.taints is not None:
            patch["spec"] = {"taints": list(self.taints) or None}
        return patch


def plan_node(node: Node, wanted: Wanted) -> Change:
    """What to change on one node so that `wanted` holds."""
    draft = _Draft(node)
    for label in wanted.no_labels:
        draft.remove(label)
    for key, effect in wanted.no_taints:
        for what in [*draft.present(), *draft.record]:
            if what[1] and what == (key, effect or what[1]):
                draft.remove(what)
    both: tuple[Label | Taint, ...] = wanted.labels + wanted.taints
    for each in both:
        draft.set(each, overwrite=wanted.overwrite)
    return draft.change()


def undo_node(node: Node, *, labels: bool = True, taints: bool = True) -> Change:
    """What to change on one node so that what agtool set is as it was before.

    What somebody changed since is theirs and stays.
    """
    draft = _Draft(node)
    for key, effect in list(draft.record):
        if (effect and taints) or (labels and not effect):
            draft.undo((key, effect))
    return draft.change()


def added_taints(changes: Sequence[Change]) -> list[Taint]:
    """The taints that any of the nodes gets."""
    present = {(change.node.name, taint_of(t)) for change in changes for t in change.node.taints}
    wanted = [(change.node.name, taint_of(t)) for change in changes for t in change.taints or ()]
    return list(dict.fromkeys(taint for name, taint in wanted if (name, taint) not in present))


class _Draft:
    """A change in the making."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.record = read_record(node.record)
        self.labels: dict[str, str | None] = {}
        self.taints: list[Mapping[str, Any]] = list(node.taints)
        self.lines: list[str] = []
        self.clashes: list[str] = []
        self.kept: list[str] = []

    def change(self) -> Change:
        taints = tuple(self.taints)
        return Change(
            self.node,
            labels=self.labels,
            taints=None if taints == self.node.taints else taints,
            record=write_record(self.record),
            lines=tuple(self.lines),
            clashes=tuple(self.clashes),
            kept=tuple(self.kept),
        )

    def present(self) -> dict[Identity, Label | Taint]:
        """The labels and taints that the node has with the change so far."""
        labels = {**self.node.labels, **self.labels}
        found: list[Label | Taint] = [Label(k, v) for k, v in labels.items() if v is not None]
        found += map(taint_of, self.taints)
        return {identity(each): each for each in found}

    def set(self, wanted: Label | Taint, *, overwrite: bool) -> None:
        what = identity(wanted)
        present = self.present().get(what)
        if present == wanted:
            return
        if present and not overwrite:
            self.clashes.append(_named(present))
            return
        before = present.value if present else None
        earlier = self.record.get(what)
        if earlier and earlier.value == before:  # undo goes back to what was there before ours
            before = earlier.before
        self.record[what] = Entry(wanted.value, before)
        self.put(what, wanted)

    def remove(self, what: Identity) -> None:
        self.record.pop(what, None)
        if what in self.present():
            self.put(what, None)

    def undo(self, what: Identity) -> None:
        entry = self.record.pop(what)
        present = self.present().get(what)
        if present and present.value == entry.value:
            self.put(what, None if entry.before is None else with_value(what, entry.before))
        elif present:
            self.kept.append(f"{_named(present)}: somebody else has changed it since")

    def put(self, what: Identity, wanted: Label | Taint | None) -> None:
        """Replace what is there, whoever owns it, or remove it; a taint's place stays its own."""
        if present := self.present().get(what):
            self.lines.append(f"- {_named(present)}")
        if wanted:
            self.lines.append(f"+ {_named(wanted)}")
        if isinstance(wanted or present, Label):
            self.labels[what[0]] = wanted.value if wanted else None
            return
        there = [identity(taint_of(taint)) for taint in self.taints]
        place = there.index(what) if what in there else len(there)
        new = [{k: v for k, v in wanted._asdict().items() if v}] if wanted else []
        self.taints[place : place + 1] = new  # without a value that is empty, as the API has it


def _named(what: Label | Taint) -> str:
    return f"{type(what).__name__.lower()} {what}"


def read_record(annotation: str) -> Record:
    """From the annotation. One that agtool did not write gives an empty record."""
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        value: Any = read_json(annotation or "{}")
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
