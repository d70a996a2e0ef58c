"""Who is affected by a taint: running pods, pods that wait, DaemonSets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from agtool.ci_nodepool.model import Node, Taint, Toleration, tolerated
from agtool.ci_nodepool.write import CONNECTIONS
from agtool.core.kube.session import METADATA_LIST
from agtool.core.progress import Progress

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

FATES = {
    "evicted": "is evicted: it does not tolerate the taint, which is NoExecute",
    "stranded": "stays while it runs, but needs this pool and could not start here again",
    "waits": "waits for this pool, and could not start on it",
    "stays": "stays by accident: it does not tolerate the taint, which evicts nothing",
    "gone-on-new-nodes": "DaemonSet: new nodes of the pool would be without it",
}
"""What becomes of a pod or a DaemonSet that does not tolerate the taint."""


class Affected(NamedTuple):
    """A pod, or a DaemonSet, that does not tolerate the taint; fate is one of FATES."""

    kind: str
    namespace: str
    name: str
    node: str
    fate: str


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
    against = [t for t in taints if not tolerated(t, _tolerations(spec))]
    on = spec.get("nodeName", "")
    if not against or (on and on not in nodes):
        return None
    if any(t.effect == "NoExecute" for t in against) and on:
        fate = "evicted"
    elif _is_tied(spec, nodes, others):
        fate = "stranded" if on else "waits"
    elif on:
        fate = "stays"
    else:
        return None
    return Affected("Pod", metadata["namespace"], metadata["name"], on, fate)


def judge_daemonset(
    daemonset: Mapping[str, Any], taints: Sequence[Taint], nodes: Iterable[Node]
) -> Affected | None:
    """What the taints mean for a DaemonSet, if anything."""
    spec = daemonset["spec"]["template"]["spec"]
    if all(tolerated(t, _tolerations(spec)) for t in taints):
        return None
    if not any(_may_run_on(spec, node) for node in nodes):
        return None
    metadata = daemonset["metadata"]
    return Affected("DaemonSet", metadata["namespace"], metadata["name"], "", "gone-on-new-nodes")


def find_affected(
    session: Session, taints: Sequence[Taint], nodes: Sequence[Node]
) -> list[Affected]:
    """The pods and DaemonSets that do not tolerate the taints of these nodes.

    Raises what Session raises; DeniedError if we may not list pods or DaemonSets.
    """
    by_name = {node.name: node for node in nodes}
    found: list[Affected] = []
    tied: list[Mapping[str, Any]] = []
    for pod in _pods(session, by_name):
        affected = judge_pod(pod, taints, by_name)
        if affected and affected.fate in ("stranded", "waits"):
            tied.append(pod)
        elif affected:
            found.append(affected)
    if tied:
        everywhere = session.pages("/api/v1/nodes", accept=METADATA_LIST)
        others = [n for n in map(Node.of, everywhere) if n.name not in by_name]
        found += filter(None, (judge_pod(pod, taints, by_name, others) for pod in tied))
    for daemonset in session.pages("/apis/apps/v1/daemonsets"):
        found += filter(None, [judge_daemonset(daemonset, taints, nodes)])
    order = list(FATES)
    return sorted(found, key=lambda a: (order.index(a.fate), a.namespace, a.name))


def _pods(session: Session, nodes: Mapping[str, Node]) -> Iterator[Mapping[str, Any]]:
    """The pods on these nodes and those that wait: asked for by node while that is less to send."""
    if len(nodes) > MANY:
        with Progress("pods") as progress:
            for pod in session.pages("/api/v1/pods", fieldSelector=_UNFINISHED):
                progress.advance()
                yield pod
        return

    def on(name: str) -> list[dict[str, Any]]:
        selector = f"{_UNFINISHED},spec.nodeName={name}"
        return list(session.pages("/api/v1/pods", fieldSelector=selector))

    threads = ThreadPoolExecutor(CONNECTIONS)
    try:
        with Progress("pods of nodes", len(nodes) + 1) as progress:
            for pods in threads.map(on, ["", *nodes]):
                progress.advance()
                yield from pods
    finally:
        threads.shutdown(cancel_futures=True)


MANY = 500
"""Nodes from which on it is quicker to list all pods."""

_UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"


def _tolerations(spec: Mapping[str, Any]) -> list[Toleration]:
    return [Toleration.of(toleration) for toleration in spec.get("tolerations") or ()]


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
    """A NodeSelectorRequirement; a number that is none takes nothing, as in the scheduler."""
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
