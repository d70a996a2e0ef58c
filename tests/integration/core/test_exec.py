"""What a command prints, from an imitation of a server that misbehaves as no real one does."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agtool.core.errors import UnreachableError
from agtool.core.kube.ended import Ended
from agtool.core.kube.exec import OutputTooLongError, Printed, run
from agtool.core.kube.outage import Outage
from agtool.core.kube.pool import WebSocketSettings
from agtool.core.kube.proxy import Proxy
from tests.integration.debug.imitation import SUCCESS, Conversation, Imitation

EXIT_3 = (
    b"\x03"
    + json.dumps(
        {
            "status": "Failure",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
        }
    ).encode()
)


class Session:
    """What of a session the command needs."""

    server = "http://127.0.0.1"

    def __init__(self, settings: WebSocketSettings) -> None:
        self._settings = settings
        self.outage = Outage()

    def websocket_settings(self) -> WebSocketSettings:
        return self._settings


def ask(settings: WebSocketSettings, timeout: float = 30) -> Printed:
    session: Any = Session(settings)
    return run(session, "/pod", "main", ["agtool"], timeout=timeout)


def answer(behaviour: Callable[[Conversation], None], timeout: float = 30) -> Printed:
    with Imitation(behaviour) as imitation:
        return ask(imitation.settings, timeout)


def test_output_and_end() -> None:
    def speak(conversation: Conversation) -> None:
        conversation.shake_hands(b"\x01one ")
        conversation.send(b"\x02err", fin=False)
        conversation.go_on(b"or")
        conversation.send(b"")  # a message without a channel
        conversation.send(b"\x01two")
        conversation.send(EXIT_3)
        conversation.close()
        conversation.read()

    assert answer(speak) == Printed(b"one two", b"error", Ended(3))


def test_the_status_may_come_before_output() -> None:
    def speak(conversation: Conversation) -> None:
        conversation.shake_hands(SUCCESS)
        conversation.send(b"\x01late")
        conversation.close()
        conversation.read()

    assert answer(speak) == Printed(b"late", b"", Ended(0))


def test_a_connection_that_ends_without_a_word() -> None:
    def vanish(conversation: Conversation) -> None:
        conversation.shake_hands(b"\x01half of it")

    with pytest.raises(UnreachableError, match="without saying how"):
        answer(vanish)


def test_a_command_that_does_not_end() -> None:
    def wait(conversation: Conversation) -> None:
        conversation.shake_hands(b"\x01")
        conversation.read()

    with pytest.raises(UnreachableError, match="has not ended within 1 s"):
        answer(wait, timeout=1)


def test_a_server_that_does_not_answer() -> None:
    def wait(conversation: Conversation) -> None:
        conversation.read()

    with pytest.raises(UnreachableError, match="has not answered for 1 s") as raised:
        answer(wait, timeout=1)
    assert "node is up" in raised.value.hint


def test_a_flood_has_an_end() -> None:
    def flood(conversation: Conversation) -> None:
        conversation.shake_hands()
        for _ in range(9):
            conversation.send(b"\x01" + bytes(1024 * 1024))
        conversation.read()

    with pytest.raises(OutputTooLongError):
        answer(flood)


def test_nobody_listens() -> None:
    with Imitation(Conversation.shake_hands) as imitation:
        settings = imitation.settings
    with pytest.raises(UnreachableError, match="cannot reach"):
        ask(settings)


def test_a_proxy_that_refuses() -> None:
    def refuse(conversation: Conversation) -> None:
        conversation._socket.recv(65536)  # noqa: SLF001
        conversation._socket.sendall(b"HTTP/1.1 407 Log in\r\n\r\n")  # noqa: SLF001

    with Imitation(refuse) as imitation:
        port = int(imitation.settings.url.rpartition(":")[2])
        proxy = Proxy("http", "127.0.0.1", port, {})
        settings = replace(imitation.settings, url="wss://kubernetes.example", proxy=proxy)
        with pytest.raises(UnreachableError, match="through the proxy") as raised:
            ask(settings)
    assert "proxy-url" in raised.value.hint


def test_no_websocket_at_all() -> None:
    def page(conversation: Conversation) -> None:
        conversation._socket.recv(65536)  # noqa: SLF001
        conversation._socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello")  # noqa: SLF001
        conversation._socket.shutdown(socket.SHUT_WR)  # noqa: SLF001

    with pytest.raises(UnreachableError, match="opens no WebSocket"):
        answer(page)
