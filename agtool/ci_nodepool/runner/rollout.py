"""Whether a restarted Deployment is up, by its status, its pods and their events. Pure.

Source: kubectl's pkg/polymorphichelpers/rollout_status.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agtool.ci_nodepool.runner.plan import RESTARTED_AT
from agtool.core.kube.session import Json

_HOPELESS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "InvalidImageName",
    "RunContainerError",
}
"""Reasons of a waiting container for which waiting longer does not help."""

_CRASHES = 1
"""Restarts after which a container that crashes again is taken for broken. A registration alone
tries 30 times before it lets the manager crash."""


class Rollout(NamedTuple):
    """How far a rollout is.

    Attributes:
        failed: it will not succeed.
        text: how far it is, or why it will not succeed; for people.
        pod: the name of a new pod that is not ready; empty: there is none.
    """

    done: bool
    failed: bool
    text: str
    pod: str = ""


def new_pods(pods: Sequence[Json], stamp: str) -> list[Json]:
    """Those of a restart with `stamp` that are to stay."""
    return [
        pod
        for pod in pods
        if (pod["metadata"].get("annotations") or {}).get(RESTARTED_AT) == stamp
        and "deletionTimestamp" not in pod["metadata"]
    ]


def is_ready(pod: Json) -> bool:
    """Whether a pod is ready, as its conditions say."""
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in (pod.get("status") or {}).get("conditions") or ()
    )


def look(
    deployment: Json, pods: Sequence[Json], stamp: str, events: Sequence[Json] = ()
) -> Rollout:
    """How far the rollout of a Deployment is that was restarted with `stamp`.

    Args:
        pods: all of the Deployment's.
        events: of new pods that are not ready.
    """
    metadata, spec, status = (deployment.get(k) or {} for k in ("metadata", "spec", "status"))
    wanted = spec.get("replicas", 1)
    updated = status.get("updatedReplicas", 0)
    available = status.get("availableReplicas", 0)
    new = new_pods(pods, stamp)
    starting = [pod for pod in new if not is_ready(pod)]
    if status.get("observedGeneration", 0) < metadata["generation"]:
        return Rollout(False, False, "waiting for the Deployment's controller")
    name, trouble = "", _refused(status)
    if starting:
        # If nothing holds any of them up, the first one: it is good to know whose start takes long.
        whys = [_why_not_ready(pod, events) for pod in starting]
        stuck = (each for each in zip(whys, starting, strict=True) if each[0])
        why, pod = next(stuck, ("starting", starting[0]))
        name, trouble = pod["metadata"]["name"], _named(pod, why)
    failed = next(filter(None, map(_hopeless, new)), "")
    if not failed and _is_late(status):
        failed = trouble or "the new pod was not ready in time (progressDeadlineSeconds)"
    if failed:
        return Rollout(False, True, failed, name)
    if updated < wanted:
        step = f"{updated} of {wanted} new pods exist"
    elif starting:
        # availableReplicas counts old pods too.
        step = f"{len(new) - len(starting)} of {wanted} new pods ready"
    elif available < updated:
        step = f"{available} of {updated} pods available"
    elif status.get("replicas", 0) > updated:
        step = "waiting for the old pod to end"
    else:
        return Rollout(True, False, f"{available} of {wanted} new pods ready")
    return Rollout(False, False, f"{step}; {trouble}" if trouble else step, name)


def _is_late(status: Json) -> bool:
    return any(
        condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded"
        for condition in status.get("conditions") or ()
    )


def _refused(status: Json) -> str:
    """Why no pod can be made: a quota, an admission; empty: that is not so."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return f"no pod can be made: {condition.get('message', '')}".rstrip(": ")
    return ""


def _hopeless(pod: Json) -> str:
    """What will hold up a pod for ever; empty: nothing that can be seen."""
    for restarts, reason, message in _waiting(pod):
        if (reason == "CrashLoopBackOff" and restarts >= _CRASHES) or reason in _HOPELESS:
            return _named(pod, _reason(reason, message))
    return ""


def _why_not_ready(pod: Json, events: Sequence[Json]) -> str:
    """What holds up a pod for now; empty: nothing that can be seen."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _reason("not scheduled", condition.get("message", ""))
    for _, reason, message in _waiting(pod):
        if reason not in {"", "ContainerCreating", "PodInitializing"}:
            return _reason(reason, message)
    # A volume that cannot be mounted, a sandbox, a probe: only events tell of them.
    warnings = [
        event
        for event in events
        if event.get("type") == "Warning"
        and (event.get("involvedObject") or {}).get("uid") == pod["metadata"].get("uid")
    ]
    if warnings:
        last = max(warnings, key=_when)
        return _reason(last.get("reason", ""), last.get("message", ""))
    return ""


def _when(event: Json) -> str:
    """Its last time, in a form that sorts."""
    created = (event.get("metadata") or {}).get("creationTimestamp")
    return str(event.get("lastTimestamp") or event.get("eventTime") or created or "")


def _waiting(pod: Json) -> Iterator[tuple[int, str, str]]:
    """Of each container: its restarts; why it waits, and what is said of that, or nothing."""
    status = pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            restarts = container.get("restartCount", 0)
            yield restarts, waiting.get("reason", ""), waiting.get("message", "")


def _reason(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason


def _named(pod: Json, why: str) -> str:
    return f"pod {pod['metadata']['name']}: {why}"
