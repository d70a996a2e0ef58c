"""An imitation of an API server whose exec misbehaves, in ways that no real one can be told to.

What a real one does is tested with a real one: see test_exec.py, and tests/e2e/debug.
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from agtool.core.kube.channels import PROTOCOL
from agtool.core.kube.pool import WebSocketSettings

SUCCESS = b"\x03" + json.dumps({"status": "Success"}).encode()

Behaviour = Callable[["Conversation"], None]


class Conversation:
    """One connection.

    Attributes:
        pings: how many have come.
        hold_back: keep what is sent, until something is sent without it: all in one segment.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._protocol = ServerProtocol(subprotocols=[Subprotocol(PROTOCOL)], max_size=None)
        self._messages: list[bytes] = []
        self.pings = 0
        self.hold_back = False
        self._request: Request | None = None

    def shake_hands(self, *more: bytes) -> None:
        """Answer the client's request, with messages in the same segment."""
        while self._request is None:
            self._receive()
        self._protocol.send_response(self._protocol.accept(self._request))
        for message in more:
            self._protocol.send_binary(message)
        self._flush()

    def asked(self) -> str:
        """The path of the client's request, with its query."""
        while self._request is None:
            self._receive()
        return self._request.path

    def refuse(self, status: int, text: str) -> None:
        """Answer the client's request with something else."""
        self.asked()
        self._protocol.send_response(self._protocol.reject(status, text))
        self._flush()

    def read(self) -> bytes | None:
        """The next message; None at the end, after `close` when that is answered."""
        while not self._messages:
            if self._protocol.state is State.CLOSED or not self._receive():
                return None
        return self._messages.pop(0)

    def send(self, message: bytes, *, fin: bool = True) -> None:
        """Send a message, or the first part of one."""
        self._protocol.send_binary(message, fin)
        self._flush()

    def go_on(self, message: bytes) -> None:
        """Send the last part of a message, after a ping."""
        self._protocol.send_ping(b"are you there?")
        self._protocol.send_continuation(message, fin=True)
        self._flush()

    def close(self) -> None:
        """Say goodbye as the protocol has it."""
        self._protocol.send_close(1000)
        self._flush()

    def _receive(self) -> bool:
        data = self._socket.recv(65536)
        if not data:
            return False
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._request = event
            elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                self._messages.append(bytes(event.data))
            elif isinstance(event, Frame) and event.opcode is Opcode.PING:
                self.pings += 1
        self._flush()
        return True

    def _flush(self) -> None:
        if not self.hold_back:
            self._socket.sendall(b"".join(self._protocol.data_to_send()))


class Imitation:
    """A server that behaves as told towards each client, from `with` to its end."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    def __enter__(self) -> "Imitation":
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    @property
    def settings(self) -> WebSocketSettings:
        """How to get here."""
        return WebSocketSettings(
            url=f"ws://127.0.0.1:{self._listening.getsockname()[1]}",
            headers=[],
            tls=ssl.create_default_context(),
            server_name=None,
            proxy=None,
        )

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listening.accept()[0]
            except OSError:
                return
            with connection:
                # As Go's servers do. What still waits is lost if we go and have not read all.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with suppress(OSError):  # the client is gone
                    self._behaviour(Conversation(connection))
