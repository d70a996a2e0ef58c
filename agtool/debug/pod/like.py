"""What a debug pod takes over from a workload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agtool.core.errors import UsageError
from agtool.debug.model import Json, Like, parse_name

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

KINDS = {
    "pod": ("/api/v1", "pods"),
    "deployment": ("/apis/apps/v1", "deployments"),
    "statefulset": ("/apis/apps/v1", "statefulsets"),
    "daemonset": ("/apis/apps/v1", "daemonsets"),
    "replicaset": ("/apis/apps/v1", "replicasets"),
    "job": ("/apis/batch/v1", "jobs"),
}
_SHORT = {"po": "pod", "deploy": "deployment", "sts": "statefulset", "ds": "daemonset"}
_SHORT |= {"rs": "replicaset"} | {f"{kind}s": kind for kind in KINDS}

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
    "dnsPolicy",
    "dnsConfig",
    "runtimeClassName",
)
_OF_CONTAINER = ("env", "envFrom", "volumeMounts")

_TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  # a path


def parse_workload(option: str, text: str) -> tuple[str, str]:
    """`deployment/web` -> kind and name; without a kind it is a pod.

    Raises:
        UsageError: another kind, or no name.
    """
    kind, slash, name = text.rpartition("/")
    kind = kind.lower() if slash else "pod"
    kind = _SHORT.get(kind, kind)
    if kind not in KINDS:
        raise UsageError(
            f"{option} {text!r} is no workload", hint=f"KIND/NAME; a KIND is {', '.join(KINDS)}."
        )
    parse_name(option, name)
    return kind, name


def read_like(
    session: Session, namespace: str, text: str, container: str | None
) -> tuple[Like, Json]:
    """What a workload's pods have, and the owner that keeps its controllers off our pod.

    A controller adopts a pod that has its labels and no controller. Ours gets one that does
    nothing: the service account that it runs as.

    Raises:
        UsageError: no such kind of workload, or it has no such container.
        NotFoundError: no such workload.
        DeniedError: no permission to read it, or the service account.
    """
    kind, name = parse_workload("--like", text)
    group, resource = KINDS[kind]
    workload = session.get(f"{group}/namespaces/{namespace}/{resource}/{name}")
    like = like_of(f"{kind}/{name}", workload, container)
    account = like.pod.get("serviceAccountName", "default")
    found = session.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}")
    owner = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "name": account,
        "uid": found["metadata"]["uid"],
        "controller": True,
    }
    return like, owner


def like_of(what: str, workload: Json, container: str | None) -> Like:
    """What the pods of a workload have that ours needs to be treated like them."""
    is_pod = workload.get("kind") == "Pod" or "template" not in workload["spec"]
    template = workload if is_pod else workload["spec"]["template"]
    spec = template["spec"]
    main = main_container(template, container, what)
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
    pod["volumes"] = [volume for volume in spec.get("volumes") or () if volume["name"] in used]
    labels = template.get("metadata", {}).get("labels") or {}
    return Like(
        what=what,
        labels={key: value for key, value in labels.items() if key not in _OF_CONTROLLERS},
        container={name: value for name, value in taken.items() if value},
        pod={name: value for name, value in pod.items() if value not in ([], {})},
        user=user_of(spec, main),
        dropped=[mount["mountPath"] for mount in mounts if mount["name"] not in names],
    )


def main_container(pod: Json, wanted: str | None, what: str) -> Json:
    """A pod's container: the one wanted, else the one that it calls its main one, else the first.

    Raises:
        UsageError: it has no such container.
    """
    containers: list[Json] = pod["spec"]["containers"]
    annotations = pod.get("metadata", {}).get("annotations") or {}
    usual = annotations.get("kubectl.kubernetes.io/default-container")
    names = [container["name"] for container in containers]
    if wanted and wanted not in names:
        raise UsageError(f"{what} has no container {wanted!r}", hint=f"It has: {', '.join(names)}.")
    name = wanted or (usual if usual in names else names[0])
    return containers[names.index(name)]


def user_of(spec: Json, container: Json) -> int | None:
    """The user id that a container runs as, if its pod says."""
    for context in (container.get("securityContext"), spec.get("securityContext")):
        user: Any = (context or {}).get("runAsUser")
        if user is not None:
            return int(user)
    return None
