"""A container of ours in a pod that runs, beside one of its own.

Kubernetes cannot take such an ephemeral container away again: it stays in the pod's list, over.
So its main process is a sleep that ends with the session, or after --ttl.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agtool.core.errors import ConfigurationError, DeniedError
from agtool.debug.model import Json, Request
from agtool.debug.pod.life import is_policy, policy_words
from agtool.debug.pod.like import main_container, user_of
from agtool.debug.pod.manifest import MARK
from agtool.debug.pod.security import NOBODY

if TYPE_CHECKING:
    from agtool.core.kube.session import Session


@dataclass(frozen=True)
class Plan:
    """An ephemeral container.

    Attributes:
        target: the container whose processes it shares.
        told: about the user, for people.
    """

    container: Json
    target: str
    told: str


def plan_container(pod: Json, request: Request, wanted: str | None) -> Plan:
    """An ephemeral container that may do what the target may, as the target's user.

    Args:
        wanted: the container to be beside; None: the pod's main one.

    Raises:
        UsageError: the pod has no container `wanted`.
        ConfigurationError: the target does not run.
    """
    name = pod["metadata"]["name"]
    target = main_container(pod, wanted, f"pod {name}")
    status: Json = next(
        (
            one
            for one in (pod.get("status") or {}).get("containerStatuses") or ()
            if one["name"] == target["name"]
        ),
        {},
    )
    if "running" not in (status.get("state") or {}):
        raise ConfigurationError(
            f"container {target['name']} of pod {name} does not run",
            hint=f"`kubectl describe pod {name}` says why. A pod like it: --like pod/{name}",
        )
    security = dict(target.get("securityContext") or {})
    user, told = _user(pod["spec"], target, status, request)
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
    return Plan(container, target["name"], told)


def _user(spec: Json, target: Json, status: Json, request: Request) -> tuple[int | None, str]:
    if request.root:
        return 0, "root, as asked"
    if request.user is not None:
        return request.user, f"user {request.user}, as asked"
    known = user_of(spec, target)
    if known is None:
        # The kubelet tells, if its container runtime does: containerd since 2.0.
        known = ((status.get("user") or {}).get("linux") or {}).get("uid")
    if known is not None:
        return known, f"user {known}, as the container"
    contexts = (target.get("securityContext"), spec.get("securityContext"))
    if any((context or {}).get("runAsNonRoot") for context in contexts):
        return NOBODY, f"user {NOBODY}: the pod does not say which user it runs as, but not root"
    return None, "the image's user: the pod does not say which user it runs as"


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
            hint="Without --root and --user it may do what its target may.",
        ) from error
