"""The proxy before an API server: whether there is one, and the log-in that it wants.

The official client finds it, but neither logs in nor has kubectl's exceptions.
"""

from __future__ import annotations

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
class HttpProxy:
    """A proxy that knows CONNECT.

    Attributes:
        headers: with the log-in that it wants, a secret.
    """

    host: str
    port: int
    headers: dict[str, str] = field(repr=False)


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
        return url, None
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
