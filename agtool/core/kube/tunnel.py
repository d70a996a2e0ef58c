"""A connection of one's own to an API server, through the proxy before it or not."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agtool.core.kube.proxy import Proxy

FAILURES = (OSError, HTTPException, EOFError)
"""What `connect` raises."""

_PORTION = 64 * 1024
"""Bytes that are passed on at once, and may wait in each direction."""


def connect(host: str, port: int, proxy: Proxy | None, timeout: float) -> socket.socket:
    """A connection on which TLS may be begun; its timeout is `timeout`, in seconds.

    Raises one of FAILURES.
    """
    if proxy is None:
        made = socket.create_connection((host, port), timeout)
    elif proxy.scheme.startswith("socks"):
        made = _through_socks(host, port, proxy, timeout)
    else:
        made = _through_http(host, port, proxy, timeout)
    with suppress(OSError):  # a pair of sockets of this machine, which knows no TCP
        for option in socket_options():
            made.setsockopt(*option)
    return made


def socket_options() -> list[tuple[int, int, int]]:
    """Keep-alive, so that whoever waits notices within a minute that a firewall forgot it."""
    tcp = {"TCP_NODELAY": 1, "TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
    known = [(name, value) for name, value in tcp.items() if hasattr(socket, name)]
    options = [(socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in known]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *options]


def _through_socks(host: str, port: int, proxy: Proxy, timeout: float) -> socket.socket:
    import socks  # type: ignore[import-untyped]

    made: socket.socket = socks.create_connection(
        (host, port),
        timeout=timeout,
        proxy_type=socks.SOCKS4 if proxy.scheme.startswith("socks4") else socks.SOCKS5,
        proxy_addr=proxy.host,
        proxy_port=proxy.port,
        proxy_rdns=proxy.scheme in {"socks5h", "socks4a"},
        proxy_username=proxy.user,
        proxy_password=proxy.password,
    )
    return made


def _through_http(host: str, port: int, proxy: Proxy, timeout: float) -> socket.socket:
    through = HTTPConnection(proxy.host, proxy.port, timeout=timeout)
    through.set_tunnel(host, port, proxy.headers)
    if proxy.tls is None:
        through.connect()
        return through.sock
    context = proxy.tls

    def encrypted(address: tuple[str, int], *arguments: Any) -> ssl.SSLSocket:
        plain = socket.create_connection(address, *arguments)
        return context.wrap_socket(plain, server_hostname=address[0])

    through._create_connection = encrypted  # type: ignore[attr-defined]  # noqa: SLF001
    through.connect()
    # Python nests no TLS in TLS: what is encrypted for the proxy is so between the two of a pair.
    ours, theirs = socket.socketpair()
    ours.settimeout(timeout)
    threading.Thread(target=_pass_on, args=(through.sock, theirs), daemon=True).start()
    return ours


def _pass_on(proxy: ssl.SSLSocket, plain: socket.socket) -> None:
    """Pass on both ways until one end is gone."""
    with proxy, plain, suppress(OSError):
        proxy.setblocking(False)
        plain.setblocking(False)
        up, down = bytearray(), bytearray()
        while True:
            # Again until nothing moves: of what is decrypted already select() does not know.
            moved = [_move(plain, proxy, up), _move(proxy, plain, down)]
            if any(moved):
                continue
            reading = [*([] if up else [plain]), *([] if down else [proxy])]
            writing = [*([proxy] if up else []), *([plain] if down else [])]
            select.select(reading, writing, [])


def _move(source: socket.socket, sink: socket.socket, waiting: bytearray) -> bool:
    """Pass on what is there, by way of `waiting`; whether anything was. OSError: one has ended."""
    moved = False
    with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        if not waiting:
            data = source.recv(_PORTION)
            if not data:
                raise ConnectionResetError
            waiting += data
            moved = True
        del waiting[: sink.send(waiting)]
        moved = True
    return moved
