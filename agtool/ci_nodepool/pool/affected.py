"""The pods and DaemonSets that do not tolerate a taint, looked up in the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from agtool.ci_nodepool.model import Node, Taint
from agtool.ci_nodepool.pool.fates import FATES, Affected, judge_daemonset, judge_pod
from agtool.ci_nodepool.pool.write import CONNECTIONS, NODES
from agtool.core.kube.session import METADATA_LIST, Json, Session
from agtool.core.live import Progress

MANY = 500
"""Nodes from which on it is quicker to list all pods."""

_UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed"


def find_affected(
    session: Session, taints: Sequence[Taint], nodes: Sequence[Node]
) -> list[Affected]:
    """The pods and DaemonSets that do not tolerate the taints of these nodes.

    Raises what Session raises; DeniedError if we may not list pods or DaemonSets.
    """
    by_name = {node.name: node for node in nodes}
    found: list[Affected] = []
    tied: list[Json] = []
    for pod in _pods(session, by_name):
        affected = judge_pod(pod, taints, by_name)
        if affected and affected.fate in ("stranded", "waits"):
            tied.append(pod)
        elif affected:
            found.append(affected)
    if tied:
        everywhere = session.pages(NODES, accept=METADATA_LIST)
        others = [n for n in map(Node.from_api, everywhere) if n.name not in by_name]
        found += filter(None, (judge_pod(pod, taints, by_name, others) for pod in tied))
    for daemonset in session.pages("/apis/apps/v1/daemonsets"):
        found += filter(None, [judge_daemonset(daemonset, taints, nodes)])
    order = list(FATES)
    return sorted(found, key=lambda a: (order.index(a.fate), a.namespace, a.name))


def _pods(session: Session, nodes: Mapping[str, Node]) -> Iterator[Json]:
    """The pods on these nodes and those that wait: asked for by node while that is less to send."""
    if len(nodes) > MANY:
        with Progress("pods") as progress:
            for pod in session.pages("/api/v1/pods", fieldSelector=_UNFINISHED):
                progress.advance()
                yield pod
        return

    def on(name: str) -> list[Json]:
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
