"""Certificates that well-known software makes for itself have their own names and cures."""

from typing import Any

import pytest

from agtool.le_staging.certificate import Certificate
from agtool.le_staging.verify.evidence import Evidence, Flaw
from agtool.le_staging.verify.judge import judge
from agtool.le_staging.verify.origins import same_ca
from tests.unit.le_staging.test_judge import HOST, NOW, certificate

STEP = "1.3.6.1.4.1.37476.9000.64.1"


def first_problem(leaf: Certificate, *above: Certificate, private: tuple[str, ...] = ()) -> str:
    """What is said of a chain that no root vouches for: the code and the whole text."""
    chain = (leaf, *above)
    flaw = Flaw(19 if above else 20, len(above))
    seen = Evidence(chain, chain, (flaw,), private=private)
    problem = judge(HOST, seen, {"none"}, NOW).problems[0]
    return f"{problem.code}: {problem.message} / {problem.hint}"


def leaf(issuer: str, **more: Any) -> Certificate:
    """A certificate for the host, below that issuer."""
    made = certificate("shop.test", issuer, names=("shop.test",))
    return made._replace(issuer_name=f"CN={issuer}")._replace(**more)


@pytest.mark.parametrize(
    ("issuer", "code", "told", "cure"),
    [
        ("cert-manager.local", "temporary-certificate", "cert-manager", "kubectl describe"),
        ("ingress-operator@1700000000", "default-certificate", "OpenShift's router", "Route"),
        ("Caddy Local Authority - ECC Intermediate", "private-ca", "Caddy", "tls internal"),
        ("mkcert ada@laptop (Ada)", "private-ca", "mkcert", "ACME server"),
        ("k3s-server-ca@1700000000", "private-ca", "k3s", "API server"),
        ("dynamiclistener-ca@1700000000", "private-ca", "Rancher", "tls.source"),
        ("minikubeCA", "private-ca", "minikube", "API server"),
        ("kubernetes", "private-ca", "cluster's own CA", "API server"),
        ("kube-apiserver-lb-signer", "private-ca", "OpenShift", "router"),
        ("openshift-service-serving-signer@1", "private-ca", "OpenShift", "router"),
        ("Smallstep Intermediate CA", "private-ca", "step-ca", "fetch --url"),
        ("Zscaler Intermediate Root CA (zscaler.net)", "private-ca", "proxy", "another network"),
    ],
)
@pytest.mark.parametrize("sent", [False, True])
def test_by_the_name_of_their_ca(
    issuer: str, code: str, told: str, cure: str, *, sent: bool
) -> None:
    above = [certificate(issuer, issuer)._replace(issuer_name=f"CN={issuer}")] if sent else []
    said = first_problem(leaf(issuer), *above)
    assert said.startswith(f"{code}: ")
    assert told in said
    assert cure in said
    assert "fullchain.pem" not in said
    assert "Chrome" not in said


def test_mkcert_by_its_organisation() -> None:
    name = "OU=ada@laptop,O=mkcert development CA"
    assert "mkcert" in first_problem(leaf("?", issuer_name=name))


def test_cloudflare_s_origin_has_no_common_name() -> None:
    name = "OU=CloudFlare Origin SSL Certificate Authority,O=CloudFlare\\, Inc."
    assert first_problem(leaf(name, issuer_name=name)).startswith("private-ca: Cloudflare")


def test_step_ca_by_its_extension_whatever_it_is_called() -> None:
    said = first_problem(leaf("ACME Corp Intermediate CA", extensions=(STEP,)))
    assert said.startswith("private-ca: step-ca")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("TRAEFIK DEFAULT CERT", "Traefik"),
        ("Kubernetes Ingress Controller Fake Certificate", "ingress-nginx"),
        ("NGINXIngressController", "NGINX Ingress Controller"),
    ],
)
def test_default_certificates_also_below_a_ca_of_that_name(name: str, told: str) -> None:
    said = first_problem(leaf(name))
    assert said.startswith("self-signed: ")
    assert told in said


def test_a_chain_that_is_incomplete_is_still_told_as_such() -> None:
    with_url = leaf("R12", issuer_urls=("http://r12.i.lencr.org/",))
    said = first_problem(with_url)
    assert said.startswith("incomplete-chain: ")
    assert "Chrome may open the page all the same" in said
    said = first_problem(leaf("ACME Corp CA"))
    assert said.startswith("incomplete-chain: ")
    assert "Chrome" not in said
    assert "fetch --url" in said


def test_a_private_ca_whose_root_was_fetched_lacks_its_intermediate() -> None:
    for issuer, root in (
        ("Caddy Local Authority - ECC Intermediate", "Caddy Local Authority - 2026 ECC Root"),
        ("Smallstep Intermediate CA", "Smallstep Root CA"),
    ):
        assert same_ca(issuer, root)
        said = first_problem(leaf(issuer), private=(root,))
        assert said.startswith("incomplete-chain: ")
    assert not same_ca("Smallstep Intermediate CA", "Pebble Root CA 123")
