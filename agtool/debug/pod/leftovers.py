"""The debug pods that there are, and which of them nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from agtool.debug.model import CONTAINER, KIND, MAKER, MANAGED_BY, PROCESS, Json
from agtool.debug.pod.life import remove
from agtool.debug.pod.process import is_gone

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

_SLACK = timedelta(minutes=1)
"""Between our clock and the server's."""


@dataclass(frozen=True)
class Leftover:
    """A debug pod.

    Attributes:
        state: running, pending, ending; over: its containers have ended, or it has not begun
            within its lifetime; orphaned: the agtool that it belongs to is gone.
        ends: when its lifetime is over; None: it has none.
    """

    name: str
    namespace: str
    uid: str
    state: str
    kept: bool
    maker: str
    image: str
    node: str
    created: datetime
    ends: datetime | None

    @property
    def removable(self) -> bool:
        """Whether nobody needs it any more."""
        return self.state in {"over", "orphaned"}


def leftovers(session: Session, namespace: str) -> list[Leftover]:
    """The debug pods of a namespace, the oldest first."""
    key, value = MANAGED_BY
    pods = session.pages(
        f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"{key}={value},{KIND}"
    )
    now = datetime.now(timezone.utc)
    return sorted((judge(pod, now, is_gone) for pod in pods), key=lambda one: one.created)


def judge(pod: Json, now: datetime, gone: Callable[[str], bool]) -> Leftover:
    """What a pod is.

    Args:
        gone: whether the process of an identity has certainly ended.
    """
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    annotations = metadata.get("annotations") or {}
    created = _time(metadata["creationTimestamp"])
    started = _time(status["startTime"]) if status.get("startTime") else created
    lifetime = spec.get("activeDeadlineSeconds")
    ends = started + timedelta(seconds=lifetime) if lifetime else None
    kept = metadata["labels"][KIND] == "kept"
    phase = status.get("phase") or "Pending"
    if metadata.get("deletionTimestamp"):
        state = "ending"
    elif phase in {"Succeeded", "Failed"}:
        state = "over"
    elif phase == "Pending" and ends and ends + _SLACK < now:
        # The kubelet ends only what has begun. What runs is not judged by our clock, which may go
        # wrong.
        state = "over"
    elif not kept and gone(annotations.get(PROCESS, "")):
        state = "orphaned"
    else:
        state = phase.lower()
    images = [c["image"] for c in spec["containers"] if c["name"] == CONTAINER]
    return Leftover(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        state=state,
        kept=kept,
        maker=annotations.get(MAKER, ""),
        image=images[0] if images else "",
        node=spec.get("nodeName") or "",
        created=created,
        ends=ends,
    )


def clean_up(session: Session, namespace: str) -> list[Leftover]:
    """Remove the pods that are over or orphaned; return those that were removed."""
    return [
        one
        for one in leftovers(session, namespace)
        if one.removable and remove(session, one.namespace, one.name, one.uid)
    ]


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
