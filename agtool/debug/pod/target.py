"""A container of ours in a pod that runs, beside one of its own.

Kubernetes cannot take such an ephemeral container away again: it stays in the pod's list, over.
So its main process is a sleep that ends with the session, or after --ttl.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agtool.core.errors import ConfigurationError, DeniedError, UsageError
from agtool.core.kube.errors import RejectedError
from agtool.debug.model import MARK, STATUSES, Custom, Request
from agtool.debug.pod.custom import customized, placed
from agtool.debug.pod.like import group_of, main_container, sidecars, user_of
from agtool.debug.pod.profile import profile_of
from agtool.debug.pod.refusal import is_policy, policy_words
from agtool.debug.pod.security import AS_ROOT, NOBODY

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session
    from agtool.debug.modes import Given


@dataclass(frozen=True)
class Way:
    """One way for an ephemeral container to run.

    Attributes:
        container: its object.
        user: as whom, for people.
    """

    container: Json
    user: str


@dataclass(frozen=True)
class ContainerPlan:
    """An ephemeral container.

    Attributes:
        target: the container whose processes it shares.
        identity: that of the target's container in its runtime, such as `containerd://0a1b2c`.
        shared: more than that container is seen by its processes: all of the pod, or of the node.
        ways: what to try, in this order, until the namespace takes one.
        left_out: paths of mounts of the target that such a container cannot have.
    """

    target: str
    identity: str
    shared: bool
    ways: list[Way]
    left_out: list[str]


@dataclass(frozen=True)
class Identity:
    """As whom a container's processes run; None: nobody says."""

    user: int | None
    group: int | None


def plan_container(pod: Json, request: Request, wanted: str | None) -> ContainerPlan:
    """An ephemeral container that may do what the target may, as the target's user.

    Args:
        wanted: the container to be beside; None: the pod's main one.

    Raises:
        UsageError: the pod has no container `wanted`, or an ephemeral one.
        ConfigurationError: the target does not run.
    """
    name = pod["metadata"]["name"]
    spec = pod["spec"]
    if wanted in [one["name"] for one in spec.get("ephemeralContainers") or ()]:
        raise UsageError(
            f"container {wanted} of pod {name} is an ephemeral one, and Kubernetes lets none be "
            "beside such a one",
            hint="Name one of the pod's own containers with -c, or leave out -c.",
        )
    target = main_container(pod, wanted, f"pod {name}", sidecars(pod))
    status = _status(pod, target["name"])
    identity = running(pod, target["name"])
    if identity is None:
        raise does_not_run(name, target["name"])
    # The kubelet tells, if its container runtime does: containerd since 2.0.
    seen = (status.get("user") or {}).get("linux") or {}
    said = user_of(spec, target)
    theirs = Identity(
        seen.get("uid") if said is None else said, seen.get("gid", group_of(spec, target))
    )
    env = {MARK: request.name, **request.env}
    container: Json = {
        "name": request.name,
        "image": request.image,
        "command": ["sleep", str(request.lifetime)],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "targetContainerName": target["name"],
    }
    if request.pull_policy:
        container["imagePullPolicy"] = request.pull_policy
    left_out = []
    if request.mounts:
        mounts = target.get("volumeMounts") or ()
        # Kubernetes allows no part of a volume in an ephemeral container.
        kept = [one for one in mounts if not (one.get("subPath") or one.get("subPathExpr"))]
        left_out = [one["mountPath"] for one in mounts if one not in kept]
        container["volumeMounts"] = kept
    ways = [
        Way(
            customized({**container, **({"securityContext": context} if context else {})}, request),
            words,
        )
        for context, words in _ways(spec, target, theirs, request)
    ]
    shared = bool(spec.get("shareProcessNamespace") or spec.get("hostPID"))
    return ContainerPlan(target["name"], identity, shared, ways, left_out)


def running(pod: Json, container: str) -> str | None:
    """The identity of a container in its runtime; None: it does not run."""
    status = _status(pod, container)
    return status.get("containerID") or "" if "running" in (status.get("state") or {}) else None


def does_not_run(pod: str, container: str, why: str = "") -> ConfigurationError:
    """What to say, and to do, where there are no processes to be beside."""
    return ConfigurationError(
        f"container {container} of pod {pod} does not run" + (f": {why}" if why else ""),
        hint=f"`kubectl describe pod {pod}` shows why. To run a copy of the pod with another "
        f"command: agtool debug --copy --target pod/{pod}\nTo debug in a new pod that is "
        f"like it: agtool debug --like pod/{pod}",
    )


def _status(pod: Json, container: str) -> Json:
    status = pod.get("status") or {}
    statuses = (one for kind in STATUSES for one in status.get(kind) or ())
    return next((one for one in statuses if one["name"] == container), {})


def _ways(spec: Json, target: Json, theirs: Identity, request: Request) -> list[tuple[Json, str]]:
    """The securityContexts to try, and as whom each runs, for people."""
    if request.profile or request.capabilities:
        return [_as_profile(spec, target, theirs, request)]
    as_target = dict(target.get("securityContext") or {})
    if request.root or request.user == 0:
        return _as_root(as_target, request)
    if request.user is not None:
        group = request.group
        if group is None and request.user == theirs.user:
            group = theirs.group
        context = as_target | _ids(request.user, group)
        return [(context, f"user {request.user}, as asked")]
    if theirs.user is not None:
        return [
            (as_target | _ids(theirs.user, theirs.group), f"user {theirs.user}, as that container")
        ]
    if _must_not_be_root(spec, target):
        words = f"user {NOBODY}, since the pod must not run as root and names no user"
        return [(as_target | _ids(NOBODY, None), words)]
    return [(as_target, "the user of the image, since the pod names none")]


def _as_root(as_target: Json, request: Request) -> list[tuple[Json, str]]:
    """Root, with what it takes to see the target's files, if the namespace allows it.

    Nothing else that the target may not do is kept from it: it would have less than the target's
    own user, who may read the target's files.
    """
    if as_target.get("privileged"):
        return [(as_target | AS_ROOT, "root, as asked, privileged as that container")]
    same = {key: as_target[key] for key in ("seLinuxOptions",) if key in as_target}
    plain = same | AS_ROOT
    if request.group is not None:
        plain["runAsGroup"] = request.group
    added = list((as_target.get("capabilities") or {}).get("add") or ())
    # ptrace(2), "Ptrace access mode checking": another user's /proc/PID/root needs it.
    tracing = {"capabilities": {"add": [*added, "SYS_PTRACE"]}}
    return [
        (plain | tracing, "root, as asked, who may trace its processes (SYS_PTRACE)"),
        (plain, "root, as asked, who may not trace its processes"),
    ]


def _as_profile(spec: Json, target: Json, theirs: Identity, request: Request) -> tuple[Json, str]:
    """As kubectl has it: nothing of the target's own securityContext, but that of its pod."""
    profile = profile_of(request.profile, request.capabilities)
    context = dict(profile.container)
    if request.root or request.user == 0:
        context |= AS_ROOT
        user = "root, as asked"
    elif request.user is not None:
        context |= _ids(request.user, request.group)
        user = f"user {request.user}, as asked"
    elif not (context.get("privileged") or (context.get("capabilities") or {}).get("add")):
        # It has no more rights than another, so only the target's user sees the target's files.
        if theirs.user or (theirs.user == 0 and not context.get("runAsNonRoot")):
            context |= _ids(theirs.user, theirs.group)
        elif context.get("runAsNonRoot") or _must_not_be_root(spec, target):
            context |= _ids(NOBODY, None)
        named = context.get("runAsUser")
        user = "the user of the image" if named is None else f"user {named}"
    else:
        named = (spec.get("securityContext") or {}).get("runAsUser")
        user = "the user of the image" if named is None else f"user {named}, as its pod"
    return context, f"{user}; {profile.meaning}"


def _ids(user: int, group: int | None) -> Json:
    ids: Json = {"runAsUser": user} | ({"runAsGroup": group} if group is not None else {})
    return ids | ({"runAsNonRoot": False} if user == 0 else {})


def _must_not_be_root(spec: Json, target: Json) -> bool:
    contexts = (target.get("securityContext"), spec.get("securityContext"))
    return any((context or {}).get("runAsNonRoot") for context in contexts)


def add_container(
    session: Session, pod: Json, plan: ContainerPlan, custom: Custom | None, given: Given
) -> Way:
    """Add an ephemeral container to a pod; the way that the namespace took.

    Args:
        custom: a file, of which the API server is to refuse fields that it does not know.
        given: what stands on the command line, for hints.

    Raises:
        DeniedError: no permission, or a policy.
        RejectedError: it is invalid.
    """
    from agtool.core.kube.session import STRATEGIC_MERGE_PATCH

    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    query = {"fieldValidation": "Strict"} if custom else {}
    refused = ""
    for way in plan.ways:
        change = {"spec": {"ephemeralContainers": [way.container]}}
        try:
            session.patch(
                f"{path}/ephemeralcontainers", change, content_type=STRATEGIC_MERGE_PATCH, **query
            )
        except (DeniedError, RejectedError) as error:
            if not is_policy(error.message):
                raise placed(error, custom) from error
            refused = refused or error.message
        else:
            return way
    raise DeniedError(
        f"a policy of namespace {metadata['namespace']} forbids the container: "
        f"{policy_words(refused)}",
        hint=_less(given, metadata["name"]),
    )


def _less(given: Given, pod: str) -> str:
    """What to do about a policy's refusal."""
    asked = [
        one for one in ("--root", "--user", "--profile", "--cap-add", "--custom") if one in given
    ]
    if asked:
        return f"Leave out {', '.join(asked)}: then it may do what its target may."
    return f"To debug in a new pod that is like it: agtool debug --like pod/{pod}"
