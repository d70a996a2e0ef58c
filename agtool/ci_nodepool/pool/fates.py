"""What becomes of pods and DaemonSets that do not tolerate a taint. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agtool.ci_nodepool.model import Node, Taint
from agtool.ci_nodepool.scheduling import (
    asks_for_nodes,
    may_run_on,
    not_tolerated,
    time_to_eviction,
)

Fate = Literal["evicted", "evicted-later", "stranded", "waits", "stays", "gone-on-new-nodes"]

FATES: Mapping[Fate, str] = {
    "evicted": "evicted at once, because the taint is NoExecute",
    "evicted-later": "evicted in a while, because the taint is NoExecute and tolerated for a time",
    "stranded": "left running to the end, but tied to this pool and unable to start here again",
    "waits": "waiting for this pool, and unable to start here",
    "stays": "left running to the end, because the taint evicts nothing",
    "gone-on-new-nodes": "missing on new nodes of the pool",
}
"""What becomes of a pod or a DaemonSet that does not tolerate the taint, the worst first."""


@dataclass(frozen=True)
class Affected:
    """A pod, or a DaemonSet, that does not tolerate the taints.

    Attributes:
        kind: Pod or DaemonSet.
        node: on which the pod is; empty: on none.
        seconds: after which the pod is evicted, of `evicted-later`; else null.
        fate: what becomes of it; `stranded` runs until it ends, and cannot start here again.
    """

    kind: str
    namespace: str
    name: str
    node: str
    fate: Fate
    seconds: int | None = None

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def judge_pod(
    pod: Mapping[str, Any],
    taints: Sequence[Taint],
    nodes: Mapping[str, Node],
    others: Sequence[Node] = (),
) -> Affected | None:
    """What the taints mean for a pod, if anything.

    Args:
        nodes: those that have the taints or shall have them, by name.
        others: the other nodes; a pod that may run there is not tied to this pool.
    """
    spec, metadata = pod["spec"], pod["metadata"]
    owners = metadata.get("ownerReferences") or ()
    # Those of a DaemonSet are judged as one; a static pod is the node's own; the third is ending.
    if (
        any(owner.get("kind") in ("DaemonSet", "Node") for owner in owners)
        or "deletionTimestamp" in metadata
    ):
        return None
    against = not_tolerated(spec, taints)
    node = spec.get("nodeName", "")
    spec = {**spec, "nodeName": ""}  # where it is; that says nothing of where it could be
    time = time_to_eviction(spec, taints) if node else None
    if (not against and time is None) or (node and node not in nodes):
        return None
    fate: Fate
    if time is not None:
        fate = "evicted-later" if time else "evicted"
    elif _is_tied(spec, nodes, others):
        fate = "stranded" if node else "waits"
    elif node:
        fate = "stays"
    else:
        return None
    return Affected("Pod", metadata["namespace"], metadata["name"], node, fate, time or None)


def judge_daemonset(
    daemonset: Mapping[str, Any], taints: Sequence[Taint], nodes: Iterable[Node]
) -> Affected | None:
    """What the taints mean for a DaemonSet, if anything."""
    spec = daemonset["spec"]["template"]["spec"]
    if not (not_tolerated(spec, taints) and any(may_run_on(spec, node) for node in nodes)):
        return None
    metadata = daemonset["metadata"]
    return Affected("DaemonSet", metadata["namespace"], metadata["name"], "", "gone-on-new-nodes")


def _is_tied(spec: Mapping[str, Any], nodes: Mapping[str, Node], others: Sequence[Node]) -> bool:
    """Whether a pod asks for certain nodes, and has them in this pool only."""
    return (
        asks_for_nodes(spec)
        and any(may_run_on(spec, node) for node in nodes.values())
        and not any(may_run_on(spec, node) for node in others)
    )
