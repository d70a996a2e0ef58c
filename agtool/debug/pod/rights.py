"""Pure: what a user must be allowed to do for one command, as the roles that allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agtool.debug.model import Job, has_pause, sends_pause
from agtool.debug.pod.like import PATHS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agtool.core.kube.session import Json

NAME = "agtool-debug"
"""Of the roles."""


class Right(NamedTuple):
    """One rule."""

    group: str
    resource: str
    verbs: tuple[str, ...]


# A WebSocket is a GET; servers since 1.35 may ask for create instead.
_EXEC = Right("", "pods/exec", ("create", "get"))
_EVENTS = Right("", "events", ("watch",))
_LOG = Right("", "pods/log", ("get",))


def roles(job: Job, namespace: str) -> list[Json]:
    """A Role for the namespace, and a ClusterRole if the command looks at nodes."""
    found = [_role("Role", _merged(rights(job)), namespace)]
    if seen := _of_nodes(job):
        found.append(_role("ClusterRole", [seen], ""))
    return found


def roles_of_lists(namespace: str, *, cleanup: bool, everywhere: bool) -> list[Json]:
    """The role for --list or --cleanup."""
    verbs = ("delete", "list") if cleanup else ("list",)
    needed = [Right("", "pods", verbs), Right("batch", "jobs", verbs)]
    kind = "ClusterRole" if everywhere else "Role"
    return [_role(kind, needed, "" if everywhere else namespace)]


def _role(kind: str, needed: Sequence[Right], namespace: str) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": NAME, **({"namespace": namespace} if namespace else {})},
        "rules": [
            {"apiGroups": [one.group], "resources": [one.resource], "verbs": list(one.verbs)}
            for one in needed
        ],
    }


def rights(job: Job) -> list[Right]:
    """What is needed in the namespace."""
    if job.attach:
        return [Right("", "pods", ("get",)), _EXEC, *_of_forwards(job)]
    beside = [
        Right("", "pods", ("get", "watch")),
        Right("", "pods/ephemeralcontainers", ("patch",)),
    ]
    if job.copy is not None:  # where the container has no tar, another one is added
        return [*beside, _EXEC, _EVENTS, _LOG]
    needed = _of_workload(job)
    if job.target is not None and not job.in_copy:
        return [*needed, *beside, _EXEC, _EVENTS, _LOG, *_of_forwards(job)]
    request = job.request
    needed.append(Right("", "pods", ("create", "delete", "get", "watch")))
    if sends_pause(request) or (job.like and not request.pause_image):
        needed.append(Right("", "configmaps", ("create",)))
    # Who may not make Jobs gets a pod without an owner.
    if not (job.like and request.pause_image):
        needed.append(Right("batch", "jobs", ("create", "delete", "get")))
    elif job.like:
        needed.append(Right("", "serviceaccounts", ("get",)))
    return [*needed, _EXEC, _EVENTS, _LOG, *_of_forwards(job)]


def _of_forwards(job: Job) -> list[Right]:
    return [Right("", "pods/portforward", ("create", "get"))] if job.forwards else []


def _of_workload(job: Job) -> list[Right]:
    """To find the workload of --like, or the pod of --target."""
    workload = job.like or job.target
    if workload is None:
        return []
    path, resource = PATHS[workload.kind]
    group = path.split("/")[2] if path.startswith("/apis/") else ""
    needed = [Right(group, resource, ("get",))]
    if workload.kind == "rollout":
        needed.append(Right("apps", "deployments", ("get",)))  # it may refer to one
    if job.target is not None and workload.kind != "pod":
        needed.append(Right("", "pods", ("get", "list")))
        if workload.kind == "cronjob":
            needed.append(Right("batch", "jobs", ("list",)))
    return needed


def _of_nodes(job: Job) -> Right | None:
    """To learn their architecture, and whether one that was named is ready."""
    if job.attach or job.copy is not None or (job.target is not None and not job.in_copy):
        return None
    if job.request.node is not None:
        return Right("", "nodes", ("get",))
    image = job.request.image
    sends = not (job.request.pause_image or (image and has_pause(image)))
    return Right("", "nodes", ("list",)) if sends else None


def _merged(needed: Sequence[Right]) -> list[Right]:
    """One rule for each resource."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for one in needed:
        verbs.setdefault((one.group, one.resource), set()).update(one.verbs)
    return [Right(*key, tuple(sorted(found))) for key, found in verbs.items()]
