"""The connections of processes, held against what the sockets themselves say."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from agtool.core.process.connections import Connection, connection_of, connections_of, plain

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_a_connection_is_found(listener: socket.socket, address: str) -> None:
    """Java's sockets are of the second kind."""
    port = listener.getsockname()[1]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as client:
        client.connect((address, port))
        expected = Connection(client.getsockname()[1], "127.0.0.1", port)
        assert connection_of(client.fileno()) == expected
        assert expected in connections_of([os.getpid()])
    assert expected not in connections_of([os.getpid()])


def test_ipv6() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        expected = Connection(client.getsockname()[1], "::1", server.getsockname()[1])
        assert connection_of(client.fileno()) == expected
        assert expected in connections_of([os.getpid()])


def test_one_that_was_inherited_is_found_in_the_child(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as client:
        own = connection_of(client.fileno())
        with_it = subprocess.Popen(["sleep", "60"], pass_fds=[client.fileno()])
        without = subprocess.Popen(["sleep", "60"])
        try:
            assert own in connections_of([with_it.pid])
            assert connections_of([without.pid]) == set()
            assert own in connections_of([without.pid, with_it.pid])
        finally:
            for process in (with_it, without):
                process.kill()
                process.wait()
    assert connections_of([with_it.pid]) == set()


def test_a_unix_socket_is_no_connection() -> None:
    one, other = socket.socketpair()
    with closing(one), closing(other):
        assert connection_of(one.fileno()) is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_one_spelling_of_an_address(address: str, expected: str) -> None:
    assert plain(address) == expected
