"""The proxy before an API server: whether there is one, and the log-in that it wants.

The official client finds it, but neither logs in nor has kubectl's exceptions.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from agtool.core.errors import ConfigurationError

if TYPE_CHECKING:
    from kubernetes.client import Configuration

_SCHEMES = {"http", "https", "socks5", "socks5h", "socks4", "socks4a"}


@dataclass(frozen=True)
class Proxy:
    """A proxy that makes tunnels.

    Attributes:
        scheme: http, https, socks5h and so on.
        headers: with the log-in that it wants, a secret; of SOCKS none.
        user, password: those of SOCKS.
        tls: for the way to an https proxy; else None.
    """

    scheme: str
    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


def proxy_of(
    url: str | None, headers: dict[str, str] | None, tls: ssl.SSLContext | None
) -> Proxy | None:
    """What `settle_proxy` has settled on, for a connection of one's own; None: no proxy."""
    if not url:
        return None
    parts = urlsplit(url)
    ports = {"http": 80, "https": 443}
    return Proxy(
        parts.scheme,
        parts.hostname or "",
        parts.port or ports.get(parts.scheme, 1080),
        headers or {},
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        tls,
    )


def settle_proxy(configuration: Configuration, own: str | None) -> None:
    """Set the proxy to the one that kubectl would use, with its log-in as a header.

    Args:
        own: proxy-url of the kubeconfig. NO_PROXY is not for that one; and a proxy of the
            environment is not for what listens on this machine (golang.org/x/net/http/httpproxy).

    Raises:
        ConfigurationError: it is not a proxy's URL. The message does not show it: it may hold a
            password.
    """
    if own:
        configuration.no_proxy = None
    elif configuration.proxy and _on_this_machine(configuration.host):
        configuration.proxy = None
    if configuration.proxy:
        configuration.proxy, configuration.proxy_headers = read_proxy(configuration.proxy)
        if configuration.proxy.startswith("https:"):
            # As kubectl: also one that the cluster's own authority vouches for.
            configuration.proxy_ssl_context = context = ssl.create_default_context()
            if configuration.ssl_ca_cert:
                context.load_verify_locations(configuration.ssl_ca_cert)
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT


def read_proxy(text: str) -> tuple[str, dict[str, str] | None]:
    """A proxy's URL without its log-in, and the header for that. SOCKS has it in its URL.

    Raises:
        ConfigurationError: it is not such a URL.
    """
    url = text if "://" in text else f"http://{text}"  # as Go and curl take it
    parts = _parts(url)
    if parts is None:
        raise ConfigurationError(
            "the URL of the proxy before the API server is not valid",
            hint="Check proxy-url in the kubeconfig and the environment variable HTTPS_PROXY. It "
            "is like http://USER:PASSWORD@HOST:PORT; in a password write # as %23, / as %2F.",
        )
    if parts.scheme.startswith("socks"):
        # The proxy resolves the name, as with kubectl: behind it, there may be others than here.
        return url.replace("socks5:", "socks5h:", 1), None
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if not parts.username:
        return address, None
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    basic = f"Basic {b64encode(login.encode()).decode()}"
    return address, {"Proxy-Authorization": basic}


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.scheme in _SCHEMES and parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _on_this_machine(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
