"""A container of ours in a pod that runs, beside one of its own.

Kubernetes cannot take such an ephemeral container away again: it stays in the pod's list, over.
So its main process is a sleep that ends with the session, or after --ttl.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agtool.core.errors import ConfigurationError, DeniedError
from agtool.debug.model import MARK, Request
from agtool.debug.pod.like import main_container, user_of
from agtool.debug.pod.refusal import is_policy, policy_words
from agtool.debug.pod.security import NOBODY

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session


@dataclass(frozen=True)
class ContainerPlan:
    """An ephemeral container.

    Attributes:
        target: the container whose processes it shares.
        user: as whom it runs, for people.
        files: where those of the target are, and who may read them, for people.
    """

    container: Json
    target: str
    user: str
    files: str


def plan_container(pod: Json, request: Request, wanted: str | None) -> ContainerPlan:
    """An ephemeral container that may do what the target may, as the target's user.

    Args:
        wanted: the container to be beside; None: the pod's main one.

    Raises:
        UsageError: the pod has no container `wanted`.
        ConfigurationError: the target does not run.
    """
    name = pod["metadata"]["name"]
    target = main_container(pod, wanted, f"pod {name}")
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    status: Json = next((one for one in statuses if one["name"] == target["name"]), {})
    if "running" not in (status.get("state") or {}):
        raise ConfigurationError(
            f"container {target['name']} of pod {name} does not run",
            hint=f"`kubectl describe pod {name}` shows why. To debug in a new pod that is like "
            f"it: agtool debug --like pod/{name}",
        )
    security = dict(target.get("securityContext") or {})
    theirs = user_of(pod["spec"], target)  # None: nobody says
    if theirs is None:
        # The kubelet tells, if its container runtime does: containerd since 2.0.
        theirs = ((status.get("user") or {}).get("linux") or {}).get("uid")
    user, why = _user(pod["spec"], target, theirs, request)
    if user is not None:
        security["runAsUser"] = user
    if user == 0:
        security["runAsNonRoot"] = False
    env = {MARK: request.name, **request.env}
    container: Json = {
        "name": request.name,
        "image": request.image,
        "command": ["sleep", str(request.lifetime)],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "targetContainerName": target["name"],
    }
    if security:
        container["securityContext"] = security
    if request.pull_policy:
        container["imagePullPolicy"] = request.pull_policy
    files = "The files of that container are in /proc/1/root."
    if not security.get("privileged") and (theirs is None or theirs != user):
        # ptrace(2), "Ptrace access mode checking": another user needs CAP_SYS_PTRACE.
        uid = "UID, with the user id of that container" if theirs is None else theirs
        files += f" If they cannot be read, run as its user: --user {uid}"
    return ContainerPlan(container, target["name"], why, files)


def _user(spec: Json, target: Json, theirs: int | None, request: Request) -> tuple[int | None, str]:
    """The user id to run as (None: the image's), and why."""
    if request.root:
        return 0, "root, as asked"
    if request.user is not None:
        return request.user, f"user {request.user}, as asked"
    if theirs is not None:
        return theirs, f"user {theirs}, as that container"
    contexts = (target.get("securityContext"), spec.get("securityContext"))
    if any((context or {}).get("runAsNonRoot") for context in contexts):
        return NOBODY, f"user {NOBODY}, since the pod must not run as root and names no user"
    return None, "the user of the image, since the pod names none"


def add_container(session: Session, pod: Json, container: Json) -> None:
    """Add an ephemeral container to a pod.

    Raises:
        DeniedError: no permission, or a policy.
        RejectedError: it is invalid.
    """
    from agtool.core.kube.session import STRATEGIC_MERGE_PATCH

    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    change = {"spec": {"ephemeralContainers": [container]}}
    try:
        session.patch(f"{path}/ephemeralcontainers", change, content_type=STRATEGIC_MERGE_PATCH)
    except DeniedError as error:
        if not is_policy(error.message):
            raise
        raise DeniedError(
            f"a policy of namespace {metadata['namespace']} forbids the container: "
            f"{policy_words(error.message)}",
            hint="Leave out --root and --user: then it may do what its target may.",
        ) from error
