"""What becomes of pods and DaemonSets that do not tolerate a taint. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agtool.ci_nodepool.model import Node, Taint, Toleration, tolerated

Fate = Literal["evicted", "stranded", "waits", "stays", "gone-on-new-nodes"]

FATES: Mapping[Fate, str] = {
    "evicted": "evicted at once, because the taint is NoExecute",
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
        fate: what becomes of it; `stranded` runs until it ends, and cannot start here again.
    """

    kind: str
    namespace: str
    name: str
    node: str
    fate: Fate

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
    against = _not_tolerated(spec, taints)
    node = spec.get("nodeName", "")
    if not against or (node and node not in nodes):
        return None
    fate: Fate
    if any(t.effect == "NoExecute" for t in against) and node:
        fate = "evicted"
    elif _is_tied(spec, nodes, others):
        fate = "stranded" if node else "waits"
    elif node:
        fate = "stays"
    else:
        return None
    return Affected("Pod", metadata["namespace"], metadata["name"], node, fate)


def judge_daemonset(
    daemonset: Mapping[str, Any], taints: Sequence[Taint], nodes: Iterable[Node]
) -> Affected | None:
    """What the taints mean for a DaemonSet, if anything."""
    spec = daemonset["spec"]["template"]["spec"]
    if not (_not_tolerated(spec, taints) and any(_may_run_on(spec, node) for node in nodes)):
        return None
    metadata = daemonset["metadata"]
    return Affected("DaemonSet", metadata["namespace"], metadata["name"], "", "gone-on-new-nodes")


def _not_tolerated(spec: Mapping[str, Any], taints: Iterable[Taint]) -> list[Taint]:
    tolerations = list(map(Toleration.from_api, spec.get("tolerations") or ()))
    return [taint for taint in taints if not tolerated(taint, tolerations)]


def _node_terms(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return list(required.get("nodeSelectorTerms") or ())


def _is_tied(spec: Mapping[str, Any], nodes: Mapping[str, Node], others: Sequence[Node]) -> bool:
    """Whether a pod asks for certain nodes, and has them in this pool only."""
    return (
        bool(spec.get("nodeSelector") or _node_terms(spec))
        and any(_may_run_on(spec, node) for node in nodes.values())
        and not any(_may_run_on(spec, node) for node in others)
    )


def _may_run_on(spec: Mapping[str, Any], node: Node) -> bool:
    """Whether a pod's node selector and required node affinity take the node, taints aside."""
    if not (spec.get("nodeSelector") or {}).items() <= node.labels.items():
        return False
    terms = _node_terms(spec)
    return not terms or any(_term_takes(term, node) for term in terms)


def _term_takes(term: Mapping[str, Any], node: Node) -> bool:
    expressions = term.get("matchExpressions") or ()
    fields = term.get("matchFields") or ()  # only metadata.name exists
    return bool(expressions or fields) and (
        all(_takes(e, node.labels) for e in expressions)
        and all(_takes(e, {"metadata.name": node.name}) for e in fields)
    )


def _takes(expression: dict[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a NodeSelectorRequirement holds; what is not a number is neither greater nor less."""
    value = labels.get(expression["key"])
    values: list[str] = expression.get("values") or []
    operator: str = expression["operator"]
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    if operator in ("Exists", "DoesNotExist"):
        return (value is not None) == (operator == "Exists")
    try:
        left, right = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if operator == "Gt" else left < right
