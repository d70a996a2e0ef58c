"""Connections whose other end has said all that it will say."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MOST = 64 * 1024
"""Bytes that a socket takes while nobody reads."""


@contextmanager
def said(data: bytes) -> Iterator[socket.socket]:
    """Give our end (non-blocking) of a connection: these bytes are there, then its end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data[:MOST])
        theirs.shutdown(socket.SHUT_WR)
        ours.setblocking(False)
        yield ours


class Server:
    """A server on loopback that answers each connection with `data` and hangs up; never ends."""

    def __init__(self) -> None:
        self.data = b""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = self._listener.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with suppress(OSError), connection:
                connection.recv(MOST)  # what the client begins with
                connection.sendall(self.data)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(0.2)
                while connection.recv(MOST):  # else the end would be a reset
                    pass
