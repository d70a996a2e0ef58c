"""Ports of this machine that lead to ports of a pod, for the life of a session.

Each connection to us is one to the API server, too, with a channel for data and one for what went
wrong.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError, ConfigurationError
from agtool.core.kube.channels import DATA, ERROR
from agtool.core.kube.dial import dial_port
from agtool.core.kube.websocket import WebSocket
from agtool.debug.session.exec import PING_EVERY
from agtool.debug.session.messages import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agtool.core.kube.session import Session
    from agtool.core.kube.upgraded import Upgraded

_PORTION = 32 * 1024
"""Bytes read from a connection at once."""

_WAITING = 256 * 1024
"""Bytes that may wait for the pod."""

_LINGER = 2.0
"""Seconds of silence after which a connection ends from which nothing more can come: most often
it has been closed, and only seldom does somebody wait for an answer still."""

_LEAST = 1.0
"""Seconds between two messages about what went wrong with a port."""


Listening = tuple[socket.socket, int]


class Forwards:
    """Serves what listens on this machine, and closes it at the end; use as a context.

    Args:
        pod: its path in the API.
        listening: what listens here, and the port in the pod.
        tell: says what goes wrong; called in other threads.
    """

    def __init__(
        self,
        session: Session,
        pod: str,
        listening: Sequence[Listening],
        tell: Callable[[str], None],
    ) -> None:
        self._session = session
        self._pod = pod
        self._tell = tell
        self._told: dict[int, float] = {}
        self._listening = listening
        self._over = threading.Event()

    def __enter__(self) -> Forwards:
        for listening, port in self._listening:
            threading.Thread(target=self._accept, args=(listening, port), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for listening, _port in self._listening:
            with suppress(OSError):  # wakes accept(), which close() alone does not
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def _accept(self, listening: socket.socket, port: int) -> None:
        while True:
            try:
                connection = listening.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, port), daemon=True).start()

    def _serve(self, connection: socket.socket, port: int) -> None:
        with ExitStack() as stack:
            stack.enter_context(connection)
            try:
                there = stack.enter_context(dial_port(self._session, self._pod, port, timeout=30))
                wrong = _Connection(connection, there).pass_on(self._over.is_set)
                if wrong:
                    self._warn(port, f"port {port} of the pod: {wrong}")
            except AgtoolError as error:
                self._warn(port, f"a connection to port {port} of the pod broke: {error.message}")
            except OSError:
                pass  # who made it has gone

    def _warn(self, port: int, text: str) -> None:
        """Say it; not again and again, where a browser asks ten times."""
        now = time.monotonic()
        if now - self._told.get(port, -_LEAST) > _LEAST and not self._over.is_set():
            self._told[port] = now
            self._tell(text)


class _Connection:
    """Passes on between a connection to us and one to the pod, in both directions at once.

    The protocol cannot say that one direction alone is at its end: when nothing more comes from
    here, what comes from the pod is waited for.
    """

    def __init__(self, here: socket.socket, there: Upgraded) -> None:
        here.setblocking(False)
        self._here = here
        self._there = there
        self._waiting = bytearray()
        self._beginnings = {DATA, ERROR} if isinstance(there, WebSocket) else set[int]()
        self._open = True
        self._wrong = ""
        self._heard = time.monotonic()

    def pass_on(self, over: Callable[[], bool]) -> str:
        """Return when one side is done, or `over`; what the pod's node says went wrong."""
        self._take(self._there.messages())
        while not (over() or self._wrong or self._done()):
            ready = self._poll()
            if not ready and self._there.silence > PING_EVERY:
                self._there.ping()
            if ready.get(self._here.fileno(), 0) & (select.POLLIN | select.POLLHUP):
                self._read()
            self._there.flush()
            if not self._waiting and (self._there.decrypted or self._there.fileno() in ready):
                self._heard = time.monotonic()
                self._take(self._there.receive())
            if self._waiting:
                with suppress(BlockingIOError):
                    del self._waiting[: self._here.send(self._waiting)]
        return self._wrong

    def _done(self) -> bool:
        idle = not self._open and time.monotonic() - self._heard > _LINGER
        return not self._waiting and (self._there.over or idle)

    def _poll(self) -> dict[int, int]:
        """What is ready, by descriptor."""
        taking = self._open and self._there.unsent < _WAITING
        here = (select.POLLIN if taking else 0) | (select.POLLOUT if self._waiting else 0)
        there = select.POLLOUT if self._there.unsent else 0
        poll = select.poll()
        if here:
            poll.register(self._here, here)
        poll.register(self._there, there if self._waiting else there | select.POLLIN)
        seconds = PING_EVERY if self._open else _LINGER / 4
        return dict(poll.poll(0 if self._there.decrypted else seconds * 1000))

    def _read(self) -> None:
        self._heard = time.monotonic()
        data = self._here.recv(_PORTION)
        if data:
            self._there.send(encode(DATA, data))
        else:
            self._open = False

    def _take(self, messages: list[bytes]) -> None:
        for message in messages:
            channel, data = decode(message)
            if channel in self._beginnings:
                self._beginnings.discard(channel)
            elif channel == DATA:
                self._waiting += data
            elif data:
                words = " ".join(bytes(data).decode(errors="replace").split())
                # The whole is a chain of namespaces and addresses that help nobody.
                refused = "connection refused" in words
                self._wrong = "nothing listens there (connection refused)" if refused else words


def listen(port: int) -> socket.socket:
    """Listen on this machine's loopback address.

    Args:
        port: 0: a free one.

    Raises ConfigurationError where that cannot be had.
    """
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise ConfigurationError(
            f"--port-forward: port {port} of this machine cannot be used: {why}",
            hint="Choose another one, or :PORT for one that is free.",
        ) from error
