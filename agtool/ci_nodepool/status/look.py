"""Look at the pools, their taints and the runners of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agtool.ci_nodepool.model import Jobs, Node, lasting_taints
from agtool.ci_nodepool.pool.affected import find_affected
from agtool.ci_nodepool.pool.fates import Affected
from agtool.ci_nodepool.pool.find import find_pool, select
from agtool.ci_nodepool.presets import Pool, presets_on
from agtool.ci_nodepool.runner.change import hosts, manager_pods
from agtool.ci_nodepool.runner.find import find
from agtool.ci_nodepool.runner.settings import jobs
from agtool.ci_nodepool.status.judge import PoolStatus, Status, faults, judge
from agtool.core.finding import Finding
from agtool.core.kube.errors import ForbiddenError
from agtool.core.kube.session import Session


def find_status(
    session: Session, asked: Pool, namespace: str | None, *, look_at_pods: bool
) -> Status:
    """Look at everything. Raises what Session raises; DeniedError only for nodes.

    Args:
        asked: the pool; nothing: every pool.
        namespace: of the runners; None: of all namespaces.
        look_at_pods: find the pods that do not tolerate the pool's taints.
    """
    nodes = select(session, "")
    status = Status([], [])
    _look_at_runners(session, namespace, nodes, status)
    for pool, members in _pools(session, asked, nodes, status.jobs):
        without_pods = PoolStatus(pool, members)
        affected: Sequence[Affected] = ()
        if look_at_pods and (taints := list(without_pods.taints)):
            tainted = [node for node in members if any(lasting_taints(node))]
            try:
                affected = find_affected(session, taints, tainted)
            except ForbiddenError as error:
                status.warnings.append(_unseen(error))
        status.pools.append(PoolStatus(pool, members, affected))
    status.problems = judge(status, nodes)
    return status


def _look_at_runners(
    session: Session, namespace: str | None, nodes: Sequence[Node], status: Status
) -> None:
    preemptible = {node.name for node in nodes if presets_on([node.labels])}
    try:
        for runner in find(session, namespace):
            status.jobs.append(jobs(runner))
            pods = manager_pods(session, runner)
            status.faults += faults(runner, pods)
            if names := hosts(pods) & preemptible:
                status.managers[str(runner)] = sorted(names)
    except ForbiddenError as error:
        status.warnings.append(_unseen(error))


def _unseen(error: ForbiddenError) -> Finding:
    return Finding("unseen", error.message, error.hint)


def _pools(
    session: Session, asked: Pool, nodes: Sequence[Node], jobs: Sequence[Jobs]
) -> Iterator[tuple[Pool, list[Node]]]:
    """The pool that is meant; or each that a provider's label or a runner's selector makes."""
    if asked != Pool():
        yield find_pool(session, asked, may_be_empty=True)
        return
    found = presets_on(node.labels for node in nodes)
    for preset in found:
        yield preset.pool, [node for node in nodes if preset.label in node.labels.items()]
    for selector, own in {own.selector_text: own for own in jobs}.items():
        if selector and selector not in [str(preset.label) for preset in found]:
            yield Pool((), selector), [node for node in nodes if own.selects(node.labels)]
