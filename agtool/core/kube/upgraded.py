"""A connection to the API server that has left HTTP, and that never blocks: for poll().

What is done here is what every protocol on it needs: the connection, through a proxy or not, and
bytes in and out as the socket takes them.
"""

from __future__ import annotations

import socket
import ssl
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agtool.core.errors import AgtoolError, UnreachableError
from agtool.core.kube.errors import PROXY_HINT, refusal
from agtool.core.kube.tunnel import FAILURES
from agtool.core.kube.tunnel import connect as tunnelled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from agtool.core.kube.pool import WebSocketSettings

PORTION = 64 * 1024
"""Bytes read from the socket, or given to it, at once."""


class RefusedError(AgtoolError):
    """The server answered the request for such a connection with something else.

    Attributes:
        status: HTTP's code.
        answer: the body, shortened.
        reason: the same as an error of agtool's that says what to do.
    """

    code = "no-websocket"

    def __init__(self, status: int, body: bytes, *, request: str, server: str) -> None:
        self.reason = refusal(status, body, request=request, server=server, context="")
        super().__init__(self.reason.message, hint=self.reason.hint)
        self.status = status
        self.answer = body[:2000].decode(errors="replace")

    @property
    def container_does_not_run(self) -> bool:
        """Whether it is the kubelet that knows no such container, or pod, that runs.

        It has just been started, or has ended and the pod's status does not tell so yet. Source:
        pkg/kubelet/kubelet_pods.go and pkg/kubelet/server/server.go. What the API server says of a
        pod that is gone is another answer.
        """
        return "container not found" in self.answer or self.answer.strip() == "pod does not exist"


class ProtocolError(AgtoolError):
    """The server takes such connections, but not the subprotocol that it was offered."""

    code = "protocol"


class LostError(AgtoolError):
    """The connection ended without the end that its protocol has."""

    code = "connection-lost"


class Upgraded(ABC):
    """An open connection, on which messages pass.

    Raises of all methods: LostError.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._unsent = bytearray()
        self._answered = time.monotonic()
        self.broken = False
        """Whether nothing can be sent any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether the server has said that it is done."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Take one message to be sent; `flush` sends it. Nobody gets it when all is `over`."""

    @abstractmethod
    def ping(self) -> None:
        """Take a ping to be sent."""

    @abstractmethod
    def messages(self) -> list[bytes]:
        """Those of the messages received that nobody has taken yet."""

    @abstractmethod
    def _came(self, data: bytes) -> None:
        """Take what the socket gave; nothing: the end, after the server said that it is done."""

    def fileno(self) -> int:
        """For poll()."""
        return self._socket.fileno()

    @property
    def unsent(self) -> int:
        """Bytes that wait for the socket to take them."""
        return len(self._unsent)

    @property
    def silence(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self._answered

    @property
    def decrypted(self) -> bool:
        """Whether data is there to be received that poll() does not know of."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def flush(self) -> None:
        """Send what the socket takes now."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[:PORTION])
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError:
                # The server has closed the connection. Its last word may be there to be read.
                self.broken = True
                self._unsent.clear()
                return
            del self._unsent[:sent]

    def receive(self) -> list[bytes]:
        """The messages that have arrived; none: later. After the last one `over` is true."""
        try:
            data = self._socket.recv(PORTION)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return []
        except OSError as error:
            why = error.strerror or error
            raise LostError(f"the connection to the API server broke: {why}") from error
        self._answered = time.monotonic()
        if not data and not self.over:
            raise LostError("the API server closed the connection")
        self._came(data)
        return self.messages()

    def _give(self, data: bytes) -> None:
        """Let bytes wait to be sent."""
        if not self.broken:
            self._unsent += data


@contextmanager
def connected(settings: WebSocketSettings, timeout: float) -> Iterator[socket.socket]:
    """Give a connection, with TLS where the server has it; the failures of the body are told.

    It stays open unless the body raises.

    Args:
        timeout: seconds for connecting, and then for each answer.

    Raises UnreachableError: no connection, or no answer.
    """
    url = urlsplit(settings.url)
    host = url.hostname or ""
    encrypted = url.scheme == "wss"
    server = http_url(settings)
    connection: socket.socket | None = None
    try:
        port = url.port or (443 if encrypted else 80)
        connection = tunnelled(host, port, settings.proxy, timeout)
        if encrypted:
            name = settings.server_name or host
            connection = settings.tls.wrap_socket(connection, server_hostname=name)
        try:
            yield connection
        except TimeoutError as error:
            raise UnreachableError(
                f"{server} took the request and has not answered for {timeout:.0f} s",
                hint="Check that the container's node is up: kubectl get nodes",
            ) from error
    except BaseException as error:
        if connection:
            connection.close()
        if not isinstance(error, FAILURES):
            raise
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        through, hint = (" through the proxy", PROXY_HINT) if settings.proxy else ("", "")
        raise UnreachableError(f"cannot reach {server}{through}: {why}", hint=hint) from error


def http_url(settings: WebSocketSettings) -> str:
    """The server's address as people know it."""
    return settings.url.replace("ws", "http", 1)
