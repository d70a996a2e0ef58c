"""What a debug pod takes over from a workload."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.kube.errors import NotFoundError
from agtool.debug.model import DEFAULT_CONTAINER, Like, Workload
from agtool.debug.pod.unlike import differences

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session

PATHS = {
    "pod": ("/api/v1", "pods"),
    "deployment": ("/apis/apps/v1", "deployments"),
    "statefulset": ("/apis/apps/v1", "statefulsets"),
    "daemonset": ("/apis/apps/v1", "daemonsets"),
    "replicaset": ("/apis/apps/v1", "replicasets"),
    "job": ("/apis/batch/v1", "jobs"),
    "cronjob": ("/apis/batch/v1", "cronjobs"),
    "rollout": ("/apis/argoproj.io/v1alpha1", "rollouts"),
}
"""Where a workload of each kind is in the API: the group and the resource."""

_OF_CONTROLLERS = {
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
}
"""Labels by which a controller knows its own pods."""

_OF_POD = (
    "serviceAccountName",
    "automountServiceAccountToken",
    "imagePullSecrets",
    "securityContext",
    "nodeSelector",
    "tolerations",
    "hostAliases",
    "hostNetwork",
    "hostname",
    "subdomain",
    "setHostnameAsFQDN",
    "priorityClassName",
    "schedulerName",
    "dnsPolicy",
    "dnsConfig",
    "runtimeClassName",
)
_OF_CONTAINER = ("env", "envFrom", "volumeMounts", "workingDir")

_OF_ONE_POD = re.compile(
    r"kubectl\.kubernetes\.io/|agtool/|kubernetes\.io/(config|limit-ranger|psp)|cni\."
    r"|openshift\.io/scc|k8s\.v1\.cni\.cncf\.io/network-status|.*/status$"
)
"""Annotations that were written by a tool or a controller about one object."""

_TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  # a path


def read_like(session: Session, namespace: str, workload: Workload, container: str | None) -> Like:
    """What a workload's pods have.

    Raises:
        UsageError: it has no such container.
        NotFoundError: no such workload.
        DeniedError: no permission to read it.
        ConfigurationError: its pods are those of something that is no workload.
    """
    found = get_workload(session, namespace, workload)
    other = found["spec"].get("workloadRef") if workload.kind == "rollout" else None
    if other:
        # Its pods are those of another workload, a Deployment mostly.
        kind = other["kind"].lower()
        if kind not in PATHS:
            raise ConfigurationError(
                f"{workload} has its pods from {other['kind']} {other['name']}, which agtool does "
                "not read",
                hint="Name one of its pods: --like pod/NAME",
            )
        return read_like(session, namespace, Workload(kind, other["name"]), container)
    return like_of(workload, found, container)


def get_workload(session: Session, namespace: str, workload: Workload) -> Json:
    """A workload as it is. Raises NotFoundError, DeniedError."""
    group, resource = PATHS[workload.kind]
    try:
        return session.get(f"{group}/namespaces/{namespace}/{resource}/{workload.name}")
    except NotFoundError as error:
        if workload.kind == "rollout" and "does not know" in error.message:
            raise NotFoundError(
                f"there is no {workload}: this cluster has no rollouts",
                hint="Argo Rollouts is not installed in it. Check --context, or name another kind.",
            ) from error
        raise


def idle_controller(session: Session, namespace: str, like: Like) -> Json:
    """A reference to an object that is there and does nothing: the service account.

    A controller adopts a pod that has its labels and no controller.

    Raises:
        DeniedError: no permission to read the service account.
    """
    account = like.pod.get("serviceAccountName", "default")
    found = session.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}")
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "name": account,
        "uid": found["metadata"]["uid"],
        "controller": True,
    }


def like_of(workload: Workload, found: Json, container: str | None) -> Like:
    """What the pods of a workload have that ours needs to be treated like them."""
    template = template_of(workload, found)
    spec = template["spec"]
    main = main_container(template, container, str(workload))
    names = {volume["name"] for volume in spec.get("volumes") or ()}
    mounts = [
        mount
        for mount in main.get("volumeMounts") or ()
        if mount["mountPath"] != _TOKEN_FOLDER  # each pod gets one of its own
    ]
    kept = [mount for mount in mounts if mount["name"] in names]
    used = {mount["name"] for mount in kept}
    taken = {name: main[name] for name in _OF_CONTAINER if main.get(name)}
    taken["volumeMounts"] = kept
    pod = {name: spec[name] for name in _OF_POD if spec.get(name) is not None}
    affinity = dict(spec.get("affinity") or {})
    affinity.pop("podAntiAffinity", None)
    pod["affinity"] = affinity
    pod["volumes"] = [volume for volume in spec.get("volumes") or () if volume["name"] in used]
    labels = template.get("metadata", {}).get("labels") or {}
    return Like(
        labels={key: value for key, value in labels.items() if key not in _OF_CONTROLLERS},
        container={name: value for name, value in taken.items() if value},
        pod={name: value for name, value in pod.items() if value not in ([], {})},
        user=user_of(spec, main),
        group=group_of(spec, main),
        annotations=lasting(template.get("metadata", {}).get("annotations") or {}),
        differences=differences(spec, main),
        dropped=[mount["mountPath"] for mount in mounts if mount["name"] not in names],
    )


def template_of(workload: Workload, found: Json) -> Json:
    """The pods of a workload: metadata and spec."""
    if workload.kind == "pod":
        return found
    spec: Json = found["spec"]
    if workload.kind == "cronjob":
        spec = spec["jobTemplate"]["spec"]
    template: Json = spec["template"]
    return template


def lasting(annotations: Json) -> Json:
    """Those of a pod's annotations that are not about it alone."""
    return {key: value for key, value in annotations.items() if not _OF_ONE_POD.match(key)}


def main_container(pod: Json, wanted: str | None, name: str, besides: Sequence[Json] = ()) -> Json:
    """A pod's container: the one wanted, else the one that it calls its main one, else the first.

    Args:
        besides: more of its containers, of which one may be wanted.

    Raises:
        UsageError: it has no such container.
    """
    containers: list[Json] = [*pod["spec"]["containers"], *besides]
    annotations = pod.get("metadata", {}).get("annotations") or {}
    usual = annotations.get(DEFAULT_CONTAINER)
    names = [container["name"] for container in containers]
    if wanted and wanted not in names:
        raise UsageError(
            f"{name} has no container {wanted!r}", hint=f"Choose one of: {', '.join(names)}."
        )
    return containers[names.index(wanted or (usual if usual in names else names[0]))]


def sidecars(pod: Json) -> list[Json]:
    """The init containers of a pod that run beside the others, and are started again (KEP-753)."""
    every = (pod.get("spec") or {}).get("initContainers") or ()
    return [one for one in every if one.get("restartPolicy") == "Always"]


def user_of(spec: Json, container: Json) -> int | None:
    """The user id that a container runs as, if its pod says."""
    return _of_context(spec, container, "runAsUser")


def group_of(spec: Json, container: Json) -> int | None:
    """The group id that a container runs as, likewise."""
    return _of_context(spec, container, "runAsGroup")


def _of_context(spec: Json, container: Json, field: str) -> int | None:
    for context in (container.get("securityContext"), spec.get("securityContext")):
        value: Any = (context or {}).get(field)
        if value is not None:
            return int(value)
    return None
