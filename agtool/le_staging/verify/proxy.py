"""Through an HTTP proxy to a host: which proxy, and its CONNECT (RFC 9110, 9.3.6)."""

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from agtool.core.errors import ConfigurationError
from agtool.core.ready import readable
from agtool.core.text import printable
from agtool.le_staging.verify.connect import NoTls, seconds_left
from agtool.le_staging.verify.target import join

_LONGEST_ANSWER = 64 * 1024
"""Bytes of an answer's head, for a proxy that talks without end."""


class Proxy(NamedTuple):
    """An HTTP proxy. authorization: the value of Proxy-Authorization; empty: none."""

    host: str
    port: int
    authorization: str = ""


class Proxies(NamedTuple):
    """The proxy to use, and the hosts for which it is not (NO_PROXY)."""

    proxy: Proxy | None = None
    exceptions: tuple[str, ...] = ()

    def for_host(self, host: str) -> Proxy | None:
        """The proxy for a host or an address; None: connect directly."""
        if self.proxy and any(_is_meant(one, host) for one in self.exceptions):
            return None
        return self.proxy


class Tunnel(NamedTuple):
    """Where a proxy is to connect to."""

    proxy: Proxy
    host: str
    port: int


def choose(url: str | None, *, https: bool, environment: Mapping[str, str] = os.environ) -> Proxies:
    """The proxies as of `--proxy` or, without it, of the environment, as curl has it.

    url: as given; "" for none at all. https: whether the hosts are asked for HTTPS and not for
    mail and the like, for which HTTPS_PROXY does not count. Raises ConfigurationError.
    """
    source = "--proxy"
    if url is None:
        names = ("https_proxy", "HTTPS_PROXY") if https else ()
        set_ones = [name for name in (*names, "all_proxy", "ALL_PROXY") if environment.get(name)]
        if not set_ones:
            return Proxies()
        source = set_ones[0]
        url = environment[source]
    if not url:
        return Proxies()
    listed = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    return Proxies(_parse(url, source), tuple(one for one in re.split(r"[,\s]+", listed) if one))


def _parse(url: str, source: str) -> Proxy:
    import base64
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or (80 if "://" in url else 1080)
    except ValueError:
        parts, host, port = urlsplit(""), None, 0
    if parts.scheme != "http" or not host:
        kind = f"{parts.scheme}://" if host else "it"
        raise ConfigurationError(
            f"{source} cannot be used: {kind} is not the URL of an HTTP proxy",
            hint="Write http://HOST:PORT, or use --proxy '' to connect directly.",
        )
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    if parts.username is None:
        return Proxy(host, port)
    secret = base64.b64encode(user.encode(errors="surrogateescape"))  # the environment has bytes
    return Proxy(host, port, f"Basic {secret.decode()}")


def _is_meant(exception: str, host: str) -> bool:
    if exception == "*":
        return True
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        with suppress(ValueError):
            return address in ipaddress.ip_network(exception.strip("[]"), strict=False)
        return False
    name = exception.lower().strip(".")
    return host == name or host.endswith(f".{name}")


def connect_through(tunnel: Tunnel, connection: socket.socket, deadline: float) -> None:
    """Let the proxy at the other end (non-blocking) connect to the host.

    Raises NoTls when it does not, or not before the deadline (time.monotonic()).
    """
    place = join(tunnel.host, tunnel.port)
    head = f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n"
    if tunnel.proxy.authorization:
        head += f"Proxy-Authorization: {tunnel.proxy.authorization}\r\n"
    connection.sendall(f"{head}\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        left = seconds_left(deadline, "waiting for the proxy")
        if not readable(connection, left):
            continue
        more = connection.recv(1)  # not one byte of what comes after it
        if not more or len(answer) > _LONGEST_ANSWER:
            raise _refusal(tunnel, "it closed the connection" if not more else "it talks on")
        answer += more
    status = answer.partition(b"\r\n")[0].decode(errors="replace")
    if not re.match(r"HTTP/1\.[01] 2\d\d\b", status):
        raise _refusal(tunnel, f"it says: {printable(status[:200])}")


def _refusal(tunnel: Tunnel, why: str) -> NoTls:
    proxy = join(tunnel.proxy.host, tunnel.proxy.port)
    return NoTls(
        "proxy",
        f"the proxy {proxy} does not connect to {join(tunnel.host, tunnel.port)}: {why}",
        "Check the proxy and its rules, or leave it out for this host: NO_PROXY, or --proxy ''.",
    )
