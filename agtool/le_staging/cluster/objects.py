"""Which hosts Kubernetes objects serve with TLS, where, and from which Secret. Pure.

Whoever writes a manifest can write anything: what has another form than it should is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Json = Mapping[str, Any]

Name = tuple[str, str]
"""Namespace and name."""


class Served(NamedTuple):
    """A host that an object serves with TLS.

    Attributes:
        source: the object, as in `ingress shop/web`.
        secret: where its certificate is stored; None: nobody says so.
        addresses: of its load balancer, also names; none: DNS knows.
    """

    host: str
    port: int
    source: str
    secret: Name | None
    addresses: tuple[str, ...] = ()


def name_of(thing: Json) -> Name:
    """The namespace and the name of an object; "default" where a manifest has none."""
    metadata = _mapping(thing.get("metadata"))
    return str(metadata.get("namespace") or "default"), str(metadata.get("name") or "")


def kind_of(thing: Json) -> str:
    """Its kind with its API group, as `Ingress.networking.k8s.io`."""
    group, slash, _ = str(thing.get("apiVersion", "")).partition("/")
    return f"{thing.get('kind')}.{group}" if slash else str(thing.get("kind"))


def served(objects: Sequence[Json]) -> list[Served]:
    """The hosts, each once for each port and Secret."""
    found = [
        *(one for thing in _of(objects, INGRESS) for one in _ingress(thing)),
        *(one for thing in _of(objects, GATEWAY) for one in _gateway(thing)),
        *_routes(objects),
    ]
    secrets = {one.secret for one in found}
    for thing in _of(objects, CERTIFICATE):
        secret = secret_of(thing)
        if secret not in secrets:
            source = f"certificate {'/'.join(name_of(thing))}"
            hosts = _texts(_mapping(thing.get("spec")).get("dnsNames"))
            found += [Served(host, 443, source, secret) for host in hosts]
    distinct = {(one.host, one.port, one.secret): one for one in reversed(found)}
    return list(reversed(distinct.values()))


INGRESS = "Ingress.networking.k8s.io"
GATEWAY = "Gateway.gateway.networking.k8s.io"
ROUTE = "HTTPRoute.gateway.networking.k8s.io"
CERTIFICATE = "Certificate.cert-manager.io"


def secret_of(certificate: Json) -> Name | None:
    """The Secret of cert-manager's Certificate."""
    name = _mapping(certificate.get("spec")).get("secretName")
    return (name_of(certificate)[0], str(name)) if name else None


def parents(objects: Iterable[Json]) -> set[Name]:
    """The Gateways that HTTPRoutes name, which may be in other namespaces."""
    return {gateway for route in _of(objects, ROUTE) for gateway, _ in _parents(route)}


def _of(objects: Iterable[Json], kind: str) -> Iterator[Json]:
    return (thing for thing in objects if kind_of(thing) == kind)


def _ingress(thing: Json) -> Iterator[Served]:
    namespace, name = name_of(thing)
    spec = _mapping(thing.get("spec"))
    balancer = _mapping(_mapping(thing.get("status")).get("loadBalancer"))
    addresses = tuple(
        str(point.get("ip") or point.get("hostname"))
        for point in _mappings(balancer.get("ingress"))
        if point.get("ip") or point.get("hostname")
    )
    ruled = [str(rule["host"]) for rule in _mappings(spec.get("rules")) if rule.get("host")]
    for tls in _mappings(spec.get("tls")):
        secret = (namespace, str(tls["secretName"])) if tls.get("secretName") else None
        for host in _texts(tls.get("hosts")) or ruled:
            yield Served(host, 443, f"ingress {namespace}/{name}", secret, addresses)


class _Listener(NamedTuple):
    """A listener of a Gateway that ends TLS."""

    name: str
    host: str
    port: int
    secret: Name | None


def _listeners(gateway: Json) -> list[_Listener]:
    namespace, _ = name_of(gateway)
    found = []
    for listener in _mappings(_mapping(gateway.get("spec")).get("listeners")):
        tls = _mapping(listener.get("tls"))
        if listener.get("protocol") not in {"HTTPS", "TLS"} or tls.get("mode") == "Passthrough":
            continue
        secret = None
        for reference in _mappings(tls.get("certificateRefs"))[:1]:
            secret = (str(reference.get("namespace") or namespace), str(reference.get("name")))
        port = listener.get("port")
        host = str(listener.get("hostname") or "")
        number = port if isinstance(port, int) and 0 < port < 65536 else 443
        found.append(_Listener(str(listener.get("name")), host, number, secret))
    return found


def _addresses(gateway: Json) -> tuple[str, ...]:
    listed = _mappings(_mapping(gateway.get("status")).get("addresses"))
    return tuple(str(address["value"]) for address in listed if address.get("value"))


def _gateway(thing: Json) -> Iterator[Served]:
    source, addresses = f"gateway {'/'.join(name_of(thing))}", _addresses(thing)
    for listener in _listeners(thing):
        if listener.host:
            yield Served(listener.host, listener.port, source, listener.secret, addresses)


def _parents(route: Json) -> Iterator[tuple[Name, str]]:
    namespace, _ = name_of(route)
    for parent in _mappings(_mapping(route.get("spec")).get("parentRefs")):
        if parent.get("kind", "Gateway") == "Gateway" and parent.get("name"):
            gateway = (str(parent.get("namespace") or namespace), str(parent["name"]))
            yield gateway, str(parent.get("sectionName") or "")


def _routes(objects: Sequence[Json]) -> Iterator[Served]:
    gateways = {name_of(thing): thing for thing in _of(objects, GATEWAY)}
    for route in _of(objects, ROUTE):
        source = f"httproute {'/'.join(name_of(route))}"
        hosts = _texts(_mapping(route.get("spec")).get("hostnames"))
        for gateway, section in _parents(route):
            if gateway not in gateways:
                continue
            addresses = _addresses(gateways[gateway])
            for listener in _listeners(gateways[gateway]):
                if section in {"", listener.name}:
                    for host in hosts:
                        if _within(host, listener.host):
                            port, secret = listener.port, listener.secret
                            yield Served(host, port, source, secret, addresses)


def _within(host: str, listener: str) -> bool:
    """Whether a listener's hostname, which may be a wildcard, takes a route's."""
    wild = listener.startswith("*.") and host.endswith(listener[1:])
    return not listener or host == listener or wild


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
