"""What to change on a node so that labels and taints are as wanted, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agtool.ci_nodepool.model import RECORD, Label, Node, Taint, taint_of
from agtool.ci_nodepool.parse import TaintMatch
from agtool.ci_nodepool.pool.record import Record


@dataclass(frozen=True)
class Wanted:
    """What shall hold for nodes.

    Attributes:
        overwrite: replace a label or taint that is there with another value.
    """

    labels: tuple[Label, ...] = ()
    taints: tuple[Taint, ...] = ()
    no_labels: tuple[str, ...] = ()
    no_taints: tuple[TaintMatch, ...] = ()
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
    for key in wanted.no_labels:
        draft.remove_label(key)
    for match in wanted.no_taints:
        for taint in draft.taints_now():
            if taint.key == match.key and match.effect in ("", taint.effect):
                draft.restore_taint(taint, None)
        draft.forget_taints(match)
    for label in wanted.labels:
        draft.set_label(label, overwrite=wanted.overwrite)
    for taint in wanted.taints:
        draft.set_taint(taint, overwrite=wanted.overwrite)
    return draft.change()


def undo_node(node: Node, *, labels: bool = True, taints: bool = True) -> Change:
    """What to change on one node so that what agtool set is as it was before.

    What somebody changed since is theirs and stays.
    """
    draft = _Draft(node)
    if labels:
        draft.undo_labels()
    if taints:
        draft.undo_taints()
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
        self.record = Record.read(node.record)
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
            record=self.record.write(),
            lines=tuple(self.lines),
            clashes=tuple(self.clashes),
            kept=tuple(self.kept),
        )

    def undo_labels(self) -> None:
        for key, entry in self.record.labels.items():
            now = self.node.labels.get(key)
            if now == entry.value:
                self.restore_label(key, entry.before)
            elif now is not None:
                self.kept.append(f"label {Label(key, now)}: somebody else has changed it since")
        self.record = Record(taints=self.record.taints)

    def undo_taints(self) -> None:
        there = {(taint.key, taint.effect): taint for taint in self.taints_now()}
        for identity, entry in self.record.taints.items():
            present = there.get(identity)
            if present is not None and present.value == entry.value:
                self.restore_taint(present, entry.before)
            elif present is not None:
                self.kept.append(f"taint {present}: somebody else has changed it since")
        self.record = Record(labels=self.record.labels)

    def set_label(self, label: Label, *, overwrite: bool) -> None:
        before = self.node.labels.get(label.key)
        if before == label.value:
            return
        if before is not None and not overwrite:
            self.clashes.append(f"label {Label(label.key, before)}")
            return
        self.record = self.record.set(label, before)
        self.restore_label(label.key, label.value)

    def remove_label(self, key: str) -> None:
        self.record = self.record.without_label(key)
        if key in self.node.labels and key not in self.labels:
            self.restore_label(key, None)

    def restore_label(self, key: str, value: str | None) -> None:
        """Give it `value`, whoever owns it."""
        now = self.node.labels.get(key)
        self.labels[key] = value
        if now is not None:
            self.lines.append(f"- label {Label(key, now)}")
        if value is not None:
            self.lines.append(f"+ label {Label(key, value)}")

    def set_taint(self, taint: Taint, *, overwrite: bool) -> None:
        identity = (taint.key, taint.effect)
        present = next((t for t in self.taints_now() if (t.key, t.effect) == identity), None)
        if present == taint:
            return
        if present is not None and not overwrite:
            self.clashes.append(f"taint {present}")
            return
        self.record = self.record.set(taint, None if present is None else present.value)
        if present is None:
            self.taints.append(_as_api(taint))
            self.lines.append(f"+ taint {taint}")
        else:
            self.restore_taint(present, taint.value)

    def forget_taints(self, match: TaintMatch) -> None:
        for key, effect in list(self.record.taints):
            if key == match.key and match.effect in ("", effect):
                self.record = self.record.without_taint(key, effect)

    def restore_taint(self, present: Taint, value: str | None) -> None:
        """Give the taint that is there another value, or remove it; its place stays its own."""
        place = self.taints_now().index(present)
        self.lines.append(f"- taint {present}")
        if value is None:
            del self.taints[place]
        else:
            taint = present._replace(value=value)
            self.taints[place] = _as_api(taint)
            self.lines.append(f"+ taint {taint}")

    def taints_now(self) -> Sequence[Taint]:
        return [taint_of(taint) for taint in self.taints]


def _as_api(taint: Taint) -> Mapping[str, Any]:
    return {name: value for name, value in taint._asdict().items() if value}
