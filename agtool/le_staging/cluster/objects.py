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
        *(one for listening in _listening(objects).values() for one in _own_hosts(listening)),
        *_routes(objects),
    ]
    secrets = {one.secret for one in found}
    for thing in _of(objects, CERTIFICATE):
        secret = secret_of(thing)
        if secret not in secrets:
            source = f"certificate {'/'.join(name_of(thing))}"
            spec = _mapping(thing.get("spec"))
            hosts = [*_texts(spec.get("dnsNames")), *_texts(spec.get("ipAddresses"))]
            hosts = hosts or _texts([spec.get("commonName")])
            found += [Served(host, 443, source, secret) for host in hosts]
    distinct = {(one.host, one.port, one.secret): one for one in reversed(found)}
    return list(reversed(distinct.values()))


INGRESS = "Ingress.networking.k8s.io"
GATEWAY = "Gateway.gateway.networking.k8s.io"
LISTENER_SET = "ListenerSet.gateway.networking.k8s.io"
ROUTES = [f"{kind}.gateway.networking.k8s.io" for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute")]
CERTIFICATE = "Certificate.cert-manager.io"


def secret_of(certificate: Json) -> Name | None:
    """The Secret of cert-manager's Certificate."""
    name = _mapping(certificate.get("spec")).get("secretName")
    return (name_of(certificate)[0], str(name)) if name else None


class Parent(NamedTuple):
    """What a route or a ListenerSet belongs to; kind: Gateway or ListenerSet."""

    kind: str
    name: Name


def parents(objects: Iterable[Json]) -> set[Parent]:
    """Those that routes and ListenerSets name, which may be in other namespaces."""
    found = {parent for route in _of(objects, *ROUTES) for parent, _ in _parents(route)}
    return found | {_gateway_of(thing) for thing in _of(objects, LISTENER_SET)}


def _of(objects: Iterable[Json], *kinds: str) -> Iterator[Json]:
    return (thing for thing in objects if kind_of(thing) in kinds)


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
    """A listener of a Gateway or a ListenerSet that ends TLS."""

    name: str
    host: str
    port: int
    secret: Name | None


class _Listening(NamedTuple):
    """What such an object has, and the addresses of its Gateway."""

    source: str
    listeners: list[_Listener]
    addresses: tuple[str, ...]


def _listening(objects: Sequence[Json]) -> dict[Parent, _Listening]:
    gateways = {name_of(thing): thing for thing in _of(objects, GATEWAY)}
    found = {}
    for thing in _of(objects, GATEWAY, LISTENER_SET):
        own, kind = name_of(thing), str(thing["kind"])
        gateway = own if kind == "Gateway" else _gateway_of(thing).name
        source = f"{kind.lower()} {'/'.join(own)}"
        addresses = _addresses(gateways.get(gateway, {}))
        found[Parent(kind, own)] = _Listening(source, _listeners(thing), addresses)
    return found


def _gateway_of(listener_set: Json) -> Parent:
    namespace, _ = name_of(listener_set)
    parent = _mapping(_mapping(listener_set.get("spec")).get("parentRef"))
    return Parent("Gateway", (str(parent.get("namespace") or namespace), str(parent.get("name"))))


def _listeners(thing: Json) -> list[_Listener]:
    namespace, _ = name_of(thing)
    found = []
    for listener in _mappings(_mapping(thing.get("spec")).get("listeners")):
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


def _own_hosts(listening: _Listening) -> Iterator[Served]:
    source, listeners, addresses = listening
    for listener in listeners:
        if listener.host:
            yield Served(listener.host, listener.port, source, listener.secret, addresses)


def _parents(route: Json) -> Iterator[tuple[Parent, str]]:
    namespace, _ = name_of(route)
    for parent in _mappings(_mapping(route.get("spec")).get("parentRefs")):
        kind = parent.get("kind", "Gateway")
        if kind in {"Gateway", "ListenerSet"} and parent.get("name"):
            name = (str(parent.get("namespace") or namespace), str(parent["name"]))
            yield Parent(str(kind), name), str(parent.get("sectionName") or "")


def _routes(objects: Sequence[Json]) -> Iterator[Served]:
    listening = _listening(objects)
    for route in _of(objects, *ROUTES):
        source = f"{str(route['kind']).lower()} {'/'.join(name_of(route))}"
        hosts = _texts(_mapping(route.get("spec")).get("hostnames"))
        for parent, section in _parents(route):
            if parent not in listening:
                continue
            _, listeners, addresses = listening[parent]
            for listener in listeners:
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
