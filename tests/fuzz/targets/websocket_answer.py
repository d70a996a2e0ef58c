"""The answer to a request for a WebSocket, and what follows it: one of agtool's errors."""

import ssl
from functools import cache

from agtool.core.errors import AgtoolError
from agtool.core.kube.channels import PROTOCOL
from agtool.core.kube.pool import WebSocketSettings
from agtool.core.kube.websocket import open_websocket
from tests.fuzz.sockets import Server


@cache
def server() -> Server:
    """The one that all checks share."""
    return Server()


@cache
def tls() -> ssl.SSLContext:
    """Not used by ws://, and slow to make."""
    return ssl.create_default_context()


def check(data: bytes) -> None:
    """What a server says."""
    server().data = data
    url = f"ws://127.0.0.1:{server().address[1]}"
    settings = WebSocketSettings(url, [], tls(), None, None)
    try:
        with open_websocket(settings, "/exec", PROTOCOL, timeout=5) as websocket:
            websocket.messages()
    except AgtoolError as error:
        assert error.message
