"""Pure: what a pod may do, from most to least, as the Pod Security Standards have it.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agtool.debug.model import Request

if TYPE_CHECKING:
    from agtool.core.kube.session import Json

NOBODY = 65532
"""A user id without a name in most images: distroless' `nonroot`."""


@dataclass(frozen=True)
class Security:
    """One way for a pod to run.

    Attributes:
        level: the Pod Security level that it fits.
        meaning: what that means to the person, after `level`.
        container: the container's securityContext.
        host: in the namespaces of its node.
    """

    level: str
    meaning: str
    container: Json = field(default_factory=dict)
    host: bool = False


_WITHOUT_RIGHTS: Json = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

_ROOT = Security("baseline", "root in the container", {"runAsUser": 0, "runAsNonRoot": False})

_PLATFORMS = Security(
    "restricted",
    "the user that the platform chooses, not root: packages cannot be installed",
    _WITHOUT_RIGHTS,
)
"""For policies that choose the user themselves, such as OpenShift's."""


def ways(request: Request) -> list[Security]:
    """What to try, in this order, until the namespace takes one."""
    return [_with_its_node(security, request) for security in _ways(request)]


def _ways(request: Request) -> list[Security]:
    if request.node is not None:
        return [
            Security(
                "privileged",
                f"root on node {request.node}, among its processes and in its network; its files "
                "are in /host, and `chroot /host` changes to its own programs",
                {"privileged": True, "runAsUser": 0},
                host=True,
            )
        ]
    if request.user == 0:
        return [_ROOT]
    if request.user is not None:
        return [_restricted(request.user)]
    if request.root:
        return [_ROOT, _restricted(NOBODY), _PLATFORMS]
    user = request.like.user if request.like else None
    group = request.like.group if request.like else None
    return [_restricted(user or NOBODY, group), _PLATFORMS]


def _restricted(user: int, group: int | None = None) -> Security:
    return Security(
        "restricted",
        f"user {user}, not root: packages cannot be installed",
        {
            **_WITHOUT_RIGHTS,
            "runAsNonRoot": True,
            "runAsUser": user,
            **({"runAsGroup": group} if group is not None else {}),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    )


def _with_its_node(security: Security, request: Request) -> Security:
    """The same of a pod that takes over its workload's share of the node."""
    spec = request.like.pod if request.like else {}
    paths = [volume for volume in spec.get("volumes") or () if "hostPath" in volume]
    shares = {"in the network of its node": spec.get("hostNetwork"), "with its files": paths}
    words = [word for word, shared in shares.items() if shared]
    if not words:
        return security
    return replace(security, level="privileged", meaning=", ".join((security.meaning, *words)))
