"""Nodes, labels, taints and tolerations, as plain data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any, NamedTuple

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class Label(NamedTuple):
    """A label of a node."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Taint(NamedTuple):
    """A taint of a node. A node has one at most for each key and effect."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        return f"{self.key}{'=' if self.value else ''}{self.value}:{self.effect}"


Identity = tuple[str, str]
"""What a node has once at most: the key of a label and "", or the key and effect of a taint."""


def identity(what: Label | Taint) -> Identity:
    """What it is, whatever its value."""
    return what.key, what.effect if isinstance(what, Taint) else ""


def with_value(what: Identity, value: str) -> Label | Taint:
    """The label or taint with this value."""
    key, effect = what
    return Taint(key, value, effect) if effect else Label(key, value)


@dataclass(frozen=True)
class Toleration:
    """A toleration of a pod.

    Attributes:
        key: of the taint; empty: any key.
        value: of the taint; None: any value (operator Exists).
        effect: of the taint; empty: any effect.
        seconds: for which a pod stays on a node that gets a NoExecute taint; None: for ever.
    """

    key: str
    value: str | None = None
    effect: str = ""
    seconds: int | None = None

    @classmethod
    def from_api(cls, toleration: Mapping[str, Any]) -> Toleration:
        """From a pod's specification."""
        exists = toleration.get("operator") == "Exists"
        value = None if exists else toleration.get("value") or ""
        return cls(
            toleration.get("key") or "",
            value,
            toleration.get("effect") or "",
            toleration.get("tolerationSeconds"),
        )

    def tolerates(self, other: Toleration | Taint) -> bool:
        """Whether it tolerates the taint, or all that the other toleration does.

        Source: kubernetes, component-helpers: Toleration.ToleratesTaint.
        """
        return (
            self.effect in ("", other.effect)
            and (self.key == other.key or (not self.key and self.value is None))
            and self.value in (None, other.value)
        )


def tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    """Whether a pod with these tolerations may be scheduled in spite of the taint."""
    return taint.effect == "PreferNoSchedule" or any(t.tolerates(taint) for t in tolerations)


@dataclass(frozen=True, slots=True)
class Node:
    """What matters of a node here.

    Attributes:
        taints: as the API has them, so that what we do not know of them stays.
        record: our annotation with what agtool added, or empty.
    """

    name: str
    uid: str
    resource_version: str
    created: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, Any], ...]
    record: str
    ready: bool
    cordoned: bool

    @classmethod
    def from_api(cls, node: Mapping[str, Any]) -> Node:
        """From the API's object."""
        metadata, spec = node["metadata"], node.get("spec") or {}
        conditions = (node.get("status") or {}).get("conditions") or ()
        return cls(
            name=metadata["name"],
            uid=metadata.get("uid", ""),
            resource_version=metadata.get("resourceVersion", ""),
            created=metadata.get("creationTimestamp", ""),
            # Most keys and values are the same on all nodes; each need be in memory only once.
            labels={intern(k): intern(v) for k, v in (metadata.get("labels") or {}).items()},
            taints=tuple(spec.get("taints") or ()),
            record=(metadata.get("annotations") or {}).get(RECORD, ""),
            ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
            cordoned=bool(spec.get("unschedulable")),
        )


RECORD = "agtool/ci-nodepool"
"""The annotation, on nodes and on the runner's ConfigMap, with what agtool changed (JSON)."""


def taint_of(taint: Mapping[str, Any]) -> Taint:
    """The taint of a node's specification without its timeAdded."""
    return Taint(taint["key"], taint.get("value", ""), taint["effect"])
