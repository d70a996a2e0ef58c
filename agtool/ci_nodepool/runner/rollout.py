"""Whether a restarted Deployment is up: what kubectl rollout status looks at, and pods. Pure.

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
    """

    done: bool
    failed: bool
    text: str


def look(deployment: Json, pods: Sequence[Json], stamp: str) -> Rollout:
    """How far the rollout of a Deployment is that was restarted with `stamp`.

    Args:
        pods: all of the Deployment's.
    """
    metadata, spec, status = (deployment.get(k) or {} for k in ("metadata", "spec", "status"))
    wanted = spec.get("replicas", 1)
    updated = status.get("updatedReplicas", 0)
    available = status.get("availableReplicas", 0)
    new = [
        pod
        for pod in pods
        if (pod["metadata"].get("annotations") or {}).get(RESTARTED_AT) == stamp
        and "deletionTimestamp" not in pod["metadata"]
    ]
    if status.get("observedGeneration", 0) < metadata["generation"]:
        return Rollout(False, False, "waiting for the Deployment's controller")
    trouble = next(filter(None, map(_trouble, new)), "")
    failed = next(filter(None, map(_hopeless, new)), "")
    if not failed and _is_late(status):
        failed = trouble or "the new pod was not ready in time (progressDeadlineSeconds)"
    if failed:
        return Rollout(False, True, failed)
    if updated < wanted:
        step = f"{updated} of {wanted} new pods exist"
    elif available < updated:
        step = f"{available} of {updated} new pods ready"
    elif status.get("replicas", 0) > updated:
        step = "waiting for the old pod to end"
    else:
        return Rollout(True, False, f"{available} of {wanted} new pods ready")
    return Rollout(False, False, f"{step}; {trouble}" if trouble else step)


def _is_late(status: Json) -> bool:
    return any(
        condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded"
        for condition in status.get("conditions") or ()
    )


def _hopeless(pod: Json) -> str:
    """What will hold up a pod for ever; empty: nothing that can be seen."""
    for restarts, reason, message in _waiting(pod):
        if (reason == "CrashLoopBackOff" and restarts >= _CRASHES) or reason in _HOPELESS:
            return _state(pod, reason, message)
    return ""


def _trouble(pod: Json) -> str:
    """What holds up a pod for now; empty: nothing that can be seen."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _state(pod, "not scheduled", condition.get("message", ""))
    for _, reason, message in _waiting(pod):
        if reason not in {"", "ContainerCreating", "PodInitializing"}:
            return _state(pod, reason, message)
    return ""


def _waiting(pod: Json) -> Iterator[tuple[int, str, str]]:
    """Of each container: its restarts; why it waits, and what is said of that, or nothing."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        restarts = container.get("restartCount", 0)
        yield restarts, waiting.get("reason", ""), waiting.get("message", "")


def _state(pod: Json, reason: str, message: str) -> str:
    return f"pod {pod['metadata']['name']}: {reason}" + (f": {message}" if message else "")
