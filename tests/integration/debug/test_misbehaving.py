"""The loop of exec with an imitation of a server that misbehaves as no real one can be told to."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from agtool.core.errors import UnreachableError
from agtool.core.kube.channels import PROTOCOL
from agtool.core.kube.ended import Ended
from agtool.core.kube.upgraded import LostError
from agtool.core.kube.websocket import open_websocket
from agtool.debug.interrupts import Interrupts
from agtool.debug.session import exec as loop
from agtool.debug.session.exec import Ends, run
from agtool.debug.session.forward import _Connection
from agtool.debug.session.held import Holder
from agtool.debug.session.record import Recording
from tests.integration.debug.imitation import SUCCESS, Conversation, Imitation


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    """Give the signals."""
    with Interrupts() as found:
        yield found


class Pipes:
    """Our three streams, as pipes and a file."""

    def __init__(self, folder: Path) -> None:
        self.stdin, self.writer = os.pipe()
        self.out, self.err = folder / "out", folder / "err"
        self.stdout = os.open(self.out, os.O_WRONLY | os.O_CREAT)
        self.stderr = os.open(self.err, os.O_WRONLY | os.O_CREAT)
        self.ends = Ends(self.stdin, self.stdout, self.stderr)
        self._open = [self.stdin, self.stdout, self.stderr]

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            os.close(self._open.pop())


@pytest.fixture
def pipes(tmp_path: Path) -> Iterator[Pipes]:
    """Give streams."""
    found = Pipes(tmp_path)
    yield found
    found.close()


def converse(imitation: Imitation, ends: Ends, interrupts: Interrupts) -> Ended:
    with open_websocket(imitation.settings, "/exec", PROTOCOL, timeout=10) as websocket:
        return run(websocket, ends, interrupts)


def test_messages_that_come_with_the_handshake(interrupts: Interrupts, pipes: Pipes) -> None:
    def hasty(conversation: Conversation) -> None:
        conversation.shake_hands(b"\x01early", b"\x02error", SUCCESS)
        conversation.close()
        conversation.read()

    with Imitation(hasty) as imitation:
        assert converse(imitation, pipes.ends, interrupts) == Ended(0)
    assert (pipes.out.read_bytes(), pipes.err.read_bytes()) == (b"early", b"error")


def test_a_message_in_parts(interrupts: Interrupts, pipes: Pipes) -> None:
    def parts(conversation: Conversation) -> None:
        conversation.shake_hands()
        conversation.send(b"\x01one ", fin=False)
        conversation.go_on(b"two")
        conversation.send(SUCCESS)
        conversation.close()
        conversation.read()

    with Imitation(parts) as imitation:
        assert converse(imitation, pipes.ends, interrupts) == Ended(0)
    assert pipes.out.read_bytes() == b"one two"


@pytest.mark.parametrize("with_the_handshake", [True, False])
def test_a_goodbye_that_comes_with_the_end_of_the_output(
    interrupts: Interrupts, pipes: Pipes, with_the_handshake: bool
) -> None:
    holder = Holder("/pause", "x")
    end = holder.mark.encode() + b"007"
    messages = [b"\x01own" + end, b"\x02" + end, SUCCESS]

    def hasty(conversation: Conversation) -> None:
        if not with_the_handshake:
            conversation.shake_hands()
        conversation.hold_back = True
        if with_the_handshake:
            conversation.shake_hands()
        for message in messages:
            conversation.send(message)
        conversation.hold_back = False
        conversation.close()
        conversation.read()

    ends = replace(pipes.ends, held=holder)
    with Imitation(hasty) as imitation:
        assert converse(imitation, ends, interrupts) == Ended(7)
    assert (pipes.out.read_bytes(), pipes.err.read_bytes()) == (b"own", b"")


@pytest.mark.parametrize("polite", [True, False])
def test_an_end_without_a_status(interrupts: Interrupts, pipes: Pipes, polite: bool) -> None:
    def vanish(conversation: Conversation) -> None:
        conversation.shake_hands(b"\x01partial")
        if polite:
            conversation.close()

    with Imitation(vanish) as imitation, pytest.raises(LostError):
        converse(imitation, pipes.ends, interrupts)


def test_a_server_that_is_deaf(
    interrupts: Interrupts, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "PING_EVERY", 0.05)
    monkeypatch.setattr(loop, "DEAF_AFTER", 0.3)
    released = threading.Event()

    def deaf(conversation: Conversation) -> None:
        conversation.shake_hands()
        released.wait(20)

    with Imitation(deaf) as imitation:
        with pytest.raises(LostError, match="no answer"):
            converse(imitation, pipes.ends, interrupts)
        released.set()


def test_a_server_that_does_not_answer() -> None:
    released = threading.Event()

    def silent(_: Conversation) -> None:
        released.wait(20)

    with Imitation(silent) as imitation:
        with pytest.raises(UnreachableError, match="took the request and has not answered"):
            open_websocket(imitation.settings, "/exec", PROTOCOL, timeout=0.3)
        released.set()


class Stopped:
    """Stands for a recording that holds up the loop, as SIGSTOP does."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.may_go_on = threading.Event()

    def output(self, _: bytes) -> None:
        self.stopped.set()
        assert self.may_go_on.wait(20)
        time.sleep(2 * loop.PING_EVERY)  # so that a ping is due


def test_what_came_while_we_were_stopped_is_read_before_a_ping(
    interrupts: Interrupts, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "PING_EVERY", 0.2)
    stopped, pings = Stopped(), []

    def done(conversation: Conversation) -> None:
        conversation.shake_hands(b"\x01first")
        assert stopped.stopped.wait(20)
        conversation.send(b"\x01last")
        conversation.send(SUCCESS)
        stopped.may_go_on.set()
        conversation.close()
        conversation.read()
        pings.append(conversation.pings)

    ends = Ends(None, pipes.stdout, recording=cast("Recording", stopped))
    with Imitation(done) as imitation:
        assert converse(imitation, ends, interrupts) == Ended(0)
    # A real API server drops what is on its way to us when it gets one there (1.37).
    assert (pipes.out.read_bytes(), pings) == (b"firstlast", [0])


@pytest.mark.parametrize("status_first", [True, False])
def test_a_reader_that_pauses_gets_all(
    interrupts: Interrupts, pipes: Pipes, monkeypatch: pytest.MonkeyPatch, status_first: bool
) -> None:
    monkeypatch.setattr(loop, "_LAST_WORDS", 1)
    monkeypatch.setattr(loop, "DEAF_AFTER", 1)

    def hasty(conversation: Conversation) -> None:
        conversation.shake_hands(*([SUCCESS] if status_first else []))
        for _ in range(32):
            conversation.send(b"\x01" + bytes(32 * 1024))
        if not status_first:
            conversation.send(SUCCESS)
        conversation.close()
        conversation.read()

    came = []
    reader, writer = os.pipe()

    def read() -> None:
        time.sleep(2)  # longer than a server is waited for that says nothing
        while data := os.read(reader, 65536):
            came.append(len(data))

    reading = threading.Thread(target=read)
    reading.start()
    with Imitation(hasty) as imitation:
        ended = converse(imitation, Ends(None, writer, pipes.stderr), interrupts)
    os.close(writer)
    reading.join()
    os.close(reader)
    assert (ended, sum(came)) == (Ended(0), 1024 * 1024)


def test_a_server_that_hangs_up_while_we_send(interrupts: Interrupts, pipes: Pipes) -> None:
    def head(conversation: Conversation) -> None:
        conversation.shake_hands()
        conversation.read()
        conversation.send(SUCCESS)
        conversation.close()  # and the connection with it

    def feed() -> None:
        with suppress(BrokenPipeError):
            for _ in range(100):
                os.write(pipes.writer, bytes(1024 * 1024))
        os.close(pipes.writer)

    feeding = threading.Thread(target=feed)
    feeding.start()
    with Imitation(head) as imitation:
        assert converse(imitation, pipes.ends, interrupts) == Ended(0)
    pipes.close()
    feeding.join()


def test_a_port_whose_server_says_goodbye_while_we_send() -> None:
    def hasty(conversation: Conversation) -> None:
        conversation.hold_back = True
        conversation.shake_hands(b"\0\x50\0", b"\x01\x50\0", b"\0answer")
        conversation.hold_back = False
        conversation.close()
        conversation.read()

    here, client = socket.socketpair()
    with here, client, Imitation(hasty) as imitation:
        client.sendall(b"a question that nobody reads")
        with open_websocket(imitation.settings, "/portforward", PROTOCOL, timeout=10) as there:
            assert _Connection(here, there).pass_on(lambda: False) == ""
        assert client.recv(100) == b"answer"
