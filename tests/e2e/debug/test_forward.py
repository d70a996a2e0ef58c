"""Ports of this machine that lead to the pod."""

import re
import signal
import socket
import threading
from contextlib import suppress
from functools import partial

from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person
from tests.servers.process import free_port

# busybox's nc: each connection gets what it sent, and then its end.
SERVER = "echo up >&2; while :; do nc -l -p 8000 -e cat; done"


def sent(connection: socket.socket, data: bytes) -> None:
    """Send it; whoever reads sees that the connection is gone."""
    with suppress(OSError):
        connection.sendall(data)


def asked(port: int, data: bytes) -> bytes:
    """What comes back for what is sent, by a client that does not close before."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        sending = threading.Thread(target=sent, args=(connection, data))
        sending.start()
        came = b""
        while len(came) < len(data):
            more = connection.recv(65536)
            assert more, f"{len(came)} of {len(data)} bytes"
            came += more
        sending.join()
    return came


def answers(port: int, data: bytes) -> bool:
    """Whether it all comes back; if not, the next nc does not listen yet."""
    try:
        return asked(port, data) == data
    except (AssertionError, OSError):
        return False


def test_a_port_for_the_life_of_the_session(person: Person) -> None:
    port = free_port()
    argv = ("--port-forward", f"{port}:8000", "--port-forward", ":8000", "--port-forward", ":81")
    running = person.start(*argv, "--", "sh", "-c", SERVER)
    running.wait_for("up\n")
    assert f"127.0.0.1:{port} leads to port 8000" in running.stderr
    free, closed = (
        int(re.findall(rf"127\.0\.0\.1:(\d+) leads to port {there} ", running.stderr)[-1])
        for there in (8000, 81)
    )
    for one, data in ((port, bytes(range(256)) * 4096), (free, b"again")):
        wait_until(partial(answers, one, data), "the port leads to the pod's")
    with socket.create_connection(("127.0.0.1", closed), 30) as connection:
        assert connection.recv(10) == b""
    running.wait_for("warning: port 81 of the pod: nothing listens there")
    running.send(signal.SIGTERM)
    running.wait()

    def refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_until(refused, "the port is closed")
    assert not person.pods()


def test_a_port_that_is_in_use(person: Person) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = person.run("--port-forward", f"{port}:80", "--", "true")
    assert done.exit_code == 125
    assert f"port {port} of this machine cannot be used" in done.stderr
    assert "pod debug-" not in done.stderr  # none was made for nothing
