"""Pure: what a pod may do, from most to least, as the Pod Security Standards have it.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agtool.debug.model import Request
from agtool.debug.pod.profile import (
    RESTRICTED,
    WITHOUT_RIGHTS,
    level_of,
    profile_of,
    wants_root,
)

if TYPE_CHECKING:
    from agtool.core.kube.session import Json

NOBODY = 65532
"""A user id without a name in most images: distroless' `nonroot`."""

AS_ROOT: Json = {"runAsUser": 0, "runAsNonRoot": False}


@dataclass(frozen=True)
class Security:
    """One way for a pod to run.

    Attributes:
        level: the Pod Security level that it fits.
        meaning: what that means to the person, after `level`.
        container: the container's securityContext.
        host: in the namespaces of its node.
        files: with the files of its node in /host.
    """

    level: str
    meaning: str
    container: Json = field(default_factory=dict)
    host: bool = False
    files: bool = False


_ROOT = Security("baseline", "root in the container", AS_ROOT)

_PLATFORMS = Security(
    "restricted",
    "the user that the platform chooses, not root: packages cannot be installed",
    WITHOUT_RIGHTS,
)
"""For policies that choose the user themselves, such as OpenShift's."""


def ways(request: Request) -> list[Security]:
    """What to try, in this order, until the namespace takes one."""
    return [_with_its_node(security, request) for security in _ways(request)]


def _ways(request: Request) -> list[Security]:  # noqa: PLR0911  # one for each wish
    if request.profile or request.capabilities:
        return [_as_profile(request)]
    if request.node is not None:
        return [
            Security(
                "privileged",
                f"root on node {request.node}, among its processes and in its network; its files "
                "are in /host, and `chroot /host` changes to its own programs",
                {"privileged": True, "runAsUser": 0},
                host=True,
                files=True,
            )
        ]
    if request.copied:
        return _as_copied(request)
    if request.user == 0:
        return [_with_group(_ROOT, request.group)]
    if request.user is not None:
        return [_restricted(request.user, request.group)]
    if request.root:
        return [_ROOT, _restricted(NOBODY), _PLATFORMS]
    user = request.like.user if request.like else None
    group = request.like.group if request.like else None
    return [_restricted(user or NOBODY, group), _PLATFORMS]


def _restricted(user: int, group: int | None = None) -> Security:
    context = {**RESTRICTED, "runAsUser": user}
    security = Security(
        "restricted", f"user {user}, not root: packages cannot be installed", context
    )
    return _with_group(security, group)


def _with_group(security: Security, group: int | None) -> Security:
    if group is None:
        return security
    return replace(security, container={**security.container, "runAsGroup": group})


def _as_profile(request: Request) -> Security:
    """What one of kubectl's profiles has, and nothing less."""
    profile = profile_of(request.profile, request.capabilities)
    user = 0 if request.root else request.user
    if request.node is not None and profile.container is not RESTRICTED:
        user = 0
    theirs = request.like.user if request.like else None
    theirs = request.copied.user if request.copied else theirs
    if user is None:
        user = theirs
    context = dict(profile.container)
    if user is None and context.get("runAsNonRoot"):
        user = NOBODY
    if user is not None:
        context["runAsUser"] = user
    if user == 0:
        context["runAsNonRoot"] = False
    if request.group is not None:
        context["runAsGroup"] = request.group
    place = f"on node {request.node}, " if request.node is not None else ""
    if profile.files and place:
        place += "with its files in /host, "
    who = "the image's user" if user is None else "root" if user == 0 else f"user {user}"
    meaning = f"{place}as {who}; {profile.meaning}"
    if user and wants_root(context):
        place = " in the place of --user" if request.user is not None else ""
        meaning += f", which has an effect for root only: add --root{place}"
    host = profile.host and request.node is not None
    files = profile.files and request.node is not None
    level = "privileged" if host or files else level_of(context)
    return Security(level, meaning, context, host=host, files=files)


def _as_copied(request: Request) -> list[Security]:
    """What the container may do that ours is a copy of."""
    assert request.copied  # noqa: S101  # for mypy
    theirs: Json = request.copied.spec["containers"][0].get("securityContext") or {}
    meaning = f"as container {request.copied.container}"
    same = Security(level_of(theirs), meaning, theirs)
    if request.root or request.user == 0:
        return [_ROOT, *([same] if request.root else [])]
    if request.user is not None:
        context = {**theirs, "runAsUser": request.user}
        meaning = f"user {request.user}, else {meaning}"
        return [_with_group(Security(level_of(context), meaning, context), request.group)]
    return [same]


def _with_its_node(security: Security, request: Request) -> Security:
    """The same of a pod that shares its node's network or files."""
    spec = request.like.pod if request.like else {}
    spec = request.copied.spec if request.copied else spec
    paths = [volume for volume in spec.get("volumes") or () if "hostPath" in volume]
    network = (request.host_network or spec.get("hostNetwork")) and not security.host
    shares = {"in the network of its node": network, "with its files": paths}
    words = [word for word, shared in shares.items() if shared]
    if not words:
        return security
    return replace(security, level="privileged", meaning=", ".join((security.meaning, *words)))
