"""The readiness and liveness endpoint of `watch`, and its metrics."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from agtool.core.errors import ConfigurationError, UsageError


class Page(NamedTuple):
    """What is shown as it is, with 200."""

    text: Callable[[], str]


@contextmanager
def serve(address: str, answers: Mapping[str, Callable[[], str] | Page]) -> Iterator[None]:
    """Answer GET of each path: 200 if its function returns nothing, else 503 and what it says.

    Args:
        address: ADDRESS:PORT; without an ADDRESS, all of them.

    Raises:
        UsageError: `address` is something else.
        ConfigurationError: the port cannot be used.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UsageError(
            f"--listen {address!r} is not valid",
            hint="Write it as ADDRESS:PORT or :PORT, such as :8080.",
        )

    # All addresses of both kinds; where IPv6 is off, those of IPv4.
    every = not host and socket.has_dualstack_ipv6()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0

        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            if isinstance(answer, Page):
                status, text = 200, answer.text()
            elif answer is None:
                status, text = 404, "there is no such page\n"
            else:
                trouble = answer()
                status, text = 503 if trouble else 200, f"{trouble or 'ok'}\n"
            body = text.encode(errors="replace")
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
            """Probes come every few seconds; they are not worth a line."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if every or ":" in host else socket.AF_INET

        def server_bind(self) -> None:
            if every:  # net.ipv6.bindv6only may say otherwise
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

        def handle_error(self, request: object, client_address: object) -> None:
            """A prober that went away is not an error of ours."""

    try:
        server = Server((host.strip("[]"), int(port)), Handler)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen at {address}: {error.strerror}",
            hint="Choose another address or port with --listen.",
        ) from error
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
