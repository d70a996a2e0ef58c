"""A workload in the cluster, its pods, and the rights that it takes to see and ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from agtool.core.errors import ConfigurationError
from agtool.migrate_once.workload import Wanted

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session

_OWNED = Callable[["Json"], bool]

_PLACES = {
    "Deployment": ("apps", "v1", "deployments"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
    "DaemonSet": ("apps", "v1", "daemonsets"),
    "ReplicaSet": ("apps", "v1", "replicasets"),
    "Job": ("batch", "v1", "jobs"),
    "CronJob": ("batch", "v1", "cronjobs"),
    "Rollout": ("argoproj.io", "v1alpha1", "rollouts"),
    "Pod": ("", "v1", "pods"),
}
"""API group, version and resource of each kind."""

_HASHES = ("pod-template-hash", "rollouts-pod-template-hash")
"""Labels with which a ReplicaSet of a Deployment, or of a Rollout, ends its name."""


class NoPodsError(ConfigurationError):
    """The workload is there and has no pods."""

    code = "no-pods"


class Found(NamedTuple):
    """A workload.

    Attributes:
        workload: such as Deployment/shop.
        pods: its own, the oldest first.
        path: of the pods of its namespace in the API.
    """

    workload: str
    pods: list[Json]
    path: str


def find(session: Session, wanted: Wanted) -> Found:
    """Its pods, as they are now.

    Raises:
        NotFoundError: there is no such object, or the cluster does not know its kind.
        NoPodsError
        ForbiddenError, UnreachableError and others: as Session does.
    """
    group, version, resource = _PLACES[wanted.kind.name]
    pods = f"/api/v1/namespaces/{session.namespace}/pods"
    if wanted.kind.name == "Pod":
        return Found(str(wanted), [session.get(f"{pods}/{wanted.name}")], pods)
    api = f"/apis/{group}/{version}/namespaces/{session.namespace}"
    workload = session.get(f"{api}/{resource}/{wanted.name}")
    if wanted.kind.name == "CronJob":
        uid = workload["metadata"]["uid"]
        jobs = {
            job["metadata"]["uid"]
            for job in session.pages(f"{api}/jobs")
            if _controller(job).get("uid") == uid
        }
        selector = "batch.kubernetes.io/job-name"
        own: _OWNED = lambda pod: _controller(pod).get("uid") in jobs  # noqa: E731
    else:
        selector = _selector(workload)
        own = _ownership(workload)
    found = [pod for pod in session.pages(pods, labelSelector=selector) if own(pod)]
    if not found:
        raise _no_pods(wanted, workload, session.namespace)
    return Found(str(wanted), sorted(found, key=_age), pods)


def _selector(workload: Json) -> str:
    """The labels of its pods, as the API takes them in a query."""
    selector = (workload.get("spec") or {}).get("selector") or {}
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        key, values = each["key"], ",".join(each.get("values") or ())
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[each["operator"]]
        )
    # A Rollout whose pods another object describes has no selector of its own.
    return ",".join(parts) or str((workload.get("status") or {}).get("selector") or "")


def _ownership(workload: Json) -> _OWNED:
    """Whether a pod that the selector finds is really its own: others may have the same labels."""
    name, uid = workload["metadata"]["name"], workload["metadata"]["uid"]

    def own(pod: Json) -> bool:
        controller = _controller(pod)
        if controller.get("uid") == uid:
            return True
        # By a ReplicaSet between them, which need not be read: its name has the workload's.
        labels = pod["metadata"].get("labels") or {}
        made = {f"{name}-{labels[label]}" for label in _HASHES if label in labels}
        return controller.get("kind") == "ReplicaSet" and controller.get("name") in made

    return own


def _controller(item: Json) -> Json:
    owners = item["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), {})


def _age(pod: Json) -> tuple[str, str]:
    return pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]


def _no_pods(wanted: Wanted, workload: Json, namespace: str) -> NoPodsError:
    """Why there are none, if the workload says it."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    refused = [
        condition.get("message") or condition.get("reason") or ""
        for condition in status.get("conditions") or ()
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True"
    ]
    where = f"{wanted} in namespace {namespace} has no pods"
    if refused:
        return NoPodsError(f"{where}: {refused[0]}", hint="Correct its manifest.")
    if spec.get("replicas") == 0:
        return NoPodsError(f"{where}: it is scaled to 0", hint="Scale it up, and ask again.")
    if spec.get("suspend"):
        return NoPodsError(f"{where}: it is suspended")
    kind = wanted.kind.name.lower()
    return NoPodsError(
        where, hint=f"Its events say why: kubectl describe {kind} {wanted.name} -n {namespace}"
    )


def rights(wanted: Wanted, namespace: str | None) -> str:
    """A Role with what `status` needs for this workload, as a manifest."""
    lines = [
        f"# The rights that `agtool migrate-once status {wanted}` needs.",
        "apiVersion: rbac.authorization.k8s.io/v1",
        "kind: Role",
        "metadata:",
        "  name: agtool-migrate-once-status",
        *([f"  namespace: {namespace}"] if namespace else []),
        "rules:",
    ]
    for group, resource, verbs, names in _rules(wanted):
        lines += [f'  - apiGroups: ["{group}"]', f"    resources: [{resource}]"]
        lines += [f"    resourceNames: [{names}]"] if names else []
        lines += [f"    verbs: [{verbs}]"]
    return "\n".join(lines)


def _rules(wanted: Wanted) -> Iterator[tuple[str, str, str, str]]:
    """API group, resource, verbs, and the only name; empty: of all."""
    group, _, resource = _PLACES[wanted.kind.name]
    yield group, resource, "get", wanted.name
    if wanted.kind.name == "CronJob":
        yield group, "jobs", "list", ""
    alone = wanted.kind.name == "Pod"
    if not alone:
        yield "", "pods", "list", ""
    # Up to Kubernetes 1.34 exec over a WebSocket is a matter of `get`, from 1.35 on of `create`.
    yield "", "pods/exec", "get, create", wanted.name if alone else ""
