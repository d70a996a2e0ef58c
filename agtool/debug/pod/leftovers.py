"""The debug pods that there are, and which of them nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from agtool.core.kube.errors import ForbiddenError
from agtool.debug.documents import DebugPod, State
from agtool.debug.model import CONTAINER, KIND, MAKER, MANAGED_BY, PROCESS
from agtool.debug.pod.owner import Owner, owner_of, remove_all
from agtool.debug.pod.process import is_gone

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session

_SLACK = timedelta(minutes=1)
"""Between our clock and the server's."""

_FOREVER = 1000 * 365 * 86400
"""Seconds. Pods and Jobs that others made, with our labels, may have any number."""

_STILL_TO_COME = timedelta(minutes=5)
"""How long after its Job a pod may be made, at most: three requests, each of which is repeated."""


def debug_pods(session: Session, *, everywhere: bool) -> list[DebugPod]:
    """The debug pods of the session's namespace, or of all, the oldest first.

    And what is left of those that are gone.
    """
    pods = [judged for _, judged in _found(session, everywhere=everywhere)]
    return [*pods, *_left(session, pods, everywhere=everywhere)]


def _found(session: Session, *, everywhere: bool) -> list[tuple[Json, DebugPod]]:
    now = datetime.now(timezone.utc)
    pods = _ours(session, "/api/v1", "pods", everywhere=everywhere)
    judged = ((pod, judge(pod, now, is_gone)) for pod in pods)
    return sorted(judged, key=lambda pair: pair[1].created_at)


def _ours(session: Session, group: str, resource: str, *, everywhere: bool) -> Iterator[Json]:
    """The objects of a kind that agtool debug has made."""
    key, value = MANAGED_BY
    place = "" if everywhere else f"/namespaces/{session.namespace}"
    return session.pages(f"{group}{place}/{resource}", labelSelector=f"{key}={value},{KIND}")


def judge(pod: Json, now: datetime, gone: Callable[[str], bool]) -> DebugPod:
    """What a pod is.

    Args:
        gone: whether the process of an identity has certainly ended.
    """
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    annotations = metadata.get("annotations") or {}
    created, ends = _time(metadata["creationTimestamp"]), ends_at(pod)
    kept = metadata["labels"][KIND] == "kept"
    phase = status.get("phase") or "Pending"
    state: State = "pending" if phase == "Pending" else "running"
    if metadata.get("deletionTimestamp"):
        state = "ending"
    elif phase in {"Succeeded", "Failed"} or _has_ended(status):
        state = "over"
    elif phase == "Pending" and ends and ends + _SLACK < now:
        # The kubelet ends only what has begun. What runs is not judged by our clock, which may go
        # wrong.
        state = "over"
    elif not kept and gone(annotations.get(PROCESS, "")):
        state = "orphaned"
    images = [c["image"] for c in spec["containers"] if c["name"] == CONTAINER]
    return DebugPod(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        state=state,
        kept=kept,
        made_by=annotations.get(MAKER, ""),
        image=images[0] if images else "",
        node=spec.get("nodeName") or "",
        created_at=created,
        ends_at=ends,
    )


def ends_at(pod: Json) -> datetime | None:
    """When a pod's lifetime is over; None: never."""
    started = (pod.get("status") or {}).get("startTime") or pod["metadata"]["creationTimestamp"]
    return _after(_time(started), pod["spec"].get("activeDeadlineSeconds"))


def _after(start: datetime, lifetime: int | None) -> datetime | None:
    """When so many seconds are over; None: never, nor in a time that has a date."""
    return start + timedelta(seconds=lifetime) if lifetime and lifetime < _FOREVER else None


def _has_ended(status: Json) -> bool:
    """Whether our container has ended; one that was injected may run on, and its pod with it."""
    statuses = status.get("containerStatuses") or ()
    return any(
        one["name"] == CONTAINER and "terminated" in one.get("state", {}) for one in statuses
    )


def clean_up(session: Session, *, everywhere: bool) -> Iterator[DebugPod]:
    """Remove the pods that are over or orphaned; those that were removed, one by one.

    And what is left of those that are gone.
    """
    pods = []
    for found, pod in _found(session, everywhere=everywhere):
        pods.append(pod)
        if pod.state in {"over", "orphaned"} and remove_all(
            session, pod.namespace, pod.name, pod.uid, owner_of(found)
        ):
            yield pod
    for pod in _left(session, pods, everywhere=everywhere):
        remove_all(session, pod.namespace, pod.name, None, Owner(pod.name, pod.uid))
        yield pod


def _left(session: Session, pods: Sequence[DebugPod], *, everywhere: bool) -> Iterator[DebugPod]:
    """What Jobs without a pod are left of. Who may not list Jobs leaves them to the cluster."""
    there = {(pod.namespace, pod.name) for pod in pods}
    now = datetime.now(timezone.utc)
    with suppress(ForbiddenError):
        for job in _ours(session, "/apis/batch/v1", "jobs", everywhere=everywhere):
            pod = left_of(job)
            if (pod.namespace, pod.name) not in there and is_left(job, now, is_gone):
                yield pod


def is_left(job: Json, now: datetime, gone: Callable[[str], bool]) -> bool:
    """Whether no pod will come to a Job that has none."""
    metadata = job["metadata"]
    maker = (metadata.get("annotations") or {}).get(PROCESS, "")
    return gone(maker) or _time(metadata["creationTimestamp"]) + _STILL_TO_COME < now


def left_of(job: Json) -> DebugPod:
    """A pod of which only its Job is there, still or already; the UID is the Job's."""
    metadata, spec = job["metadata"], job["spec"]
    created = _time(metadata["creationTimestamp"])
    return DebugPod(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        state="left",
        kept=metadata["labels"][KIND] == "kept",
        made_by=(metadata.get("annotations") or {}).get(MAKER, ""),
        image=spec["template"]["spec"]["containers"][0]["image"],
        node="",
        created_at=created,
        ends_at=_after(created, spec.get("activeDeadlineSeconds")),
    )


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
