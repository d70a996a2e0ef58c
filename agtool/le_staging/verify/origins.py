"""Certificates that well-known software makes for itself, pure: by their names, and their cures.

None of these comes from an ACME server, so that advice about chains and renewals would not help.
The names are those that the software gives: no proof, but a verdict does not rest on them.
"""

import re
from typing import NamedTuple

from agtool.core.finding import Finding
from agtool.le_staging.certificate import Certificate


class _Origin(NamedTuple):
    """A kind of certificate.

    Attributes:
        issuer: a pattern at the beginning of the common name of the CA on top, or of a part of
            its whole name.
        code, what, cure: of the finding.
        extension: an object identifier that the leaf has, whatever the CA is called.
    """

    issuer: str
    code: str
    what: str
    cure: str
    extension: str = ""


_CLUSTER = (
    "Check the port and the address: the API server of the cluster answers there, and not the "
    "Ingress or the Gateway."
)

_ORIGINS = (
    _Origin(
        r"cert-manager\.local",
        "temporary-certificate",
        "the server sends the temporary certificate that cert-manager makes until the real one "
        "is issued",
        "See why it is not issued yet: kubectl describe certificate,certificaterequest,order,"
        "challenge. If it is, the server has not reloaded the Secret.",
    ),
    _Origin(
        r"ingress-operator@",
        "default-certificate",
        "the server sends the default certificate of OpenShift's router: the Route has none of "
        "its own",
        "Give the Route or Ingress a certificate, or the IngressController another one "
        "(spec.defaultCertificate).",
    ),
    _Origin(
        r"Caddy Local Authority",
        "private-ca",
        "Caddy's internal CA has issued the certificate, since Caddy did not ask an ACME server",
        "Caddy does so for localhost, internal names and addresses, and with `tls internal`: "
        "name the site by its public name, and leave out `tls internal`.",
    ),
    _Origin(
        r"mkcert ",
        "private-ca",
        "mkcert has issued the certificate: only the machine on which it was installed trusts it",
        "Let the server use a certificate of the ACME server instead.",
    ),
    _Origin(r"k3s-(server|client)-ca", "private-ca", "k3s has issued the certificate", _CLUSTER),
    _Origin(
        r"dynamiclistener-ca|dynamic-ca",
        "private-ca",
        "Rancher's dynamiclistener has issued the certificate",
        "Give Rancher a certificate (tls.source of its Helm chart), or check the port.",
    ),
    _Origin(r"minikubeCA", "private-ca", "minikube has issued the certificate", _CLUSTER),
    _Origin(
        r"kubernetes$", "private-ca", "a cluster's own CA has issued the certificate", _CLUSTER
    ),
    _Origin(r"10\.152\.183\.1$", "private-ca", "MicroK8s has issued the certificate", _CLUSTER),
    _Origin(
        r"(openshift|kube-apiserver|kube-control-plane|service-serving)[-a-z]*signer",
        "private-ca",
        "OpenShift has issued the certificate for services of the cluster",
        "Check the port and the address: the API server or a Service answers there. Names of "
        "Routes are served by the router.",
    ),
    _Origin(
        r"(CloudFlare|Cloudflare) Origin",
        "private-ca",
        "Cloudflare has issued the certificate for its own proxies (Origin CA): no client trusts "
        "it",
        "Let the name lead to Cloudflare's proxy, or use a certificate of the ACME server.",
    ),
    _Origin(
        r"Zscaler|Netskope|Fortinet|FortiGate|Sophos|Blue Coat|goskope",
        "private-ca",
        "a proxy of your network has replaced the certificate by one of its own",
        "Check from another network, or let the proxy leave out this host.",
    ),
    _Origin(
        r"[^,]*step-ca|Smallstep",
        "private-ca",
        "step-ca has issued the certificate, whose root has not been fetched",
        "If it is your own ACME CA: agtool le-staging fetch --url https://CA/roots.pem "
        "--fingerprint SHA256, with what `step certificate fingerprint root_ca.crt` prints.",
        extension="1.3.6.1.4.1.37476.9000.64.1",
    ),
)


def origin(leaf: Certificate, top: Certificate) -> Finding | None:
    """What is known of where a certificate that no root vouches for comes from.

    top: the last certificate of its path.
    """
    for kind in _ORIGINS:
        pattern = rf"(?:^|[,=])(?:{kind.issuer})"
        if re.search(pattern, top.issuer) or re.search(pattern, top.issuer_name):
            return Finding(kind.code, f"{kind.what} ({top.issuer})", kind.cure)
    for kind in _ORIGINS:
        if kind.extension and kind.extension in leaf.extensions:
            return Finding(kind.code, f"{kind.what} ({top.issuer})", kind.cure)
    return None


def same_ca(one: str, other: str) -> bool:
    """Whether two names are of an intermediate and the root of one CA, as far as names tell."""
    return _family(one) == _family(other)


def _family(name: str) -> str:
    return re.split(r"(?:\s*-\s.*)?\s+(?:Root|Intermediate)\b", name, maxsplit=1)[0].lower()
