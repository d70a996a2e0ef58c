"""Frames of SPDY: the same messages however they are cut, and a lost connection for nonsense."""

import socket
import struct
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.kube.channels import CLOSE, STATUS, STDIN, STDOUT
from agtool.core.kube.spdy import Spdy
from agtool.core.kube.upgraded import LostError

STREAMS = {
    STATUS: {"streamtype": "error"},
    STDIN: {"streamtype": "stdin"},
    STDOUT: {"streamtype": "stdout"},
}
FIN = 1 << 24


def control(kind: int, content: bytes, flags: int = 0) -> bytes:
    return struct.pack(">II", 0x80030000 | kind, flags | len(content)) + content


def data(stream: int, content: bytes, flags: int = 0) -> bytes:
    return struct.pack(">II", stream, flags | len(content)) + content


def number(value: int) -> bytes:
    return struct.pack(">I", value)


# Settings of one entry, which is no stream; a ping of the server and the answer to one of ours.
SAID = (
    control(4, number(1) + number(4) + number(100), FIN)
    + b"".join(control(2, number(stream)) for stream in (1, 3, 5))
    + data(5, b"one")
    + control(6, number(2))
    + control(6, number(1))
    + data(7, b"of nobody")
    + data(5, b"", FIN)
    + data(1, b"{}")
)
END = control(7, number(0) + number(0))


def received(portions: Sequence[bytes]) -> tuple[list[bytes], bytes, bool]:
    """The messages, what is sent after our first frames, and whether it is over."""
    ours, theirs = socket.socketpair()
    with theirs, Spdy(ours, STREAMS) as spdy:
        spdy.flush()
        theirs.recv(65536)
        messages = []
        for portion in filter(None, portions):
            theirs.sendall(portion)
            messages += spdy.receive()
        theirs.setblocking(False)
        spdy.flush()
        try:
            sent = theirs.recv(65536)
        except BlockingIOError:
            sent = b""
        return messages, sent, spdy.over


@given(st.lists(st.integers(0, len(SAID + END)), max_size=6).map(sorted))
def test_however_it_is_cut(places: list[int]) -> None:
    whole = SAID + END
    cut = [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)], strict=True)]
    expected = [bytes((STDOUT,)) + b"one", bytes((STATUS,)) + b"{}"]
    assert received(cut) == (expected, control(6, number(2)), True)


def test_it_is_over_when_all_streams_are() -> None:
    assert received([SAID])[2] is False
    assert received([SAID, data(1, b"", FIN)])[2] is False
    assert received([SAID, data(1, b"", FIN), control(3, number(3) + number(5))])[2] is True


@given(st.binary(min_size=8, max_size=64))
def test_nonsense(said: bytes) -> None:
    try:
        messages, _, _ = received([said])
    except LostError:
        return
    assert sum(map(len, messages)) <= len(said)


def test_another_version_is_no_spdy_3() -> None:
    with pytest.raises(LostError, match="SPDY/3"):
        received([struct.pack(">II", 0x80020002, 4) + number(1)])


def test_what_is_sent() -> None:
    ours, theirs = socket.socketpair()
    with theirs, Spdy(ours, STREAMS) as spdy:
        spdy.send(bytes((STDIN,)) + b"text")
        spdy.send(bytes((CLOSE, STDIN)))
        spdy.send(bytes((STDIN,)) + b"after the end")
        spdy.flush()
        sent = theirs.recv(65536)
    unpacker = zlib.decompressobj()
    for stream, headers in zip((1, 3, 5), STREAMS.values(), strict=True):
        first, length = struct.unpack_from(">II", sent)
        assert (first, int.from_bytes(sent[8:12], "big")) == (0x80030001, stream)
        block = unpacker.decompress(sent[18 : 8 + length])
        value = headers["streamtype"].encode()
        name = b"streamtype"
        assert block == number(1) + number(len(name)) + name + number(len(value)) + value
        sent = sent[8 + length :]
    assert sent == data(3, b"text") + data(3, b"", FIN)
