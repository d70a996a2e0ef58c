"""The jobs of a pool: those that run and wait, and those that were lost lately. Pure.

gitlab-runner deletes the pod of a job that it has lost at once, so what is lost is counted by the
cluster's events, which it keeps for an hour. The eviction API leaves none.

Sources: gitlab-runner's executors/kubernetes (names and labels of its pods); Kubernetes' taint
eviction, node lifecycle and pod garbage collection controllers, its scheduler and kubelet.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.scheduling import may_run_on
from agtool.core.kube.session import Json

LABEL = "job.runner.gitlab.com/pod"
"""Of a job's pod; before gitlab-runner 17.9 it is called `pod`, as many others are."""

OLD_LABEL = "pod"

_NAME = re.compile(r"runner-.*-project-\d+-concurrent-\d+")

LOSSES: Mapping[str, str] = {
    "TaintManagerEviction": "a NoExecute taint",
    "Preempted": "a pod of higher priority",
    "Evicted": "the kubelet, for lack of resources",
    "NodeNotReady": "a node that is gone or not ready",
    "NodeShutdown": "a node that was shut down",
}
"""The reasons of events that tell of a loss, and what took the job."""

_HOUR = timedelta(hours=1)


def is_job(pod: Json) -> bool:
    """Whether a pod is that of a job."""
    labels = pod["metadata"].get("labels") or {}
    names = {container["name"] for container in pod["spec"].get("containers") or ()}
    return LABEL in labels or (OLD_LABEL in labels and {"build", "helper"} <= names)


def count_jobs(
    nodes: Sequence[Node], pods: Iterable[Json], events: Sequence[Json]
) -> documents.JobCounts:
    """The jobs on these nodes, those that wait for them, and those that were lost there.

    Args:
        pods: of jobs.
        events: of pods, of all reasons of `LOSSES` and Scheduled.
    """
    names = {node.name for node in nodes}
    running = waiting = 0
    for pod in pods:
        where, phase = pod["spec"].get("nodeName", ""), (pod.get("status") or {}).get("phase")
        if where in names:
            running += phase in ("Running", "Pending")
        elif not where and phase == "Pending":
            waiting += any(may_run_on(pod["spec"], node) for node in nodes)
    lost = Counter(why for why, where in losses(events) if where in names)
    return documents.JobCounts(running, waiting, dict(lost))


def losses(events: Sequence[Json]) -> Iterator[tuple[str, str]]:
    """What took each job of the last hour, and from which node; empty: no event says it."""
    nodes = {
        _pod(event): str(event.get("message", "")).rpartition(" ")[2]
        for event in events
        if event.get("reason") == "Scheduled"
    }
    since = datetime.now(timezone.utc) - _HOUR
    seen = set()
    for event in events:
        name = str((event.get("involvedObject") or {}).get("name", ""))
        why = LOSSES.get(str(event.get("reason")))
        cancelled = "Cancelling" in str(event.get("message", ""))
        if not why or cancelled or not _NAME.match(name) or _when(event) < since:
            continue
        if _pod(event) not in seen:
            seen.add(_pod(event))
            yield why, nodes.get(_pod(event), "")


def _pod(event: Json) -> tuple[str, ...]:
    involved = event.get("involvedObject") or {}
    return tuple(str(involved.get(each, "")) for each in ("namespace", "name", "uid"))


def _when(event: Json) -> datetime:
    created = (event.get("metadata") or {}).get("creationTimestamp")
    text = event.get("lastTimestamp") or event.get("eventTime") or created
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return datetime.min.replace(tzinfo=timezone.utc)
