"""Pure: what a debug pod does not have of the workload that it is to be like, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agtool.core.kube.session import Json
    from agtool.debug.modes import Given

_OF_POD = {
    "hostPID": "the processes of its node",
    "hostIPC": "the IPC namespace of its node",
    "shareProcessNamespace": "processes that its containers share",
    "topologySpreadConstraints": "topologySpreadConstraints",
    "resourceClaims": "resource claims",
}
_OF_CONTAINER = {"volumeDevices": "block devices"}


def differences(spec: Json, main: Json) -> list[str]:
    """What is not kept, each thing once.

    Args:
        spec: of the workload's pod.
        main: its container that ours is like.
    """
    told = []
    inits = [
        one for one in spec.get("initContainers") or () if one.get("restartPolicy") != "Always"
    ]
    if inits:
        told.append(f"init containers ({_names(inits)}), so what they prepare is missing")
    others = [one for one in spec.get("containers") or () if one["name"] != main["name"]]
    others += [one for one in spec.get("initContainers") or () if one not in inits]
    if others:
        told.append(f"its other containers ({_names(others)})")
    told += [words for field, words in _OF_POD.items() if spec.get(field)]
    told += [words for field, words in _OF_CONTAINER.items() if main.get(field)]
    if (spec.get("affinity") or {}).get("podAntiAffinity"):
        told.append("podAntiAffinity, which would keep it away from its like")
    security = main.get("securityContext") or {}
    if security.get("privileged"):
        told.append("its privileges")
    if added := (security.get("capabilities") or {}).get("add"):
        told.append(f"capabilities ({', '.join(added)})")
    return told


def without_its_root(user: int | None, given: Given) -> list[str]:
    """The same of a workload that runs as root: at most one thing.

    Args:
        user: as whom it runs, if it says.
        given: what stands on the command line.
    """
    # The last two take over the workload's user themselves.
    kept = given.options & {"--root", "--user", "--profile", "--cap-add"}
    return ["its user, root (add --root)"] if user == 0 and not kept else []


def _names(containers: list[Json]) -> str:
    return ", ".join(one["name"] for one in containers)
