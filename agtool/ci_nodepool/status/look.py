"""Look at the pools, their taints and the runners of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.pool.affected import find_affected
from agtool.ci_nodepool.pool.find import find_pool, select
from agtool.ci_nodepool.presets import Pool, presets_on
from agtool.ci_nodepool.runner.change import hosts, manager_pods
from agtool.ci_nodepool.runner.find import find_visible
from agtool.ci_nodepool.runner.jobs import Jobs
from agtool.ci_nodepool.runner.manager import loss_unseen
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.read import jobs as jobs_of
from agtool.ci_nodepool.scheduling import selectors, wished
from agtool.ci_nodepool.status.jobs import LABEL, LOSSES, OLD_LABEL, count_jobs, is_job
from agtool.ci_nodepool.status.judge import faults, judge
from agtool.ci_nodepool.status.pools import PoolStatus
from agtool.ci_nodepool.taints import lasting_taints
from agtool.core.finding import Finding
from agtool.core.kube.errors import ForbiddenError
from agtool.core.kube.session import Json, Session


def find_status(
    session: Session,
    asked: Pool,
    namespace: str | None,
    *,
    look_at_pods: bool,
    count: bool = False,
) -> documents.Status:
    """Look at everything. Raises what Session raises; DeniedError only for nodes.

    Args:
        asked: the pool; nothing: every pool.
        namespace: of the runners; None: of all namespaces.
        look_at_pods: find the pods that do not tolerate the pool's taints.
        count: count the jobs of each pool.
    """
    nodes = select(session, "")
    preemptible = {node.name for node in nodes if presets_on([node.labels])}
    jobs: list[Jobs] = []
    runners: list[documents.RunnerStatus] = []
    problems: list[Finding] = []
    found, warnings = find_visible(session, namespace, "runners")
    for runner in found:
        own = jobs_of(runner)
        if any(each.ask_for_nodes or wished(each.spec) for each in own):
            lacking = list(_rights(session, runner))
            own = [each.with_advice(*lacking) for each in own]
        names: list[str] = []
        jobs += own
        runners += [_document(each, names) for each in own]
        try:
            pods = manager_pods(session, runner)
        except ForbiddenError as error:
            warnings.append(_unseen(error))
            pods = []
        names += sorted(hosts(pods) & preemptible)
        problems += faults(runner, pods, names)
    counted = _job_pods_and_events(session, warnings) if count else None
    pools = []
    for pool, members in _pools(session, asked, nodes, jobs):
        status = PoolStatus(pool, members)
        if look_at_pods and (taints := list(status.taints)):
            tainted = [node for node in members if any(lasting_taints(node))]
            try:
                status = replace(status, affected=find_affected(session, taints, tainted))
            except ForbiddenError as error:
                warnings.append(_unseen(error))
        if counted:
            status = replace(status, jobs=count_jobs(members, *counted))
        pools.append(status)
    problems = judge(pools, jobs, nodes, problems)
    return documents.Status(
        [pool.document() for pool in pools],
        runners,
        list(dict.fromkeys(warnings)),
        problems,
        [finding for own in jobs for finding in own.advice()],
    )


def _rights(session: Session, runner: Runner) -> Iterator[Finding]:
    """That a runner may not list and watch the pods of its jobs, as far as we may ask."""
    account = runner.pod.get("serviceAccountName") or "default"
    user = f"system:serviceaccount:{runner.namespace}:{account}"
    other = runner.environment.get("KUBERNETES_NAMESPACE") or "default"
    places = {each.pod.namespace or other for each in jobs_of(runner)}
    for place, verb in product(sorted(places), ("list", "watch")):
        asked = {"namespace": place, "verb": verb, "resource": "pods"}
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{runner.namespace}"]
        groups.append("system:authenticated")
        review = {"spec": {"user": user, "groups": groups, "resourceAttributes": asked}}
        try:
            answer = session.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        except ForbiddenError:
            return
        if not answer["status"]["allowed"]:
            yield loss_unseen(runner.subject, "In the rules of its Role:")
            return


def _job_pods_and_events(
    session: Session, warnings: list[Finding]
) -> tuple[list[Json], list[Json]]:
    """The pods of jobs, and the events that tell where jobs ran and how they were lost."""
    pods: dict[str, Json] = {}
    events: list[Json] = []
    try:
        for label in (LABEL, OLD_LABEL):
            for pod in session.pages("/api/v1/pods", labelSelector=label):
                if is_job(pod):
                    pods[pod["metadata"]["uid"]] = pod
        for reason in ("Scheduled", *LOSSES):
            selector = f"involvedObject.kind=Pod,reason={reason}"
            events += session.pages("/api/v1/events", fieldSelector=selector)
    except ForbiddenError as error:
        warnings.append(_unseen(error))
    return list(pods.values()), events


def _document(own: Jobs, on_pool_nodes: list[str]) -> documents.RunnerStatus:
    return documents.RunnerStatus(
        own.runner,
        dict(own.selector),
        list(own.tolerations),
        on_pool_nodes,
        own.section,
        own.where,
        wished(own.spec),
    )


def _unseen(error: ForbiddenError) -> Finding:
    return Finding("unseen", error.message, error.hint)


def _pools(
    session: Session, asked: Pool, nodes: Sequence[Node], jobs: Sequence[Jobs]
) -> Iterator[tuple[Pool, list[Node]]]:
    """The pool that is meant; or each that a provider's label or a runner's jobs make.

    The same nodes are one pool, by whatever label.
    """
    if asked != Pool():
        yield find_pool(session, asked, may_be_empty=True)
        return
    seen = set()
    found = presets_on(node.labels for node in nodes)
    pools = [
        (preset.pool, [node for node in nodes if preset.label in node.labels.items()])
        for preset in found
    ]
    labels = [str(preset.label) for preset in found]
    for own in jobs:
        asked_for = selectors(own.spec)
        if asked_for and asked_for[0] not in labels:
            pool = Pool((), asked_for[0])
            pools.append((pool, [node for node in nodes if own.selects(node)]))
    for pool, members in pools:
        key = frozenset(node.name for node in members) or pool.selector
        if key not in seen:
            seen.add(key)
            yield pool, members
