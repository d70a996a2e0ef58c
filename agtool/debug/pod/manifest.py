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
from agtool.debug.pod.custom import customized, customized_pod
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
            **(request.copied.annotations if request.copied else {}),
            **request.annotations,
            DEFAULT_CONTAINER: CONTAINER,
        },
    }
    if owners:
        metadata["ownerReferences"] = list(owners)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": _spec(request, security),
    }
    return customized_pod(pod, request)


def _spec(request: Request, security: Security) -> Json:
    spec = _of_another_pod(request)
    others = (spec.get("containers") or ())[1:]
    spec |= {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": request.lifetime,
        # pause ends at once; what else runs here has nothing to save.
        "terminationGracePeriodSeconds": 1,
        "enableServiceLinks": bool(request.copied and spec.get("enableServiceLinks", True)),
        "containers": [_container(request, security), *others],
    }
    if request.tools and request.copies_tools:
        first = _tools_container(request, security)
        spec["initContainers"] = [first, *(spec.get("initContainers") or ())]
    if volumes := [*(spec.get("volumes") or ()), *_volumes(request, security)]:
        spec["volumes"] = volumes
    if request.service_account:
        spec["serviceAccountName"] = request.service_account
    if request.like:
        # Its labels are those that Services select by: a pod that is never ready gets no traffic.
        spec["readinessGates"] = [{"conditionType": "agtool/never-ready"}]
    if request.pull_secrets:
        theirs = spec.get("imagePullSecrets") or ()
        named = [{"name": name} for name in request.pull_secrets]
        spec["imagePullSecrets"] = [*theirs, *(one for one in named if one not in theirs)]
    return spec | _network(request, security) | _place(request, spec)


def _of_another_pod(request: Request) -> Json:
    if request.copied:
        return dict(request.copied.spec)
    return dict(request.like.pod) if request.like else {}


def _volumes(request: Request, security: Security) -> list[Json]:
    """Ours."""
    volumes = []
    if not has_pause(request.image):
        source = {"configMap": {"name": request.name, "defaultMode": 0o555}}
        volumes.append({"name": _VOLUME, **_image_volume(request.pause_image, request, source)})
    if request.tools:
        image = None if request.copies_tools else request.tools
        volumes.append({"name": _TOOLS_VOLUME, **_image_volume(image, request, {"emptyDir": {}})})
    if security.files:
        volumes.append({"name": "host", "hostPath": {"path": "/"}})
    return volumes


def _image_volume(image: str | None, request: Request, otherwise: Json) -> Json:
    """A volume that is an image, else another one."""
    if image is None:
        return otherwise
    policy = {"pullPolicy": request.pull_policy} if request.pull_policy else {}
    return {"image": {"reference": image, **policy}}


def _network(request: Request, security: Security) -> Json:
    network: Json = {}
    if security.host:
        network |= {"hostNetwork": True, "hostPID": True, "hostIPC": True}
    if request.host_network:
        # Else the cluster's names are unknown there.
        network |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    if request.hostname:
        network["hostname"] = request.hostname
    return network


def _place(request: Request, spec: Json) -> Json:
    """The node on which the pod may run; `spec` is what it has from another pod."""
    if request.node is not None:
        return {"nodeName": request.node, "tolerations": [{"operator": "Exists"}]}
    place: Json = {
        "nodeSelector": {
            "kubernetes.io/os": "linux",
            **({"kubernetes.io/arch": request.architecture} if sends_pause(request) else {}),
            **(spec.get("nodeSelector") or {}),
            **request.node_selector,
        }
    }
    if request.tolerations:
        place["tolerations"] = [*(spec.get("tolerations") or ()), *request.tolerations]
    return place


def _container(request: Request, security: Security) -> Json:
    container: Json = dict(request.like.container) if request.like else {}
    container = dict(request.copied.spec["containers"][0]) if request.copied else container
    container |= {"name": CONTAINER, "image": request.image, **_limits(request, security)}
    mounts = list(container.get("volumeMounts") or ())
    if not has_pause(request.image):
        container["command"] = _pause_command(request, security)
        mounts.append({"name": _VOLUME, "mountPath": FOLDER, "readOnly": True})
    if request.tools:
        mounts.append({"name": _TOOLS_VOLUME, "mountPath": TOOLS, "readOnly": True})
    if security.files:
        # What is mounted on the node later is seen too.
        mounts.append({"name": "host", "mountPath": "/host", "mountPropagation": "HostToContainer"})
    if mounts:
        container["volumeMounts"] = mounts
    own = {**({} if request.keep else {MARK: request.name}), **request.env}
    if security.container.get("runAsNonRoot") and not (request.like or request.copied):
        own = {"HOME": "/tmp"} | own  # noqa: S108  # a user without a name has / for a home
    theirs = [variable for variable in container.get("env") or () if variable["name"] not in own]
    if env := [*theirs, *({"name": name, "value": value} for name, value in own.items())]:
        container["env"] = env
    return customized(container, request)


def _pause_command(request: Request, security: Security) -> list[str]:
    command = [f"{FOLDER}/pause", "-t", str(request.lifetime)]
    # In the process namespace of a node, or of several containers, there are always others.
    spec = request.copied.spec if request.copied else {}
    others = security.host or spec.get("shareProcessNamespace") or spec.get("hostPID")
    return command if request.keep or others else [*command, "-i", str(IDLE)]


def _tools_container(request: Request, security: Security) -> Json:
    """Copies the programs of another image; they have to be static to run beside ours."""
    # busybox has each tool as a link to itself, which cp would make a copy of.
    place = f"{TOOLS}/bin"
    copy = (
        f"mkdir {place} && if [ -x /bin/busybox ]; then cp /bin/busybox {place}/ && "
        f"{place}/busybox --install -s {place}; else cp -RP /bin/. {place}/; fi"
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
