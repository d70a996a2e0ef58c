"""A WebSocket to the API server that never blocks: a socket for poll(), and frames.

The protocol itself is the library websockets'. What is done here is what it leaves to its caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHeader, InvalidStatus, NegotiationError
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from agtool.core.errors import UnreachableError
from agtool.core.kube.upgraded import (
    PORTION,
    ProtocolError,
    RefusedError,
    Upgraded,
    connected,
    http_url,
)

if TYPE_CHECKING:
    import socket

    from agtool.core.kube.pool import WebSocketSettings

_DATA = (Opcode.BINARY, Opcode.TEXT, Opcode.CONT)


class WebSocket(Upgraded):
    """An open connection."""

    def __init__(self, connection: socket.socket, protocol: ClientProtocol) -> None:
        super().__init__(connection)
        self._protocol = protocol
        self._parts: list[bytes] = []

    @property
    def over(self) -> bool:
        return self._protocol.state is not State.OPEN

    def send(self, data: bytes) -> None:
        self._protocol.send_binary(data)
        self._collect()

    def ping(self) -> None:
        if not self.over:
            self._protocol.send_ping(b"")
            self._collect()

    def messages(self) -> list[bytes]:
        messages = []
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._parts.append(bytes(event.data))
                if event.fin:
                    messages.append(b"".join(self._parts))
                    self._parts.clear()
        self._collect()  # the answer to a ping
        return messages

    def _came(self, data: bytes) -> None:
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()

    def _collect(self) -> None:
        self._give(b"".join(self._protocol.data_to_send()))


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
    protocol = ClientProtocol(
        parse_uri(settings.url + path), subprotocols=[Subprotocol(subprotocol)], max_size=None
    )
    request = protocol.connect()
    for header in settings.headers:
        name, _, value = header.partition(": ")
        request.headers[name] = value
    protocol.send_request(request)
    server = http_url(settings)
    with connected(settings, timeout) as connection:
        connection.sendall(b"".join(protocol.data_to_send()))
        # The answer to our request. What stands after it stays in `protocol`.
        while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
            if data := connection.recv(PORTION):
                protocol.receive_data(data)
            else:
                protocol.receive_eof()
        failure = protocol.handshake_exc
        if failure is None and protocol.subprotocol:
            return WebSocket(connection, protocol)
        # A kubelet that is asked for no subprotocol names an empty one.
        if isinstance(failure, InvalidHeader) and failure.name == "Sec-WebSocket-Protocol":
            failure = None
        if failure is None or isinstance(failure, NegotiationError):
            raise ProtocolError(f"{server} does not agree on {subprotocol}") from failure
        if isinstance(failure, InvalidStatus):
            body = bytes(failure.response.body or b"")
            status = failure.response.status_code
            request_line = f"GET {path.partition('?')[0]}"
            raise RefusedError(status, body, request=request_line, server=server)
        raise UnreachableError(f"{server} does not follow the WebSocket protocol: {failure}")
