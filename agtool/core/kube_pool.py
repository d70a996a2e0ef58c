"""Connections to an API server, kept and shared."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from agtool.core.errors import ConfigurationError
from agtool.core.kube_access import Access

if TYPE_CHECKING:
    from urllib3 import PoolManager


def make_pool(access: Access, connections: int) -> PoolManager:
    """The official client's pool, with proxies as it finds them, and one TLS context for all."""
    import urllib3
    from kubernetes.client import ApiClient

    access.configuration.connection_pool_maxsize = connections
    access.configuration.socket_options = _socket_options()
    try:
        pool = ApiClient(access.configuration).rest_client.pool_manager
    except ImportError as error:
        raise ConfigurationError(
            "a SOCKS proxy needs a Python package that is missing",
            hint="Install it: pip install PySocks",
        ) from error
    for name in ("ca_certs", "ca_cert_data", "cert_file", "key_file", "cert_reqs"):
        pool.connection_pool_kw.pop(name, None)
    pool.connection_pool_kw["ssl_context"] = access.tls
    if access.tls.verify_mode is ssl.CERT_NONE:
        # The kubeconfig says insecure-skip-tls-verify; kubectl does not warn at each request.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return pool


def _socket_options() -> list[tuple[int, int, int]]:
    """Keep-alive, so that a watch notices within a minute that a firewall forgot it."""
    options = [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ]
    for name, seconds in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), seconds))
    return options
