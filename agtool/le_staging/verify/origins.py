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
        by_itself: the certificate is signed by itself: what it is called counts too.
    """

    issuer: str
    code: str
    what: str
    cure: str
    extension: str = ""
    by_itself: bool = False


def _default(name: str, server: str, cure: str = "") -> _Origin:
    """What a server sends while it has no certificate for a name."""
    return _Origin(
        name,
        "self-signed",
        f"the server sends the default certificate of {server}: it has none for this name",
        cure or "Check that the Ingress names this host under tls: and that its Secret exists.",
        by_itself=True,
    )


def _cluster(name: str, whose: str) -> _Origin:
    """The CA of a cluster, whose API server, kubelets and the like have its certificates."""
    return _Origin(
        name,
        "private-ca",
        f"{whose} has issued the certificate",
        "Check the port and the address: the API server of the cluster answers there, or another "
        "of its own parts, and not the Ingress or the Gateway.",
    )


def _mesh(name: str, mesh: str) -> _Origin:
    """The CA of a service mesh, whose certificates are for its proxies only."""
    return _Origin(
        name,
        "private-ca",
        f"{mesh} has issued the certificate, for connections between pods",
        "Check the port and the address: a proxy of the mesh answers there. What comes from "
        "outside goes through a gateway with a certificate of its own.",
    )


_ORIGINS = (
    _default("Kubernetes Ingress Controller Fake", "ingress-nginx or HAProxy Ingress"),
    _default("TRAEFIK DEFAULT CERT", "Traefik"),
    _default("NGINXIngressController", "NGINX Ingress Controller"),
    _default(
        "Kong,L=",
        "Kong",
        "Check that the Ingress names this host under tls:, or that Kong has a certificate with "
        "this name among its SNIs.",
    ),
    _default(
        "letsencrypt-nginx-proxy-companion",
        "nginx-proxy's acme-companion",
        "See the log of acme-companion's container, and that LETSENCRYPT_HOST names this host.",
    ),
    _default(
        "Dummy Certificate,O=Nginx Proxy Manager",
        "Nginx Proxy Manager",
        "Check that a proxy host has this name, and a certificate under SSL.",
    ),
    _Origin(
        r"cert-manager\.local",
        "temporary-certificate",
        "the server sends the temporary certificate that cert-manager makes until the real one "
        "is issued",
        "See why it is not issued yet: kubectl describe certificate,certificaterequest,order,"
        "challenge. If it is, the server has not reloaded the Secret.",
    ),
    _Origin(
        r"minica root ca",
        "temporary-certificate",
        "minica has issued the certificate, as NixOS does until the ACME server has issued the "
        "real one",
        "On NixOS see why it is not issued yet: journalctl -u 'acme-*'. Elsewhere let the server "
        "use a certificate of the ACME server.",
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
        r"kubernetes-ingress-ca",
        "default-certificate",
        "the server sends the default certificate of HAProxy Kubernetes Ingress Controller, as "
        "its Helm chart makes it: it has none for this name",
        "Check that the Ingress names this host under tls: and that its Secret exists.",
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
    _cluster(r"k3s-(server|client)-ca", "k3s"),
    _cluster(r"rke2-(server|client)-ca", "RKE2"),
    _Origin(
        r"dynamiclistener-ca|dynamic-ca",
        "private-ca",
        "Rancher's dynamiclistener has issued the certificate",
        "Give Rancher a certificate (tls.source of its Helm chart), or check the port.",
    ),
    _cluster(r"minikubeCA", "minikube"),
    _cluster(r"10\.152\.183\.1$", "MicroK8s"),
    _cluster(r"kubernetes(-ca)?$|kube-ca$", "a cluster's own CA"),
    _Origin(
        r"(openshift|kube-apiserver|kube-control-plane|service-serving)[-a-z]*signer",
        "private-ca",
        "OpenShift has issued the certificate for services of the cluster",
        "Check the port and the address: the API server or a Service answers there. Names of "
        "Routes are served by the router.",
    ),
    # As client-go makes them: of kubelets, metrics-server, extension API servers.
    _cluster(r"[^,=@]+-ca@\d+$", "a part of Kubernetes, for itself,"),
    _mesh(r"cluster\.local$", "Istio"),
    _mesh(r"(root|identity)\.linkerd\.", "Linkerd"),
    _mesh(r"Consul (Agent )?CA|[^,=]+\.consul$", "Consul"),
    _Origin(
        r"(CloudFlare|Cloudflare) Origin",
        "private-ca",
        "Cloudflare has issued the certificate for its own proxies (Origin CA): no client trusts "
        "it",
        "Let the name lead to Cloudflare's proxy, or use a certificate of the ACME server.",
    ),
    _Origin(
        r"Zscaler|Netskope|Fortinet|FortiGate|Sophos|Blue Coat|goskope|Cisco Umbrella"
        r"|Gateway CA - Cloudflare|WatchGuard|Forcepoint|Barracuda|Palo Alto",
        "private-ca",
        "a proxy of your network has replaced the certificate by one of its own",
        "Check from another network, or let the proxy leave out this host.",
    ),
    _Origin(
        r"mitmproxy|Charles Proxy|DO_NOT_TRUST_FiddlerRoot|PortSwigger|Kaspersky|ESET SSL"
        r"|[Aa]vast!? Web|Bitdefender",
        "private-ca",
        "a program on this machine has replaced the certificate by one of its own: a proxy for "
        "debugging, or a virus scanner",
        "Switch it off, or let it leave out this host.",
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
        names = [top.issuer, top.issuer_name, *([leaf.subject] if kind.by_itself else [])]
        if any(re.search(rf"(?:^|[,=])(?:{kind.issuer})", name) for name in names):
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
