"""Pure: the objects of a debug pod.

Its main process is our pause, so that any image will do: it comes as a ConfigMap, mounted with
mode 0555, or in a volume that is an image. An image that has its own pause runs that.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agtool.debug.model import (
    CONTAINER,
    DEFAULT_CONTAINER,
    MARK,
    TOOLS,
    Request,
    has_pause,
    own_labels,
    sends_pause,
)
from agtool.debug.pod.security import Security

if TYPE_CHECKING:
    from agtool.core.kube.session import Json

FOLDER = "/.agtool"
"""Where the ConfigMap is mounted."""

IDLE = 60
"""Seconds after which the pod of a session ends by itself when no process is left in it."""

_VOLUME = "agtool-pause"
_TOOLS_VOLUME = "agtool-tools"


def pause_config_map(request: Request, program: bytes | None, owner: Json | None) -> Json:
    """The ConfigMap with our pause.

    Args:
        program: None: the image has its own.
        owner: its reference; None: not known yet.
    """
    metadata: Json = {
        "name": request.name,
        "namespace": request.namespace,
        "labels": own_labels(request),
    }
    if owner is not None:
        metadata["ownerReferences"] = [owner]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "immutable": True,
        "binaryData": {"pause": b64encode(program).decode()} if program is not None else {},
    }


def pause_program(request: Request) -> str | None:
    """The path of our pause in the container; None: the image brings its own, of any age."""
    return None if has_pause(request.image) else f"{FOLDER}/pause"


def debug_pod(request: Request, security: Security, owners: Sequence[Json] = ()) -> Json:
    """The pod, as it is created; `owners` are references to them."""
    like = request.like
    metadata: Json = {
        "name": request.name,
        "namespace": request.namespace,
        "labels": {**(like.labels if like else {}), **request.labels, **own_labels(request)},
        "annotations": {
            **(like.annotations if like else {}),
            **request.annotations,
            DEFAULT_CONTAINER: CONTAINER,
        },
    }
    if owners:
        metadata["ownerReferences"] = list(owners)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": _spec(request, security),
    }


def _spec(request: Request, security: Security) -> Json:
    spec: Json = dict(request.like.pod) if request.like else {}
    volumes = [*(spec.get("volumes") or ()), *_pause_volumes(request)]
    if request.tools:
        volumes.append({"name": _TOOLS_VOLUME, "emptyDir": {}})
        spec["initContainers"] = [_tools_container(request, security)]
    if security.host:
        volumes.append({"name": "host", "hostPath": {"path": "/"}})
        spec |= {"hostNetwork": True, "hostPID": True, "hostIPC": True, "nodeName": request.node}
    spec |= {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": request.lifetime,
        # pause ends at once; what else runs here has nothing to save.
        "terminationGracePeriodSeconds": 1,
        "enableServiceLinks": False,
        "containers": [_container(request, security)],
    }
    if volumes:
        spec["volumes"] = volumes
    if request.service_account:
        spec["serviceAccountName"] = request.service_account
    if request.like:
        # Its labels are those that Services select by: a pod that is never ready gets no traffic.
        spec["readinessGates"] = [{"conditionType": "agtool/never-ready"}]
    if request.node is None:
        spec["nodeSelector"] = {
            "kubernetes.io/os": "linux",
            **({"kubernetes.io/arch": request.architecture} if sends_pause(request) else {}),
            **(spec.get("nodeSelector") or {}),
            **request.node_selector,
        }
    tolerations = request.tolerations if request.node is None else [{"operator": "Exists"}]
    if tolerations:
        spec["tolerations"] = [*(spec.get("tolerations") or ()), *tolerations]
    return spec


def _pause_volumes(request: Request) -> list[Json]:
    if has_pause(request.image):
        return []
    if request.pause_image is None:
        return [
            {"name": _VOLUME, "configMap": {"name": request.name, "defaultMode": 0o555}},
        ]
    policy = {"pullPolicy": request.pull_policy} if request.pull_policy else {}
    return [{"name": _VOLUME, "image": {"reference": request.pause_image, **policy}}]


def _container(request: Request, security: Security) -> Json:
    container: Json = dict(request.like.container) if request.like else {}
    container |= {"name": CONTAINER, "image": request.image, **_limits(request, security)}
    mounts = list(container.get("volumeMounts") or ())
    if not has_pause(request.image):
        container["command"] = _pause_command(request, security)
        mounts.append({"name": _VOLUME, "mountPath": FOLDER, "readOnly": True})
    if request.tools:
        mounts.append({"name": _TOOLS_VOLUME, "mountPath": TOOLS, "readOnly": True})
    if security.host:
        # What is mounted on the node later is seen too.
        mounts.append({"name": "host", "mountPath": "/host", "mountPropagation": "HostToContainer"})
    if mounts:
        container["volumeMounts"] = mounts
    own = {**({} if request.keep else {MARK: request.name}), **request.env}
    if security.container.get("runAsNonRoot") and not request.like:
        own = {"HOME": "/tmp"} | own  # noqa: S108  # a user without a name has / for a home
    theirs = [variable for variable in container.get("env") or () if variable["name"] not in own]
    if env := [*theirs, *({"name": name, "value": value} for name, value in own.items())]:
        container["env"] = env
    return container


def _pause_command(request: Request, security: Security) -> list[str]:
    command = [f"{FOLDER}/pause", "-t", str(request.lifetime)]
    # In a node's process namespace there are always others.
    return command if request.keep or security.host else [*command, "-i", str(IDLE)]


def _tools_container(request: Request, security: Security) -> Json:
    """Copies the programs of another image; they have to be static to run beside ours."""
    # busybox has each tool as a link to itself, which cp would make a copy of.
    copy = (
        f"if [ -x /bin/busybox ]; then cp /bin/busybox {TOOLS}/ && "
        f"{TOOLS}/busybox --install -s {TOOLS}; else cp -RP /bin/. {TOOLS}/; fi"
    )
    return {
        "name": "tools",
        "image": request.tools,
        **_limits(request, security),
        "command": ["sh", "-c", copy],
        "volumeMounts": [{"name": _TOOLS_VOLUME, "mountPath": TOOLS}],
    }


def _limits(request: Request, security: Security) -> Json:
    """What each container of the pod may do, and when its image is pulled."""
    limits: Json = {"securityContext": security.container}
    if request.pull_policy:
        limits["imagePullPolicy"] = request.pull_policy
    amounts = {"cpu": request.cpu, "memory": request.memory}
    given = {name: amount for name, amount in amounts.items() if amount}
    return limits | ({"resources": {"requests": given, "limits": given}} if given else {})
