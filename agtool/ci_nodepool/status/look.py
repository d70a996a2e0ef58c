"""Look at the pools, their taints and the runners of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.model import Jobs, Node, lasting_taints
from agtool.ci_nodepool.pool.affected import find_affected
from agtool.ci_nodepool.pool.find import find_pool, select
from agtool.ci_nodepool.presets import Pool, presets_on
from agtool.ci_nodepool.runner import settings
from agtool.ci_nodepool.runner.change import hosts, manager_pods
from agtool.ci_nodepool.runner.find import find
from agtool.ci_nodepool.status.judge import PoolStatus, faults, judge
from agtool.core.finding import Finding
from agtool.core.kube.errors import ForbiddenError
from agtool.core.kube.session import Session


def find_status(
    session: Session, asked: Pool, namespace: str | None, *, look_at_pods: bool
) -> documents.Status:
    """Look at everything. Raises what Session raises; DeniedError only for nodes.

    Args:
        asked: the pool; nothing: every pool.
        namespace: of the runners; None: of all namespaces.
        look_at_pods: find the pods that do not tolerate the pool's taints.
    """
    nodes = select(session, "")
    preemptible = {node.name for node in nodes if presets_on([node.labels])}
    jobs: list[Jobs] = []
    runners: list[documents.RunnerStatus] = []
    problems: list[Finding] = []
    warnings: list[Finding] = []
    try:
        for runner in find(session, namespace):
            own = settings.jobs(runner)
            names: list[str] = []
            jobs.append(own)
            runners.append(
                documents.RunnerStatus(own.runner, dict(own.selector), list(own.tolerations), names)
            )
            pods = manager_pods(session, runner)
            names += sorted(hosts(pods) & preemptible)
            problems += faults(runner, pods, names)
    except ForbiddenError as error:
        warnings.append(_unseen(error))
    pools = []
    for pool, members in _pools(session, asked, nodes, jobs):
        status = PoolStatus(pool, members)
        if look_at_pods and (taints := list(status.taints)):
            tainted = [node for node in members if any(lasting_taints(node))]
            try:
                status = replace(status, affected=find_affected(session, taints, tainted))
            except ForbiddenError as error:
                warnings.append(_unseen(error))
        pools.append(status)
    problems = judge(pools, jobs, nodes, problems)
    return documents.Status([pool.document() for pool in pools], runners, warnings, problems)


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
