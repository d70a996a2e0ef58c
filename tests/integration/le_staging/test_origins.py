"""The certificates that well-known software makes for itself, named as it names them, and served.

The names are those that the software's sources or its documentation have.
"""

from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509

from agtool.le_staging.verify import target
from agtool.le_staging.verify.checker import Checker, Report
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.look import How
from tests.integration.le_staging.conftest import Authority, as_root
from tests.servers import tls
from tests.servers.certificates import Issued, issue

NAME = "shop.test"


class Kind(NamedTuple):
    """A kind of certificate.

    Attributes:
        ca: the names of the CAs, the root first; empty: the certificate is self-signed.
        leaf: the name of the certificate.
        code, told, cure: what has to be said.
        more: extensions of the leaf.
    """

    ca: tuple[str, ...]
    leaf: str
    code: str
    told: str
    cure: str
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()


STEP = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.37476.9000.64.1"), b"\x30\0")

KINDS = {
    "ingress-nginx": Kind(
        (),
        "O=Acme Co,CN=Kubernetes Ingress Controller Fake Certificate",
        "self-signed",
        "ingress-nginx",
        "tls:",
    ),
    "HAProxy Ingress": Kind(
        (),
        "O=Acme Co,CN=Kubernetes Ingress Controller Fake Certificate",
        "self-signed",
        "HAProxy Ingress",
        "tls:",
    ),
    "Traefik": Kind((), "CN=TRAEFIK DEFAULT CERT", "self-signed", "Traefik", "Secret"),
    "NGINX": Kind((), "CN=NGINXIngressController", "self-signed", "NGINX Ingress", "Secret"),
    "Kong": Kind(
        (),
        "C=US,ST=California,L=San Francisco,O=Kong,OU=IT Department,CN=localhost",
        "self-signed",
        "Kong",
        "SNIs",
    ),
    "nginx-proxy": Kind(
        (),
        "CN=letsencrypt-nginx-proxy-companion",
        "self-signed",
        "acme-companion",
        "LETSENCRYPT_HOST",
    ),
    "Nginx Proxy Manager": Kind(
        (),
        "O=Nginx Proxy Manager,OU=Dummy Certificate,CN=localhost",
        "self-signed",
        "Nginx Proxy Manager",
        "proxy host",
    ),
    "anybody": Kind((), f"CN={NAME}", "self-signed", "no CA has issued it", "ACME client"),
    "cert-manager": Kind(
        ("O=cert-manager,CN=cert-manager.local",),
        f"CN={NAME}",
        "temporary-certificate",
        "cert-manager",
        "kubectl describe",
    ),
    "NixOS": Kind(
        ("CN=minica root ca 4f3a1c",),
        f"CN={NAME}",
        "temporary-certificate",
        "NixOS",
        "journalctl",
    ),
    "OpenShift's router": Kind(
        ("CN=ingress-operator@1636389644",),
        "CN=*.apps.ocp.test",
        "default-certificate",
        "OpenShift's router",
        "spec.defaultCertificate",
    ),
    "HAProxy's chart": Kind(
        ("CN=kubernetes-ingress-ca",),
        "CN=haproxy.ingress",
        "default-certificate",
        "HAProxy Kubernetes Ingress Controller",
        "tls:",
    ),
    "Caddy": Kind(
        ("CN=Caddy Local Authority - 2026 ECC Root", "CN=Caddy Local Authority - ECC Intermediate"),
        "",
        "private-ca",
        "Caddy",
        "tls internal",
    ),
    "mkcert": Kind(
        ("O=mkcert development CA,OU=ada@laptop (Ada),CN=mkcert ada@laptop (Ada)",),
        "O=mkcert development certificate,OU=ada@laptop (Ada)",
        "private-ca",
        "mkcert",
        "ACME server",
    ),
    "k3s": Kind(
        ("CN=k3s-server-ca@1766981001",), "O=k3s,CN=k3s", "private-ca", "k3s", "API server"
    ),
    "RKE2": Kind(
        ("CN=rke2-server-ca@1771329750",), "CN=kube-apiserver", "private-ca", "RKE2", "API server"
    ),
    "minikube": Kind(
        ("CN=minikubeCA",), "O=system:masters,CN=minikube", "private-ca", "minikube", "API server"
    ),
    "kubeadm": Kind(
        ("CN=kubernetes",), "CN=kube-apiserver", "private-ca", "a cluster's own CA", "API server"
    ),
    "Talos": Kind(
        ("O=kubernetes",), "CN=kube-apiserver", "private-ca", "a cluster's own CA", "API server"
    ),
    "k0s": Kind(
        ("CN=kubernetes-ca",), "CN=kubernetes", "private-ca", "a cluster's own CA", "API server"
    ),
    "a kubelet": Kind(
        ("CN=node-1-ca@1766981001",), "CN=node-1@1766981001", "private-ca", "Kubernetes", "port"
    ),
    "Istio": Kind(("O=cluster.local",), "", "private-ca", "Istio", "gateway"),
    "Linkerd": Kind(
        ("CN=root.linkerd.cluster.local", "CN=identity.linkerd.cluster.local"),
        "CN=web.shop.serviceaccount.identity.linkerd.cluster.local",
        "private-ca",
        "Linkerd",
        "gateway",
    ),
    "step-ca": Kind(
        ("O=Shop,CN=Shop Root CA", "O=Shop,CN=Shop Intermediate CA"),
        f"CN={NAME}",
        "private-ca",
        "step-ca",
        "fetch --url",
        ((STEP, False),),
    ),
    "Cloudflare Gateway": Kind(
        ("O=Cloudflare\\, Inc.,CN=Gateway CA - Cloudflare Managed G1 1234",),
        f"CN={NAME}",
        "private-ca",
        "a proxy of your network",
        "another network",
    ),
    "mitmproxy": Kind(
        ("CN=mitmproxy,O=mitmproxy",), f"CN={NAME}", "private-ca", "on this machine", "off"
    ),
    "the staging environment until 2021": Kind(
        ("CN=Fake LE Root X1", "CN=Fake LE Intermediate X1"),
        f"CN={NAME}",
        "retired-root",
        "Fake LE Root X1",
        "new certificate",
    ),
    "a look-alike of a staging root": Kind(
        ("C=US,O=(STAGING) Internet Security Research Group,CN=(STAGING) Pretend Pear X1",),
        f"CN={NAME}",
        "unknown-root",
        "look-alike of (STAGING) Pretend Pear X1",
        "Find out who",
    ),
    "a look-alike below an intermediate": Kind(
        ("O=ISRG,CN=(STAGING) Yonder Yam Root YR", "O=Let's Encrypt,CN=(STAGING) YR1"),
        f"CN={NAME}",
        "unknown-root",
        "look-alike of (STAGING) Yonder Yam Root YR",
        "Find out who",
    ),
    "a look-alike of a public root": Kind(
        ("C=US,O=Internet Security Research Group,CN=ISRG Root X1", "CN=R12"),
        f"CN={NAME}",
        "unknown-root",
        "look-alike of ISRG Root X1",
        "Find out who",
    ),
}


def named(text: str) -> x509.Name:
    """A name as openssl prints it, the country first."""
    return x509.Name(reversed(list(x509.Name.from_rfc4514_string(text)))) if text else x509.Name([])


def made(kind: Kind) -> Issued:
    """A certificate of that kind, for shop.test."""
    ca = None
    for name in kind.ca:
        ca = issue(ca, None, ca=True, subject=named(name), days=(-1, 900))
    return issue(ca, None, names=[NAME], subject=named(kind.leaf), more=kind.more)


def seen(folder: Path, leaf: Issued, sent: tuple[x509.Certificate, ...], staging: Issued) -> Report:
    """What `verify` says of it."""
    context = tls.tls_context(folder, leaf, sent)
    with tls.Listener(tls.https(context)) as server:
        override = target.parse_connect_to(f"::127.0.0.1:{server.port}")
        how = How((as_root(staging),), overrides=(override,))
        return Checker(how).check(target.parse(NAME, 443))


@pytest.mark.usefixtures("data_home", "public_roots")
@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_each_is_told_by_its_own_name(kind: Kind, staging: Authority, tmp_path: Path) -> None:
    """With the root, and as far as servers send it: without."""
    leaf = made(kind)
    for number, sent in enumerate({leaf.chain, (leaf.certificate, *leaf.above)}):
        report = seen(tmp_path / str(number), leaf, sent, staging.root)
        assert report.verdict is Verdict.failed
        first = report.problems[0]
        assert first.code == kind.code, first
        assert kind.told in first.message
        assert kind.cure in first.hint
        assert "Chrome may" not in first.hint


@pytest.mark.usefixtures("data_home", "public_roots")
@pytest.mark.parametrize(
    "name", ["CN=Kongsberg CA", "CN=Acme Kubernetes", "CN=my-cluster.local", "O=Consulting CA"]
)
def test_another_ca_is_not_taken_for_one_of_them(
    name: str, staging: Authority, tmp_path: Path
) -> None:
    leaf = made(Kind((name,), f"CN={NAME}", "", "", ""))
    report = seen(tmp_path, leaf, leaf.chain, staging.root)
    assert report.problems[0].code == "incomplete-chain"
