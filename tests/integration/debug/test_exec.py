"""The loop of exec with an imitation of a server that speaks v5."""

import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agtool.core.errors import ConfigurationError, UnreachableError
from agtool.debug import exec as loop
from agtool.debug.exec import Ended, Ends, run
from agtool.debug.interrupts import Interrupts
from agtool.debug.websocket import LostError, RefusedError, open_websocket
from tests.integration.debug.imitation import SUCCESS, Conversation, Imitation

MIB = 1024 * 1024


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

    def close(self) -> None:
        for descriptor in (self.stdin, self.stdout, self.stderr):
            os.close(descriptor)


@pytest.fixture
def pipes(tmp_path: Path) -> Iterator[Pipes]:
    """Give streams."""
    found = Pipes(tmp_path)
    yield found
    found.close()


def converse(imitation: Imitation, ends: Ends, interrupts: Interrupts) -> Ended:
    path = "/api/v1/namespaces/a/pods/b/exec?command=c"
    with open_websocket(imitation.settings, path, [loop.V5, loop.V4], timeout=10) as websocket:
        assert websocket.protocol == loop.V5
        return run(websocket, ends, interrupts)


def echo(conversation: Conversation) -> None:
    """As cat: what comes goes back, until the end of the input."""
    conversation.shake_hands()
    while (message := conversation.read()) is not None:
        if message == b"\xff\x00":
            conversation.send(SUCCESS)
            conversation.close()
            return
        conversation.send(b"\x01" + message[1:])


def test_the_end_of_input(interrupts: Interrupts, pipes: Pipes) -> None:
    os.write(pipes.writer, b"text \xc3")
    os.close(pipes.writer)
    with Imitation(echo) as imitation:
        assert converse(imitation, pipes.ends, interrupts) == Ended(0)
    assert pipes.out.read_bytes() == b"text \xc3"
    (conversation,) = imitation.conversations
    assert conversation.request
    headers = conversation.request.headers
    assert headers["Impersonate-User"] == "jane"
    assert headers.get_all("Impersonate-Group") == ["a", "b"]


# Not getrusage: its maximum begins with that of the process that started this one.
PROGRAM = """
import sys
from pathlib import Path
from agtool.core.kube_pool import WebSocketSettings
from agtool.debug.exec import Ends, V5, run
from agtool.debug.interrupts import Interrupts
from agtool.debug.websocket import open_websocket
def most():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
settings = WebSocketSettings(sys.argv[1], [], None, None, None)
with open_websocket(settings, "/exec", [V5], timeout=10) as websocket, Interrupts() as interrupts:
    before = most()
    ended = run(websocket, Ends(0), interrupts)
print(ended.exit_code, most() - before, file=sys.stderr)
"""


def client(imitation: Imitation) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, f"ws://127.0.0.1:{imitation.port}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_hundred_mebibytes_both_ways_in_little_memory() -> None:
    portion = random.Random(1).randbytes(MIB)  # noqa: S311  # no secret
    sent = hashlib.sha256()
    came = hashlib.sha256()
    with Imitation(echo) as imitation, client(imitation) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr

        def read() -> None:
            assert process.stdout
            while data := process.stdout.read(65536):
                came.update(data)

        reader = threading.Thread(target=read)
        reader.start()
        for _ in range(100):
            process.stdin.write(portion)
            sent.update(portion)
        process.stdin.close()
        reader.join(100)
        told = process.stderr.read().decode().split()
    assert came.hexdigest() == sent.hexdigest()
    code, grown = map(int, told)
    assert code == 0
    assert grown < 32 * 1024  # KiB


def test_a_reader_that_is_slow_costs_no_memory() -> None:
    def flood(conversation: Conversation) -> None:
        conversation.shake_hands()
        for _ in range(100):
            conversation.send(b"\x01" + bytes(MIB // 2))
        conversation.send(SUCCESS)
        conversation.close()
        conversation.read()

    with Imitation(flood) as imitation, client(imitation) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        time.sleep(1)
        assert len(process.stdout.read()) == 50 * MIB
        code, grown = map(int, process.stderr.read().decode().split())
        process.stdin.close()
    assert code == 0
    assert grown < 32 * 1024


def test_a_command_that_does_not_read_to_the_end() -> None:
    def head(conversation: Conversation) -> None:
        conversation.shake_hands()
        conversation.read()
        conversation.send(SUCCESS)
        conversation.close()  # and the connection with it, while the client sends

    with Imitation(head) as imitation, client(imitation) as process:
        assert process.stdin
        assert process.stderr
        with suppress(BrokenPipeError):
            for _ in range(100):
                process.stdin.write(bytes(MIB))
        with suppress(BrokenPipeError):
            process.stdin.close()
        told = process.stderr.read().decode()
        assert told.split()[0] == "0", told


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


@pytest.mark.parametrize("polite", [True, False])
def test_an_end_without_a_status(interrupts: Interrupts, pipes: Pipes, polite: bool) -> None:
    def vanish(conversation: Conversation) -> None:
        conversation.shake_hands(b"\x01partial")
        if polite:
            conversation.close()

    with Imitation(vanish) as imitation, pytest.raises(LostError):
        converse(imitation, pipes.ends, interrupts)


def test_pings_keep_it_alive(
    interrupts: Interrupts, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "PING_EVERY", 0.05)
    monkeypatch.setattr(loop, "DEAF_AFTER", 0.5)

    def idle(conversation: Conversation) -> None:
        conversation.shake_hands()
        reading = threading.Thread(target=conversation.read, daemon=True)
        reading.start()
        time.sleep(1.5)  # thrice as long as a deaf server is believed to live
        conversation.send(SUCCESS)
        conversation.close()
        reading.join(5)

    with Imitation(idle) as imitation:
        assert converse(imitation, pipes.ends, interrupts) == Ended(0)
    assert imitation.conversations[0].pings > 5


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


def test_a_full_disk(interrupts: Interrupts) -> None:
    def speak(conversation: Conversation) -> None:
        conversation.shake_hands(b"\x01text")
        conversation.read()

    full = os.open("/dev/full", os.O_WRONLY)
    with Imitation(speak) as imitation:
        with pytest.raises(ConfigurationError, match="No space left"):
            converse(imitation, Ends(None, full), interrupts)
        os.close(full)


def test_a_server_that_does_not_answer() -> None:
    released = threading.Event()

    def silent(_: Conversation) -> None:
        released.wait(20)

    with Imitation(silent) as imitation:
        with pytest.raises(UnreachableError, match="took the request and has not answered"):
            open_websocket(imitation.settings, "/exec", [loop.V5], timeout=0.3)
        released.set()


def test_a_server_that_refuses() -> None:
    def refuse(conversation: Conversation) -> None:
        body = b'{"kind":"Status","message":"pods \\"b\\" not found","code":404}'
        head = f"HTTP/1.1 404 Not Found\r\nContent-Length: {len(body)}\r\n\r\n"
        conversation._socket.sendall(head.encode() + body)  # noqa: SLF001  # it is ours

    with Imitation(refuse) as imitation, pytest.raises(RefusedError) as raised:
        open_websocket(imitation.settings, "/exec", [loop.V5], timeout=10)
    assert (raised.value.status, raised.value.message) == (404, 'pods "b" not found')
