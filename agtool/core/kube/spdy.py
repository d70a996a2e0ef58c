"""SPDY/3.1 to the API server: for gateways that let no WebSocket through, as kubectl does it.

Only what the API server's exec and port-forward need: streams that we open, whose data become
messages as those of the WebSocket, a byte for the channel before the data. There is no flow
control, since Kubernetes' own implementation knows none.
Source: SPDY Protocol, draft 3.1; moby/spdystream; k8s.io/streaming/pkg/httpstream/spdy.
"""

from __future__ import annotations

import struct
import time
import zlib
from http.client import HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agtool.core.kube.channels import CLOSE
from agtool.core.kube.upgraded import (
    PORTION,
    LostError,
    ProtocolError,
    RefusedError,
    Upgraded,
    connected,
    http_url,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from agtool.core.kube.pool import WebSocketSettings

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_CONTROL = 0x80030000
"""A control frame's first word, but for its type: the version."""

_FIN = 1
_HEADER = 8
"""Bytes before the content of each frame."""


class Spdy(Upgraded):
    """An open connection with its streams.

    Args:
        streams: the headers of each, by its channel; the names are in small letters.
    """

    def __init__(self, connection: socket.socket, streams: Mapping[int, Mapping[str, str]]) -> None:
        super().__init__(connection)
        # Clients have the odd numbers.
        self._numbers = {channel: 2 * at + 1 for at, channel in enumerate(streams)}
        self._channels = {number: channel for channel, number in self._numbers.items()}
        self._ours = set(streams)  # those on which we may still send
        self._theirs = set(self._channels)  # those on which more may come
        self._unanswered = set(self._channels)
        self._received = bytearray()
        self._messages: list[bytes] = []
        self._pings = 1
        self._over = False
        # One stream of compressed data for all headers. The protocol's dictionary is no must: zlib
        # says in its own header whether it has been used.
        packer = zlib.compressobj()
        for channel, headers in streams.items():
            block = packer.compress(_pairs(headers)) + packer.flush(zlib.Z_SYNC_FLUSH)
            number = struct.pack(">IIBB", self._numbers[channel], 0, 0, 0)
            self._control(_SYN_STREAM, number + block)

    @property
    def over(self) -> bool:
        return self._over or not self._theirs

    def send(self, data: bytes) -> None:
        channel, content, flags = data[0], data[1:], 0
        if channel == CLOSE:
            channel, content, flags = data[1], b"", _FIN
        if channel not in self._ours:
            return
        if flags:
            self._ours.discard(channel)
        self._give(struct.pack(">II", self._numbers[channel], flags << 24 | len(content)) + content)

    def ping(self) -> None:
        if not self.over:
            self._control(_PING, struct.pack(">I", self._pings))
            self._pings += 2

    def messages(self) -> list[bytes]:
        messages, self._messages = self._messages, []
        return messages

    def wait_until_open(self, timeout: float) -> None:
        """Wait for the server's answer for each stream: what is sent before, it forgets.

        Raises: TimeoutError, OSError, LostError.
        """
        self._socket.settimeout(timeout)
        self._socket.sendall(self._unsent)
        self._unsent.clear()
        until = time.monotonic() + timeout
        while self._unanswered:
            self._socket.settimeout(max(0.01, until - time.monotonic()))
            data = self._socket.recv(PORTION)
            if not data:
                raise LostError("the API server closed the connection")
            self._came(data)
            if self._over:
                raise LostError("the API server refuses a stream of SPDY")
        self._socket.setblocking(False)

    def _control(self, kind: int, content: bytes) -> None:
        self._give(struct.pack(">II", _CONTROL | kind, len(content)) + content)

    def _came(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= _HEADER:
            first, second = struct.unpack_from(">II", self._received)
            flags, length = second >> 24, second & 0xFFFFFF
            if len(self._received) < _HEADER + length:
                return
            content = bytes(self._received[_HEADER : _HEADER + length])
            del self._received[: _HEADER + length]
            if first >> 31:
                self._take(first, content, finished=bool(flags & _FIN))
                continue
            if content and first in self._channels:
                self._messages.append(bytes((self._channels[first],)) + content)
            if flags & _FIN:
                self._theirs.discard(first)

    def _take(self, first: int, content: bytes, *, finished: bool) -> None:
        """Take a control frame. What is of no use to us passes."""
        kind = first & 0xFFFF
        if first - kind != _CONTROL or len(content) < 4:
            raise LostError("the API server does not follow the protocol SPDY/3.1")
        number = int.from_bytes(content[:4], "big")
        if kind == _GOAWAY:
            self._over = True
        elif kind == _PING and number % 2 == 0:
            self._control(_PING, content)
        elif kind in {_SYN_REPLY, _RST_STREAM}:
            self._unanswered.discard(number)
            if kind == _RST_STREAM:
                self._ours.discard(self._channels.get(number, CLOSE))
            if kind == _RST_STREAM or finished:
                self._theirs.discard(number)


def _pairs(headers: Mapping[str, str]) -> bytes:
    """A block of headers, before it is compressed."""
    words = [word.encode() for pair in headers.items() for word in pair]
    return struct.pack(">I", len(headers)) + b"".join(
        struct.pack(">I", len(word)) + word for word in words
    )


def open_spdy(
    settings: WebSocketSettings,
    path: str,
    protocol: str,
    streams: Mapping[int, Mapping[str, str]],
    *,
    timeout: float,
) -> Spdy:
    """Connect, and open the streams.

    Args:
        path: with its query.
        protocol: that of the streams.
        streams: as `Spdy` has them.
        timeout: seconds for connecting, and for each of the server's answers.

    Raises:
        RefusedError: the server's answer is another one.
        ProtocolError: it does not speak the protocol.
        UnreachableError: no connection, or no answer.
    """
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {urlsplit(settings.url).netloc}",
        *settings.headers,
        "Connection: Upgrade",
        "Upgrade: SPDY/3.1",
        f"X-Stream-Protocol-Version: {protocol}",
        "Content-Length: 0",
    ]
    with connected(settings, timeout) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        # It reads ahead. But the server says nothing on the new protocol before we open a stream.
        answer = HTTPResponse(connection, method="POST")
        answer.begin()
        server = http_url(settings)
        if answer.status != 101:
            raise RefusedError(
                answer.status,
                answer.read(64 * 1024),
                request=f"POST {path.partition('?')[0]}",
                server=server,
            )
        if answer.headers["X-Stream-Protocol-Version"] != protocol:
            raise ProtocolError(f"{server} does not agree on {protocol} by SPDY")
        answer.close()
        spdy = Spdy(connection, streams)
        spdy.wait_until_open(timeout)
        return spdy
