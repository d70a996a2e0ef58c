"""`verify --from-manifests`: hosts and Secrets of manifests, in CI, without a cluster."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.e2e.conftest import Done
from tests.e2e.le_staging.site import OFFLINE, Site, hosts_of
from tests.servers.certificates import Issued, root, to_pem


def secret(name: str, issued: Issued, **entries: str) -> dict[str, Any]:
    """A Secret with its chain and key."""
    data = {"tls.crt": to_pem(*issued.chain), "tls.key": issued.key_pem} | entries
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": "shop"},
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
    }


def ingress(name: str, host: str, secret_name: str, address: str = "") -> dict[str, Any]:
    """An Ingress with TLS for a host."""
    made: dict[str, Any] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "rules": [{"host": host}],
            "tls": [{"hosts": [host], "secretName": secret_name}],
        },
    }
    if address:
        made["status"] = {"loadBalancer": {"ingress": [{"ip": address}]}}
    return made


def gateway(host: str, secret_name: str, port: int) -> list[dict[str, Any]]:
    """A Gateway with a listener for a wildcard, and a route for a host."""
    group = "gateway.networking.k8s.io/v1"
    listener = {
        "name": "web",
        "protocol": "HTTPS",
        "hostname": f"*.{host.partition('.')[2]}",
        "port": port,
        "tls": {"certificateRefs": [{"name": secret_name}]},
    }
    plain = {"name": "plain", "protocol": "HTTP", "port": 80}
    return [
        {
            "apiVersion": group,
            "kind": "Gateway",
            "metadata": {"name": "gate", "namespace": "shop"},
            "spec": {"listeners": [plain, listener]},
            "status": {"addresses": [{"type": "IPAddress", "value": "127.0.0.1"}]},
        },
        {
            "apiVersion": group,
            "kind": "HTTPRoute",
            "metadata": {"name": "route", "namespace": "shop"},
            "spec": {"hostnames": [host, "elsewhere.org"], "parentRefs": [{"name": "gate"}]},
        },
    ]


def listener_set(name: str, secret_name: str, port: int, kind: str = "GRPCRoute") -> list[Any]:
    """Listeners that somebody adds to the Gateway of another namespace, and a route to them."""
    api = {"apiVersion": "gateway.networking.k8s.io/v1"}
    meta = {"name": name, "namespace": "shop"}
    listener = {
        "name": "web",
        "protocol": "HTTPS" if kind != "TLSRoute" else "TLS",
        "hostname": f"*.{name}.test",
        "port": port,
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": secret_name}]},
    }
    parent = {"name": "shared", "namespace": "infra"}
    owner = {"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": name}
    names = {"parentRefs": [owner], "hostnames": [f"api.{name}.test"]}
    backend: dict[str, Any] = {"rules": [{"backendRefs": [{"name": "api", "port": 80}]}]}
    return [
        {
            **api,
            "kind": "ListenerSet",
            "metadata": meta,
            "spec": {"parentRef": parent, "listeners": [listener]},
        },
        {**api, "kind": kind, "metadata": meta, "spec": {**names, **backend}},
    ]


def shared_gateway() -> dict[str, Any]:
    """A Gateway without a listener that ends TLS, which has the address."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "shared", "namespace": "infra"},
        "spec": {
            "gatewayClassName": "any",
            "listeners": [{"name": "plain", "protocol": "HTTP", "port": 80}],
        },
        "status": {"addresses": [{"type": "IPAddress", "value": "127.0.0.1"}]},
    }


def verify(site: Site, folder: Path, objects: list[dict[str, Any]], *arguments: str) -> Done:
    """Check these manifests."""
    file = folder / "all.yaml"
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return site.le_staging("verify", "--from-manifests", file, *arguments)


def codes(host: dict[str, Any]) -> list[str]:
    """What is wrong."""
    return [problem["code"] for problem in host["problems"]]


def test_served_and_stored_in_one_table(site: Site, tmp_path: Path) -> None:
    site.fetch()
    objects = [secret("web-tls", site.leaf), ingress("web", "shop.test", "web-tls", "192.0.2.1")]
    done = verify(site, tmp_path, objects, *site.to("shop.test"), "-o", "json")
    (host,) = hosts_of(done)
    assert (done.exit_code, codes(host)) == (0, [])
    assert (host["source"], host["stored"]["verdict"]) == ("ingress shop/web", "STAGING")
    assert host["stored"]["stored"] == host["presented"]
    done = verify(site, tmp_path, objects, *site.to("shop.test"))
    words = done.stdout.split()
    assert words[:6] == ["shop.test", "STAGING", "stored", "STAGING", "ingress", "shop/web"]


@pytest.mark.parametrize(("days", "told"), [((-0.5, 60.0), "newer"), ((-20.0, 30.0), "older")])
def test_what_is_served_is_not_what_is_stored(
    site: Site, tmp_path: Path, days: tuple[float, float], told: str
) -> None:
    """The Secret was renewed, and the controller has not reloaded it; or a replica is stale."""
    site.fetch()
    issuer = site.issuer
    objects = [
        secret("web-tls", issuer.leaf("shop.test", days=days)),
        ingress("web", "shop.test", "web-tls"),
    ]
    done = verify(site, tmp_path, objects, *site.to("shop.test"), "-o", "json")
    (host,) = hosts_of(done)
    assert (done.exit_code, codes(host)) == (1, ["not-reloaded"])
    assert host["verdict"] == "STAGING"
    assert told in host["problems"][0]["message"]


def test_another_issuer_a_bad_secret_and_a_missing_one(site: Site, tmp_path: Path) -> None:
    site.fetch()
    other = root("Other Root").leaf("shop.test")
    for stored, expected in (
        ([secret("web-tls", other)], {"incomplete-chain", "not-from-secret"}),
        ([secret("web-tls", site.leaf, **{"tls.key": other.key_pem})], {"key-mismatch"}),
        ([], set()),
    ):
        objects = [*stored, ingress("web", "shop.test", "web-tls")]
        done = verify(site, tmp_path, objects, *site.to("shop.test"), "-o", "json")
        (host,) = hosts_of(done)
        assert expected <= set(codes(host)), host["problems"]
        assert done.exit_code == int(bool(expected))


def test_the_load_balancer_s_address_is_used(site: Site, tmp_path: Path) -> None:
    """Of a Gateway, whose listener has a port too; and --via another one."""
    site.fetch()
    objects = [secret("gate-tls", site.leaf), *gateway("a.shop.test", "gate-tls", site.server.port)]
    done = verify(site, tmp_path, objects, "-o", "json")
    found = {host["target"]: host for host in hosts_of(done)}
    assert list(found) == ["*.shop.test", "a.shop.test"]
    for host in found.values():
        assert (host["address"], host["port"]) == ("127.0.0.1", site.server.port)
        assert "wrong-name" in codes(host)
    assert found["*.shop.test"]["source"] == "gateway shop/gate"
    assert found["a.shop.test"]["source"] == "httproute shop/route"
    done = verify(site, tmp_path, objects, "--via", "127.0.0.9", "-o", "json")
    assert {code for host in hosts_of(done) for code in codes(host)} >= {"refused"}


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute", "TLSRoute"])
def test_listeners_that_were_added_to_a_gateway(site: Site, tmp_path: Path, kind: str) -> None:
    site.fetch()
    leaf = site.issuer.leaf("*.late.test", "shop.test")
    objects = [
        shared_gateway(),
        *listener_set("late", "late-tls", site.server.port, kind),
        secret("late-tls", leaf),
    ]
    found = {
        host["target"]: host for host in hosts_of(verify(site, tmp_path, objects, "-o", "json"))
    }
    assert set(found) == {"*.late.test", "api.late.test"}
    assert found["*.late.test"]["source"] == "listenerset shop/late"
    assert found["api.late.test"]["source"] == f"{kind.lower()} shop/late"
    for host in found.values():
        assert (host["address"], host["port"]) == ("127.0.0.1", site.server.port)
        assert host["stored"]["verdict"] == "STAGING"


@pytest.mark.parametrize(
    ("spec", "hosts"),
    [
        ({"dnsNames": ["a.test"], "ipAddresses": ["127.0.0.9"]}, ["a.test", "127.0.0.9"]),
        ({"commonName": "c.test"}, ["c.test"]),
        ({"commonName": "c.test", "dnsNames": ["a.test"]}, ["a.test"]),
        ({"uris": ["spiffe://a.test/b"]}, []),
    ],
)
def test_the_names_of_a_certificate(
    site: Site, tmp_path: Path, spec: dict[str, Any], hosts: list[str]
) -> None:
    site.fetch()
    certificate = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"secretName": "web-tls", **spec},
    }
    other = ingress("web", "shop.test", "other-tls")
    done = verify(site, tmp_path, [other, certificate], "--offline", "-o", "json")
    assert [host["target"] for host in hosts_of(done)] == ["shop.test", *hosts]


def test_offline_connects_to_none(site: Site, tmp_path: Path) -> None:
    site.fetch()
    objects = [
        secret("web-tls", site.leaf),
        ingress("web", "shop.test", "web-tls", "127.0.0.1"),
        ingress("other", "other.test", "web-tls"),
        ingress("third", "third.test", "missing"),
    ]
    before = site.server.connections
    done = verify(
        site,
        tmp_path,
        objects,
        "--offline",
        "-o",
        "json",
    )
    found = {host["target"]: codes(host) for host in hosts_of(done)}
    assert found == {
        "shop.test": [],
        "other.test": ["wrong-name"],
        "third.test": ["no-secret"],
    }
    assert done.exit_code == 1
    assert site.server.connections == before


def test_cert_manager_s_certificates(site: Site, tmp_path: Path) -> None:
    """One that is not issued yet, with the reason as far as the objects tell it."""
    site.fetch()
    meta = {"namespace": "shop"}
    objects: list[dict[str, Any]] = [
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {**meta, "name": "web"},
            "spec": {"secretName": "web-tls", "dnsNames": ["shop.test"]},
            "status": {
                "conditions": [{"type": "Ready", "status": "False", "message": "Issuing it."}]
            },
        },
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "CertificateRequest",
            "metadata": {
                **meta,
                "name": "web-1",
                "annotations": {"cert-manager.io/certificate-name": "web"},
            },
            "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Pending"}]},
        },
        {
            "apiVersion": "acme.cert-manager.io/v1",
            "kind": "Order",
            "metadata": {**meta, "name": "web-1-1", "ownerReferences": [{"name": "web-1"}]},
            "status": {"state": "pending"},
        },
        {
            "apiVersion": "acme.cert-manager.io/v1",
            "kind": "Challenge",
            "metadata": {**meta, "name": "web-1-1-1", "ownerReferences": [{"name": "web-1-1"}]},
            "spec": {"dnsName": "shop.test"},
            "status": {"state": "pending", "reason": "Waiting for HTTP-01: wrong status code 404"},
        },
    ]
    arguments = (*site.to("shop.test"), "-o", "json")
    (host,) = hosts_of(verify(site, tmp_path, objects, *arguments))
    assert host["source"] == "certificate shop/web"
    assert codes(host) == ["not-issued"]
    message = host["problems"][0]["message"]
    for part in ("shop/web", "Issuing it", "Pending", "order is pending", "status code 404"):
        assert part in message
    objects[0]["status"]["conditions"][0]["status"] = "True"
    (host,) = hosts_of(verify(site, tmp_path, objects, *arguments))
    assert codes(host) == []


def test_a_certificate_in_git_says_nothing_of_its_issuance(site: Site, tmp_path: Path) -> None:
    """Spec only; one that a cluster has had for a while without a status was not begun."""
    site.fetch()
    certificate: dict[str, Any] = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {"secretName": "web-tls", "dnsNames": ["shop.test"]},
    }
    arguments = (*site.to("shop.test"), "-o", "json")
    done = verify(site, tmp_path, [certificate], *arguments)
    (host,) = hosts_of(done)
    assert (done.exit_code, codes(host)) == (0, [])
    certificate["status"] = {}  # as generators write it
    (host,) = hosts_of(verify(site, tmp_path, [certificate], *arguments))
    assert codes(host) == []
    certificate["metadata"]["uid"] = "5d1e0c5e-0000-4000-8000-000000000001"
    (host,) = hosts_of(verify(site, tmp_path, [certificate], *arguments))
    assert codes(host) == ["not-issued"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kind: Ingress\n",
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nspec: 5\nstatus: [1]\n",
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nspec: {tls: [5, {hosts: 3}]}\n",
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nspec: {parentRefs: [x]}\n",
    ],
)
def test_manifests_that_serve_nothing(site: Site, tmp_path: Path, text: str) -> None:
    site.fetch()
    (tmp_path / "some.yaml").write_text(text)
    done = site.le_staging("verify", "--from-manifests", tmp_path / "some.yaml")
    assert done.exit_code == 3
    assert "no object serves a host with TLS" in done.stderr


def test_options_without_effect(site: Site, tmp_path: Path) -> None:
    site.fetch()
    (tmp_path / "bad.yaml").write_text("a: [")
    assert site.le_staging("verify", "--from-manifests", tmp_path / "bad.yaml").exit_code == 3
    for arguments in (
        ("shop.test", "--offline"),
        ("shop.test", "--via", "192.0.2.1"),
        ("shop.test", "-n", "shop"),
        ("shop.test", "-A"),
        ("shop.test", "--from-manifests", "-", "--offline"),
    ):
        done = site.le_staging("verify", *arguments)
        assert (done.exit_code, "no effect" in done.stderr) == (2, True), done.stderr


def test_rbac_needs_nothing(site: Site) -> None:
    done = site.le_staging("verify", "--print-rbac", **OFFLINE)
    assert (done.exit_code, done.stderr) == (0, "")
    role = yaml.safe_load(done.stdout)
    assert role["kind"] == "ClusterRole"
    verbs = {verb for rule in role["rules"] for verb in rule["verbs"]}
    assert verbs == {"get", "list"}
    assert json.dumps(role).count("secrets") == 1
