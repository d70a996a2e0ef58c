"""Pure: the profiles of `kubectl debug`, and capabilities that are named one by one.

Source: k8s.io/kubectl, pkg/cmd/debug/profiles.go. `legacy`, which Kubernetes 1.39 removes, is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agtool.core.kube.session import Json

_NAMES = (
    "ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN "
    "DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE "
    "LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE "
    "NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN "
    "SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE "
    "SYS_TIME SYS_TTY_CONFIG WAKE_ALARM"
)

CAPABILITIES = frozenset(_NAMES.split())
"""Of Linux, see capabilities(7), as Kubernetes writes them."""

_OF_BASELINE = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
"""Those that the level `baseline` lets a container add."""

WITHOUT_RIGHTS: Json = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
RESTRICTED: Json = {
    **WITHOUT_RIGHTS,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


class Profile(NamedTuple):
    """One of kubectl's.

    Attributes:
        meaning: for people.
        container: the container's securityContext.
        host: on a node, be in its network and among its processes.
        files: on a node, see its files in /host.
    """

    meaning: str
    container: Json
    host: bool = False
    files: bool = False


PROFILES = {
    "general": Profile(
        "it may trace processes (SYS_PTRACE)",
        {"capabilities": {"add": ["SYS_PTRACE"]}},
        host=True,
        files=True,
    ),
    "baseline": Profile("it has the capabilities that any container has", {}),
    "restricted": Profile("it has no capabilities", RESTRICTED),
    "netadmin": Profile(
        "it may change and record the network (NET_ADMIN, NET_RAW)",
        {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
        host=True,
    ),
    "sysadmin": Profile(
        "privileged, it has all capabilities", {"privileged": True}, host=True, files=True
    ),
}


def profile_of(name: str | None, added: Sequence[str]) -> Profile:
    """A profile with more capabilities; without a name they are added to those of `baseline`."""
    profile = PROFILES[name or "baseline"]
    if not added:
        return profile
    capabilities = dict(profile.container.get("capabilities") or {})
    capabilities["add"] = list(dict.fromkeys([*capabilities.get("add", ()), *added]))
    meaning = f"{profile.meaning}, and {', '.join(added)}"
    return profile._replace(
        meaning=meaning, container={**profile.container, "capabilities": capabilities}
    )


def level_of(context: Json) -> str:
    """The Pod Security level that a container with this securityContext fits."""
    added = set((context.get("capabilities") or {}).get("add") or ())
    if context.get("privileged") or not added <= _OF_BASELINE:
        return "privileged"
    if context.get("runAsNonRoot") and added <= {"NET_BIND_SERVICE"}:
        return "restricted"
    return "baseline"


def wants_root(context: Json) -> bool:
    """Whether what a securityContext adds has an effect for root only.

    Kubernetes knows no ambient capabilities: another user has none whatever the pod says.
    """
    added = (context.get("capabilities") or {}).get("add")
    return bool(context.get("privileged") or added)
