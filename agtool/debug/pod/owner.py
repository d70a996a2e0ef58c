"""The Job that owns a debug pod, so that the cluster takes away what a killed agtool leaves.

A pod that has ended stays until somebody deletes it. Of Kubernetes' own kinds only a Job goes by
itself, and whatever it owns goes with it. With `parallelism: 0` it makes no pod, but its clock
runs. https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError, DeniedError
from agtool.core.kube.errors import ConflictError, NotFoundError
from agtool.debug.model import MAKER, PROCESS, Request, own_labels

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session

_LATER = 30
"""Seconds for the pod to end by its own lifetime, and to say so, before its owner ends."""

_SHOWN = 10
"""Seconds between the owner's end and its removal."""


@dataclass(frozen=True)
class Owner:
    """A Job of ours.

    Attributes:
        reference: as it stands in the metadata of what it owns.
    """

    name: str
    uid: str

    @property
    def reference(self) -> Json:
        return {"apiVersion": "batch/v1", "kind": "Job", "name": self.name, "uid": self.uid}


def owner_job(request: Request) -> Json:
    """The Job, as it is created."""
    # It makes no pod, but its template is checked: what `restricted` asks for is in it.
    container = {
        "name": "none",
        "image": request.image,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": request.name,
            "namespace": request.namespace,
            "labels": own_labels(request),
            "annotations": {
                key: value for key, value in request.annotations.items() if key in {MAKER, PROCESS}
            },
        },
        "spec": {
            "parallelism": 0,
            "activeDeadlineSeconds": request.lifetime + _LATER,
            "ttlSecondsAfterFinished": _SHOWN,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }


def make_owner(
    request: Request, post: Callable[[str, Json], Json], remove: Callable[[Owner], None]
) -> tuple[Owner | None, str]:
    """The Job, or why there is none.

    Args:
        post: creates an object at a path.
        remove: deletes a Job that is of no use.

    Raises:
        UnreachableError: no answer.
    """
    try:
        job = post(f"/apis/batch/v1/namespaces/{request.namespace}/jobs", owner_job(request))
    except (DeniedError, NotFoundError) as error:
        return None, error.message
    owner = Owner(request.name, job["metadata"]["uid"])
    if job["spec"].get("suspend"):
        # A queue such as Kueue suspends Jobs when they are made. The clock of one does not run.
        remove(owner)
        return None, "the cluster suspends new jobs, as a queue such as Kueue does"
    return owner, ""


def owner_of(pod: Json) -> Owner | None:
    """The Job of ours that owns a debug pod, if there is one."""
    for reference in pod["metadata"].get("ownerReferences") or ():
        if reference["kind"] == "Job" and reference["name"] == pod["metadata"]["name"]:
            return Owner(reference["name"], reference["uid"])
    return None


def remove_all(
    session: Session, namespace: str, name: str, uid: str | None, owner: Owner | None
) -> bool:
    """Delete a pod, if it still is the one with this UID (None: there is none), and its owner.

    Returns whether the pod was there. What the owner owns goes with it, so that the right to
    delete one of them is enough.

    Raises the errors of Session.delete.
    """
    refused: AgtoolError | None = None
    was_there = False
    try:
        if uid is not None:
            was_there = _remove(session, f"/api/v1/namespaces/{namespace}/pods/{name}", uid)
    except DeniedError as error:
        if owner is None:
            raise
        refused = error
    if owner is not None:
        path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{owner.name}"
        try:
            _remove(session, path, owner.uid)
        except AgtoolError as error:
            raise refused or error from error
    return was_there or refused is not None


def _remove(session: Session, path: str, uid: str) -> bool:
    # For Jobs the API server's own default would leave what they own.
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": uid},
        "propagationPolicy": "Background",
    }
    try:
        session.delete(path, options)
    except (NotFoundError, ConflictError):
        return False
    return True
