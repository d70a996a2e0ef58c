"""What cert-manager says of certificates that it has not issued yet. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from agtool.core.finding import Finding
from agtool.le_staging.cluster.objects import CERTIFICATE, Json, Name, kind_of, name_of, secret_of

REQUEST = "CertificateRequest.cert-manager.io"
ORDER = "Order.acme.cert-manager.io"
CHALLENGE = "Challenge.acme.cert-manager.io"


def unfinished(objects: Sequence[Json]) -> dict[Name, Finding]:
    """By their Secret, the Certificates that are not ready, with the reason as far as it is told.

    It goes from the Certificate by its newest CertificateRequest and the Order to the Challenges.
    One that was never in a cluster, as in git, says nothing of what cert-manager does.
    """
    found: dict[Name, Finding] = {}
    for certificate in objects:
        secret = secret_of(certificate) if kind_of(certificate) == CERTIFICATE else None
        ready = _condition(certificate, "Ready")
        if secret is None or ready.get("status") == "True" or not _was_in_a_cluster(certificate):
            continue
        told = [_said(ready), *_below(certificate, objects)]
        name = "/".join(name_of(certificate))
        reasons = "; ".join(filter(None, told)) or "it has not begun, or cert-manager does not run"
        found[secret] = Finding(
            "not-issued",
            f"cert-manager has not issued certificate {name}: {reasons}",
            f"kubectl -n {secret[0]} describe certificate,certificaterequest,order,challenge",
        )
    return found


def _was_in_a_cluster(thing: Json) -> bool:
    # The API server gives everything its uid; who writes a manifest has neither of both.
    return bool(_part(thing, "status") or _part(thing, "metadata").get("uid"))


def _below(certificate: Json, objects: Sequence[Json]) -> Iterator[str]:
    namespace, name = name_of(certificate)
    own = [
        thing
        for thing in objects
        if kind_of(thing) == REQUEST
        and name_of(thing)[0] == namespace
        and _annotations(thing).get("cert-manager.io/certificate-name") == name
    ]
    if not own:
        return
    request = max(own, key=lambda thing: str(_part(thing, "metadata").get("creationTimestamp")))
    if said := _said(_condition(request, "Ready")):
        yield f"its request: {said}"
    for order in _owned(objects, ORDER, request):
        status = _part(order, "status")
        if status.get("state") not in {"valid", None}:
            yield f"its order is {status['state']}" + _because(status)
        for challenge in _owned(objects, CHALLENGE, order):
            status = _part(challenge, "status")
            host = _part(challenge, "spec").get("dnsName")
            yield f"the challenge for {host} is {status.get('state') or 'new'}{_because(status)}"


def _owned(objects: Sequence[Json], kind: str, owner: Json) -> Iterator[Json]:
    namespace, name = name_of(owner)
    for thing in objects:
        if kind_of(thing) == kind and name_of(thing)[0] == namespace:
            owners = _part(thing, "metadata").get("ownerReferences")
            listed = owners if isinstance(owners, list) else []
            if any(isinstance(one, dict) and one.get("name") == name for one in listed):
                yield thing


def _condition(thing: Json, kind: str) -> dict[str, Any]:
    listed = _part(thing, "status").get("conditions")
    for condition in listed if isinstance(listed, list) else []:
        if isinstance(condition, dict) and condition.get("type") == kind:
            return condition
    return {}


def _said(condition: dict[str, Any]) -> str:
    return str(condition.get("message") or condition.get("reason") or "").rstrip(".")


def _because(status: dict[str, Any]) -> str:
    return f" ({str(status['reason']).rstrip('.')})" if status.get("reason") else ""


def _annotations(thing: Json) -> dict[str, Any]:
    found = _part(thing, "metadata").get("annotations")
    return found if isinstance(found, dict) else {}


def _part(thing: Json, name: str) -> dict[str, Any]:
    found = thing.get(name)
    return found if isinstance(found, dict) else {}
