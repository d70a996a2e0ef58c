"""The objects of a cluster, with as few rights as will do: what may not be read is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from agtool.core.finding import Finding
from agtool.core.kube.errors import ForbiddenError, NotFoundError
from agtool.le_staging.cluster.objects import Name, Parent, name_of, parents, served

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

_LISTED = {
    ("networking.k8s.io", "v1"): {"ingresses": "Ingress"},
    ("gateway.networking.k8s.io", "v1"): {
        "gateways": "Gateway",
        "listenersets": "ListenerSet",
        "httproutes": "HTTPRoute",
        "grpcroutes": "GRPCRoute",
        "tlsroutes": "TLSRoute",
    },
    ("cert-manager.io", "v1"): {
        "certificates": "Certificate",
        "certificaterequests": "CertificateRequest",
    },
    ("acme.cert-manager.io", "v1"): {"orders": "Order", "challenges": "Challenge"},
}
"""API group and version -> resource -> kind."""

RBAC = """\
# The rights that `agtool le-staging verify --from-cluster -A` needs. For one namespace make it a
# Role. Rules for APIs that the cluster does not have do no harm. Without the last rule Secrets
# are not checked.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: agtool-le-staging
rules:
  - apiGroups: [networking.k8s.io]
    resources: [ingresses]
    verbs: [list]
  - apiGroups: [gateway.networking.k8s.io]
    resources: [gateways, listenersets, httproutes, grpcroutes, tlsroutes]
    verbs: [get, list]
  - apiGroups: [cert-manager.io]
    resources: [certificates, certificaterequests]
    verbs: [list]
  - apiGroups: [acme.cert-manager.io]
    resources: [orders, challenges]
    verbs: [list]
  - apiGroups: [""]
    resources: [secrets]
    verbs: [get]
"""


class Found(NamedTuple):
    """What was read.

    Attributes:
        objects: as they are, Secrets apart.
        secrets: those that the objects name; None: it may not be read. Missing ones are missing.
        warnings: what could not be read.
    """

    objects: list[dict[str, Any]]
    secrets: dict[Name, dict[str, Any] | None]
    warnings: list[Finding]


def read(session: Session, namespace: str | None) -> Found:
    """All of it; namespace: None for all of them.

    Raises UnreachableError and others as `Session` does, but not for a missing right or API.
    """
    objects: list[dict[str, Any]] = []
    warnings: list[Finding] = []
    place = f"/namespaces/{namespace}" if namespace else ""
    for (group, version), resources in _LISTED.items():
        for resource, kind in resources.items():
            try:
                # Of a list's items the API server leaves out what they are.
                head = {"apiVersion": f"{group}/{version}", "kind": kind}
                path = f"/apis/{group}/{version}{place}/{resource}"
                objects += [{**head, **item} for item in session.pages(path)]
            except NotFoundError:
                continue
            except ForbiddenError as error:
                warnings.append(error.finding())
    tried = {Parent(str(thing["kind"]), name_of(thing)) for thing in objects}
    while missing := parents(objects) - tried:  # a ListenerSet elsewhere has a Gateway of its own
        tried |= missing
        for kind, (elsewhere, name) in sorted(missing):
            place = f"/apis/gateway.networking.k8s.io/v1/namespaces/{elsewhere}"
            try:
                objects.append(session.get(f"{place}/{kind.lower()}s/{name}"))
            except (NotFoundError, ForbiddenError) as error:
                warnings.append(error.finding())
    secrets = _secrets(session, {one.secret for one in served(objects) if one.secret}, warnings)
    return Found(objects, secrets, warnings)


def _secrets(
    session: Session, names: set[Name], warnings: list[Finding]
) -> dict[Name, dict[str, Any] | None]:
    found: dict[Name, dict[str, Any] | None] = {}
    for namespace, name in sorted(names):
        try:
            path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
            found[namespace, name] = session.get(path)
        except NotFoundError:
            continue
        except ForbiddenError as error:
            found[namespace, name] = None
            warnings.append(error.finding())
    return found


def of_manifests(documents: list[dict[str, Any]]) -> Found:
    """The same from manifests; a Secret that is not among them cannot be checked."""
    secrets: dict[Name, dict[str, Any] | None] = {
        name_of(one): one for one in documents if one.get("kind") == "Secret"
    }
    objects = [one for one in documents if one.get("kind") != "Secret"]
    for one in served(objects):
        if one.secret:
            secrets.setdefault(one.secret, None)
    return Found(objects, secrets, [])
