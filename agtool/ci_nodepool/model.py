"""Nodes, taints, tolerations and where jobs go, as plain data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
    """

    key: str
    value: str | None = None
    effect: str = ""

    @classmethod
    def from_api(cls, toleration: Mapping[str, Any]) -> Toleration:
        """From a pod's specification."""
        exists = toleration.get("operator") == "Exists"
        value = None if exists else toleration.get("value", "")
        return cls(toleration.get("key", ""), value, toleration.get("effect", ""))

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


@dataclass(frozen=True)
class Jobs:
    """Where the jobs of one GitLab runner may run.

    Attributes:
        runner: NAMESPACE/NAME of the runner, for people.
        selector: the labels that a node must have.
        tolerations: of every job's pod.
        doubt: why jobs may run elsewhere (a config.toml that cannot be read); empty: no doubt.
    """

    runner: str
    selector: Mapping[str, str]
    tolerations: tuple[Toleration, ...]
    doubt: str = ""

    @property
    def subject(self) -> str:
        """What a Finding about them is about."""
        return f"runner {self.runner}"

    @property
    def selector_text(self) -> str:
        """The selector as kubectl takes it."""
        return ",".join(f"{key}={value}" for key, value in self.selector.items())

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether jobs are sent to such nodes, and not just anywhere."""
        return bool(self.selector) and self.selector.items() <= labels.items()

    def tolerates(self, taint: Taint) -> bool:
        """Whether jobs can run on nodes with the taint."""
        return tolerated(taint, self.tolerations)


@dataclass(frozen=True)
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
            labels=metadata.get("labels") or {},
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


def lasting_taints(node: Node) -> Iterator[Taint]:
    """The taints that somebody gave the node; not those by which Kubernetes reports its state."""
    for taint in map(taint_of, node.taints):
        if not taint.key.startswith(("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")):
            yield taint
