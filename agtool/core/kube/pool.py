"""Connections to an API server: those that are kept and shared, and what another one needs."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agtool.core.kube.access import Access, Identity
from agtool.core.kube.proxy import Proxy, proxy_of
from agtool.core.kube.tunnel import socket_options

if TYPE_CHECKING:
    from urllib3 import PoolManager


@dataclass(frozen=True)
class WebSocketSettings:
    """What a WebSocket to the API server needs.

    Attributes:
        url: wss://... or ws://..., without a path.
        headers: as `Name: value`; a name may come twice. They hold secrets.
        tls: for wss.
        server_name: for SNI and the certificate's check, where it is not the URL's host.
        proxy: to go through.
        identity: what the headers and tls show; see `Session.renew`.
    """

    url: str
    headers: list[str] = field(repr=False)
    tls: ssl.SSLContext
    server_name: str | None
    proxy: Proxy | None
    identity: Identity | None = field(default=None, repr=False)


def make_pool(access: Access, connections: int) -> PoolManager:
    """The official client's pool, with proxies as it finds them, and one TLS context for all."""
    import urllib3
    from kubernetes.client.rest import RESTClientObject

    access.configuration.connection_pool_maxsize = connections
    access.configuration.socket_options = socket_options()
    pool = RESTClientObject(access.configuration).pool_manager
    for name in ("ca_certs", "ca_cert_data", "cert_file", "key_file", "cert_reqs"):
        pool.connection_pool_kw.pop(name, None)
    pool.connection_pool_kw["ssl_context"] = access.tls
    if access.tls.verify_mode is ssl.CERT_NONE:
        # The kubeconfig says insecure-skip-tls-verify; kubectl does not warn at each request.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return pool


def proxy_before(access: Access) -> Proxy | None:
    """The proxy that the pool goes through, for a connection of one's own."""
    from kubernetes.client.rest import should_bypass_proxies

    configuration = access.configuration
    if should_bypass_proxies(configuration.host, configuration.no_proxy or ""):
        return None
    return proxy_of(
        configuration.proxy, configuration.proxy_headers, configuration.proxy_ssl_context
    )
