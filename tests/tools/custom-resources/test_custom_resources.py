"""`le-staging verify --from-cluster` with cert-manager's and the Gateway API's own definitions."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.cluster.api import Api, define
from tests.cluster.server import Server
from tests.conftest import needed
from tests.e2e.conftest import Done
from tests.e2e.le_staging.conftest import site
from tests.e2e.le_staging.site import Site, hosts_of
from tests.e2e.le_staging.test_cluster import create, verify
from tests.e2e.le_staging.test_manifests import codes, listener_set, secret, shared_gateway
from tests.tools.installed import installed

__all__ = ["site", "verify"]

pytestmark = pytest.mark.kubernetes

ISSUER = {"issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer", "group": "cert-manager.io"}}
PENDING = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-01T00:00:00Z"}


@pytest.fixture
def api(control_plane: Server) -> Iterator[Api]:
    """Give the test's own session, with all kinds defined."""
    with needed():
        files = sorted(installed("custom-resources").glob("*.yaml"))
    with control_plane.connect() as api:
        for file in files:
            for thing in yaml.safe_load_all(file.read_text()):
                if thing and thing["kind"] == "CustomResourceDefinition":
                    define(api, thing)
        yield api


def owned(thing: dict[str, Any], owner: str) -> dict[str, Any]:
    """The object, which another one owns."""
    reference = {"apiVersion": thing["apiVersion"], "kind": "Owner", "name": owner, "uid": owner}
    return {**thing, "metadata": {**thing["metadata"], "ownerReferences": [reference]}}


def issuing() -> list[dict[str, Any]]:
    """What cert-manager has made while a challenge fails."""
    own, acme = "cert-manager.io/v1", "acme.cert-manager.io/v1"
    request = {
        "apiVersion": own,
        "kind": "CertificateRequest",
        "metadata": {"name": "web-1", "annotations": {"cert-manager.io/certificate-name": "web"}},
        "spec": {**ISSUER, "request": "Zm9v"},
        "status": {"conditions": [{**PENDING, "reason": "Pending", "message": "Waiting on order"}]},
    }
    order = {
        "apiVersion": acme,
        "kind": "Order",
        "metadata": {"name": "web-1-1"},
        "spec": {**ISSUER, "request": "Zm9v", "dnsNames": ["shop.test"]},
        "status": {"state": "pending", "url": "https://acme.test/order"},
    }
    challenge = {
        "apiVersion": acme,
        "kind": "Challenge",
        "metadata": {"name": "web-1-1-1"},
        "spec": {
            **ISSUER,
            "authorizationURL": "https://acme.test/authz",
            "url": "https://acme.test/challenge",
            "dnsName": "shop.test",
            "type": "HTTP-01",
            "token": "t",
            "key": "k",
            "solver": {"http01": {"ingress": {"ingressClassName": "nginx"}}},
        },
        "status": {
            "processing": True,
            "presented": True,
            "state": "pending",
            "reason": "wrong status code '404', expected '200'",
        },
    }
    return [
        {
            "apiVersion": own,
            "kind": "Certificate",
            "metadata": {"name": "web"},
            "spec": {**ISSUER, "secretName": "web-tls", "dnsNames": ["shop.test"]},
            "status": {"conditions": [{**PENDING, "reason": "Issuing", "message": "Issuing it"}]},
        },
        request,
        owned(order, "web-1"),
        owned(challenge, "web-1-1"),
    ]


def test_a_certificate_that_is_not_issued(
    site: Site, api: Api, control_plane_namespace: str, verify: Callable[..., Done]
) -> None:
    create(api, control_plane_namespace, *issuing())
    (host,) = hosts_of(verify(*site.to("shop.test"), "-o", "json"))
    assert "not-issued" in codes(host)
    message = next(p["message"] for p in host["problems"] if p["code"] == "not-issued")
    for part in ("Issuing it", "Waiting on order", "order is pending", "wrong status code '404'"):
        assert part in message


def test_listeners_of_another_namespace_s_gateway(
    site: Site, api: Api, control_plane_namespace: str, verify: Callable[..., Done]
) -> None:
    """The Gateway is in a namespace that is not looked at, and read there."""
    api.post("/api/v1/namespaces", {"metadata": {"name": "infra"}})
    create(api, "infra", shared_gateway())
    leaf = site.issuer.leaf("*.late.test")
    listeners, route = listener_set("late", "late-tls", site.server.port)
    del route["spec"]["rules"]  # of GRPCRoutes it may be left out
    create(api, control_plane_namespace, listeners, route, secret("late-tls", leaf))
    done = verify("-o", "json")
    found = {host["target"]: host for host in hosts_of(done)}
    assert set(found) == {"*.late.test", "api.late.test"}, done.stderr
    for host in found.values():
        assert (host["address"], host["port"]) == ("127.0.0.1", site.server.port)
        assert host["stored"]["verdict"] == "STAGING"
        assert set(codes(host)) == {"wrong-name", "not-reloaded"}
