"""Frames of a WebSocket: messages or a lost connection, however they are cut into portions."""

from websockets.client import ClientProtocol
from websockets.uri import parse_uri
from websockets.utils import accept_key

from agtool.core.kube.upgraded import LostError
from agtool.core.kube.websocket import WebSocket
from tests.fuzz.sockets import said

ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n"
)


def received(data: bytes) -> list[bytes]:
    """The messages in these bytes of a server."""
    protocol = ClientProtocol(parse_uri("ws://x.test/"), max_size=None)
    protocol.send_request(protocol.connect())
    protocol.data_to_send()
    protocol.receive_data(ANSWER % accept_key(protocol.key).encode())
    found: list[bytes] = []
    with said(data) as connection:
        websocket = WebSocket(connection, protocol)
        try:
            while not websocket.over:
                found += websocket.receive()
                websocket.flush()
            found += websocket.messages()
        except LostError:
            pass
    return found


def check(data: bytes) -> None:
    """What a server sends after its answer."""
    found = received(data)
    assert sum(map(len, found)) <= len(data)
