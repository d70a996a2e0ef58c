"""A WebSocket to the API server that never blocks: a socket for poll(), and frames.

The protocol itself is the library websockets'. What is done here is what it leaves to its
caller: the connection, through a proxy or not, and bytes in and out as the socket takes them.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHeader, InvalidStatus, NegotiationError
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from agtool.core.errors import AgtoolError, UnreachableError
from agtool.core.kube.errors import PROXY_HINT, refusal
from agtool.core.kube.tunnel import FAILURES, connect

if TYPE_CHECKING:
    from agtool.core.kube.pool import WebSocketSettings
    from agtool.core.kube.session import Session

_PORTION = 64 * 1024
"""Bytes read from the socket, or given to it, at once."""

_DATA = (Opcode.BINARY, Opcode.TEXT, Opcode.CONT)


class RefusedError(AgtoolError):
    """The server answered the request for a WebSocket with something else.

    Attributes:
        status: HTTP's code.
        answer: the body, shortened.
        reason: the same as an error of agtool's that says what to do.
    """

    code = "no-websocket"

    def __init__(self, status: int, answer: str, reason: AgtoolError) -> None:
        super().__init__(reason.message, hint=reason.hint)
        self.status = status
        self.answer = answer
        self.reason = reason


class ProtocolError(AgtoolError):
    """The server takes WebSockets, but not the subprotocol that it was offered."""

    code = "protocol"


class LostError(AgtoolError):
    """The connection ended without the end of the WebSocket."""

    code = "connection-lost"


class WebSocket:
    """An open connection.

    Raises of all methods: LostError.
    """

    def __init__(self, connection: socket.socket, protocol: ClientProtocol) -> None:
        self._socket = connection
        self._protocol = protocol
        self._unsent = bytearray()
        self._parts: list[bytes] = []
        self._answered = time.monotonic()
        self.broken = False
        """Whether nothing can be sent any more."""

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def fileno(self) -> int:
        """For poll()."""
        return self._socket.fileno()

    @property
    def unsent(self) -> int:
        """Bytes that wait for the socket to take them."""
        return len(self._unsent)

    @property
    def over(self) -> bool:
        """Whether the server has said that it is done."""
        return self._protocol.state is not State.OPEN

    @property
    def silence(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self._answered

    @property
    def decrypted(self) -> bool:
        """Whether data is there to be received that poll() does not know of."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def send(self, data: bytes) -> None:
        """Take one message to be sent; `flush` sends it."""
        self._protocol.send_binary(data)
        self._collect()

    def ping(self) -> None:
        """Take a ping to be sent."""
        if not self.over:
            self._protocol.send_ping(b"")
            self._collect()

    def flush(self) -> None:
        """Send what the socket takes now."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[:_PORTION])
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
            data = self._socket.recv(_PORTION)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return []
        except OSError as error:
            why = error.strerror or error
            raise LostError(f"the connection to the API server broke: {why}") from error
        self._answered = time.monotonic()
        if data:
            self._protocol.receive_data(data)
        elif not self.over:
            raise LostError("the API server closed the connection")
        else:
            self._protocol.receive_eof()
        return self.messages()

    def messages(self) -> list[bytes]:
        """Those of the messages received that nobody has taken yet."""
        messages = []
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._parts.append(bytes(event.data))
                if event.fin:
                    messages.append(b"".join(self._parts))
                    self._parts.clear()
        self._collect()  # the answer to a ping
        return messages

    def _collect(self) -> None:
        data = b"".join(self._protocol.data_to_send())
        if not self.broken:
            self._unsent += data


def open_as(session: Session, path: str, subprotocol: str, *, timeout: float) -> WebSocket:
    """Connect as the session's user, whose credentials are renewed if they are refused.

    Raises:
        ConfigurationError: a log-in plugin failed.
        others: as `open_websocket`.
    """
    settings = session.websocket_settings()
    try:
        return open_websocket(settings, path, subprotocol, timeout=timeout)
    except RefusedError as error:
        if error.status != 401 or not session.renew(settings):
            raise
    return open_websocket(session.websocket_settings(), path, subprotocol, timeout=timeout)


def open_websocket(
    settings: WebSocketSettings, path: str, subprotocol: str, *, timeout: float
) -> WebSocket:
    """Connect, and agree with the server on a subprotocol.

    Args:
        path: with its query.
        timeout: seconds for connecting and for the server's answer.

    Raises:
        RefusedError: the server's answer is no WebSocket.
        ProtocolError: it is one without this subprotocol.
        UnreachableError: no connection, or no answer.
    """
    uri = parse_uri(settings.url + path)
    protocol = ClientProtocol(uri, subprotocols=[Subprotocol(subprotocol)], max_size=None)
    request = protocol.connect()
    for header in settings.headers:
        name, _, value = header.partition(": ")
        request.headers[name] = value
    protocol.send_request(request)
    server = settings.url.replace("ws", "http", 1)
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(_connect(settings, uri.host, uri.port, timeout))
            try:
                connection.sendall(b"".join(protocol.data_to_send()))
                # The answer to our request. What stands after it stays in `protocol`.
                while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
                    if data := connection.recv(_PORTION):
                        protocol.receive_data(data)
                    else:
                        protocol.receive_eof()
            except TimeoutError as error:
                raise UnreachableError(
                    f"{server} took the request and has not answered for {timeout:.0f} s",
                    hint="Check that the container's node is up: kubectl get nodes",
                ) from error
        except FAILURES as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            through, hint = (" through the proxy", PROXY_HINT) if settings.proxy else ("", "")
            raise UnreachableError(f"cannot reach {server}{through}: {why}", hint=hint) from error
        failure = protocol.handshake_exc
        if failure is None and protocol.subprotocol:
            connection.setblocking(False)
            stack.pop_all()
            return WebSocket(connection, protocol)
    # A kubelet that is asked for no subprotocol names an empty one.
    if isinstance(failure, InvalidHeader) and failure.name == "Sec-WebSocket-Protocol":
        failure = None
    if failure is None or isinstance(failure, NegotiationError):
        raise ProtocolError(f"{server} does not agree on {subprotocol}") from failure
    if isinstance(failure, InvalidStatus):
        body = bytes(failure.response.body or b"")
        status = failure.response.status_code
        reason = refusal(
            status, body, request=f"GET {path.partition('?')[0]}", server=server, context=""
        )
        raise RefusedError(status, body[:2000].decode(errors="replace"), reason)
    raise UnreachableError(f"{server} does not follow the WebSocket protocol: {failure}")


def _connect(settings: WebSocketSettings, host: str, port: int, timeout: float) -> socket.socket:
    connection = connect(host, port, settings.proxy, timeout)
    if settings.url.startswith("wss:"):
        return settings.tls.wrap_socket(connection, server_hostname=settings.server_name or host)
    return connection
