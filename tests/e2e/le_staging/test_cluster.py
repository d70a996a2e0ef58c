"""`verify --from-cluster` against a real API server, with as few rights as it says it needs.

The kinds of the Gateway API and of cert-manager are defined by a schema that takes anything (by
their own in `make tools`): their controllers are not here, and their objects are made as those
make them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.cluster.api import Api, define
from tests.cluster.server import Server
from tests.e2e.conftest import Done
from tests.e2e.le_staging.site import Site, hosts_of
from tests.e2e.le_staging.test_manifests import codes, gateway, ingress, secret

KINDS = {
    "gateway.networking.k8s.io": {
        "gateways": "Gateway",
        "listenersets": "ListenerSet",
        "httproutes": "HTTPRoute",
        "grpcroutes": "GRPCRoute",
    },
    "cert-manager.io": {
        "certificates": "Certificate",
        "certificaterequests": "CertificateRequest",
    },
    "acme.cert-manager.io": {"orders": "Order", "challenges": "Challenge"},
}


def crd(group: str, plural: str, kind: str) -> dict[str, Any]:
    """A definition that takes any object."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": anything},
            }
        ],
    }
    # The API's own group is protected; this says that nobody has approved our copy of it.
    notes = {"api-approved.kubernetes.io": "unapproved, for tests"}
    name = f"{plural}.{group}"
    return {"metadata": {"name": name, "annotations": notes}, "spec": spec}


@pytest.fixture
def api(control_plane: Server) -> Iterator[Api]:
    """Give the test's own session, with all kinds defined."""
    with control_plane.connect() as api:
        for group, kinds in KINDS.items():
            for plural, kind in kinds.items():
                define(api, crd(group, plural, kind))
        yield api


def create(api: Api, namespace: str, *objects: dict[str, Any]) -> None:
    """Make objects, and their status, in a namespace."""
    plurals = {kind: plural for kinds in KINDS.values() for plural, kind in kinds.items()}
    plurals |= {"Ingress": "ingresses", "Secret": "secrets"}
    for thing in objects:
        group = thing["apiVersion"]
        root = f"/apis/{group}" if "/" in group else f"/api/{group}"
        path = f"{root}/namespaces/{namespace}/{plurals[thing['kind']]}"
        made = {**thing, "metadata": {**thing["metadata"], "namespace": namespace}}
        api.post(path, made)
        if "status" in thing:
            status = {"status": thing["status"]}
            api.patch(f"{path}/{thing['metadata']['name']}/status", status)


@pytest.fixture
def verify(site: Site, control_plane: Server, control_plane_namespace: str) -> Callable[..., Done]:
    """Give the function that checks the namespace."""
    site.fetch()

    def run(*arguments: str, kubeconfig: Path | None = None) -> Done:
        where = ("--kubeconfig", kubeconfig or control_plane.kubeconfig)
        return site.le_staging(
            "verify", "--from-cluster", *where, "-n", control_plane_namespace, *arguments
        )

    return run


def test_hosts_of_a_cluster(
    site: Site, api: Api, control_plane_namespace: str, verify: Callable[..., Done]
) -> None:
    renewed = site.issuer.leaf("shop.test", days=(-0.5, 60))
    create(
        api,
        control_plane_namespace,
        secret("web-tls", site.leaf),
        secret("new-tls", renewed),
        ingress("web", "shop.test", "web-tls"),
        ingress("new", "xn--bcher-kva.test", "new-tls"),
        *gateway("a.shop.test", "web-tls", site.server.port),
    )
    done = verify(*site.to("shop.test", "xn--bcher-kva.test"), "-o", "json")
    found = {host["target"]: host for host in hosts_of(done)}
    assert done.exit_code == 1, done.stderr
    assert codes(found["shop.test"]) == []
    assert found["shop.test"]["stored"]["verdict"] == "STAGING"
    assert set(codes(found["xn--bcher-kva.test"])) == {"wrong-name", "not-reloaded"}
    assert found["a.shop.test"]["address"] == "127.0.0.1"
    assert found["a.shop.test"]["port"] == site.server.port
    assert "wrong-name" in codes(found["a.shop.test"])
    done = verify("--offline", "-o", "json")
    assert {host["target"]: codes(host) for host in hosts_of(done)}["shop.test"] == []


def test_a_load_balancer_of_the_status(
    site: Site, api: Api, control_plane_namespace: str, verify: Callable[..., Done]
) -> None:
    create(
        api,
        control_plane_namespace,
        secret("web-tls", site.leaf),
        ingress("web", "shop.test", "web-tls", "127.0.0.8"),
    )
    (host,) = hosts_of(verify("-o", "json"))
    assert codes(host) == ["refused"]
    assert "127.0.0.8:443" in host["problems"][0]["message"]


def test_the_rights_that_are_printed_are_enough(
    *,
    site: Site,
    api: Api,
    control_plane: Server,
    control_plane_namespace: str,
    restricted_user: Callable[..., Path],
    verify: Callable[..., Done],
) -> None:
    create(
        api,
        control_plane_namespace,
        secret("web-tls", site.leaf),
        ingress("web", "shop.test", "web-tls"),
    )
    rules = yaml.safe_load(site.le_staging("verify", "--print-rbac").stdout)["rules"]
    user = restricted_user(control_plane, rules, control_plane_namespace)
    done = verify(*site.to("shop.test"), "-o", "json", kubeconfig=user)
    (host,) = hosts_of(done)
    assert (done.exit_code, done.stderr, codes(host)) == (0, "", [])
    assert host["stored"]

    # Each of them is needed, and what it is for is left out without it.
    for number, rule in enumerate(rules):
        fewer = [*rules[:number], *rules[number + 1 :]]
        user = restricted_user(control_plane, fewer, control_plane_namespace)
        done = verify(*site.to("shop.test"), "-o", "json", kubeconfig=user)
        assert "may not" in done.stderr, rule
        if rule["resources"] == ["ingresses"]:
            assert done.exit_code == 3
            continue
        (host,) = hosts_of(done)
        assert done.exit_code == 0
        assert (host["stored"] is None) == (rule["resources"] == ["secrets"])


def test_a_cluster_that_has_none(verify: Callable[..., Done]) -> None:
    done = verify()
    assert done.exit_code == 3
    assert "no object serves a host with TLS" in done.stderr
