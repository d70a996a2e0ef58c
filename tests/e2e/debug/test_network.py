"""Networks: proxies, and connections that break."""

import os
import select
import signal
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.proxy import ApiProxy
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person


class Tunnel(socketserver.BaseRequestHandler):
    """One CONNECT, and what passes through it."""

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        assert isinstance(self.server, ConnectProxy)
        self.server.asked.append(head.decode())
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            other = {self.request: server, server: self.request}
            while True:
                for source in select.select(list(other), [], [], 60)[0]:
                    try:
                        data = source.recv(65536)
                        if not data:
                            return
                        other[source].sendall(data)
                    except OSError:
                        return


class ConnectProxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy that knows CONNECT only; `asked` holds the requests' heads."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.port = self.server_address[1]
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def http_proxy() -> Iterator[ConnectProxy]:
    """Give an HTTP proxy."""
    proxy = ConnectProxy()
    yield proxy
    proxy.shutdown()
    proxy.server_close()


def test_through_an_http_proxy(person: Person, http_proxy: ConnectProxy) -> None:
    env = {
        "HTTPS_PROXY": f"http://me:secret@127.0.0.1:{http_proxy.port}",
        "NO_PROXY": "",
        "no_proxy": "",
    }
    done = person.run("--", "echo", "ran", env=env)
    assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
    # The pod's requests, the exec, and the lifeline.
    assert len(http_proxy.asked) >= 3
    assert any("Proxy-Authorization: Basic bWU6c2VjcmV0" in head for head in http_proxy.asked)
    assert "secret" not in done.stderr


def test_a_connection_that_breaks(person: Person, api_proxy: Callable[..., ApiProxy]) -> None:
    proxy = api_proxy(person.cluster)
    person.kubeconfig = proxy.kubeconfig
    terminal = person.terminal()
    terminal.expect(r"\$ ")
    proxy.cut()
    assert terminal.wait() == 125
    assert "connection" in terminal.text
    assert "Traceback" not in terminal.text
    assert not person.pods()


def test_a_server_that_is_gone_at_the_end(
    person: Person, api_proxy: Callable[..., ApiProxy]
) -> None:
    proxy = api_proxy(person.cluster)
    person.kubeconfig = proxy.kubeconfig
    running = person.start("--", "sh", "-c", "echo up >&2; sleep 600")
    running.wait_for("up")
    proxy.refuse()
    proxy.cut()
    # Again, since the removal is tried for a while, and a person has patience for seconds.
    for _ in range(200):
        if not running.running():
            break
        os.kill(running.pid, signal.SIGINT)
        threading.Event().wait(0.1)
    done = running.wait()
    assert done.exit_code in {125, 130, -signal.SIGINT}, done.stderr
    assert "could not be removed" in done.stderr
    assert "agtool debug --cleanup" in done.stderr
    proxy.accept()
    person.kubeconfig = person.cluster.kubeconfig
    person.run("--cleanup")
    wait_until(lambda: not person.pods(), "cleanup removes what is orphaned")


def test_an_answer_that_does_not_come(person: Person, api_proxy: Callable[..., ApiProxy]) -> None:
    proxy = api_proxy(person.cluster)
    person.kubeconfig = proxy.kubeconfig
    proxy.latency = 1.0
    running = person.start("--", "true")

    def asked() -> bool:
        return any(r.method == "POST" and r.path.endswith("/pods") for r in proxy.requests)

    wait_until(asked, "the pod is asked for")
    running.send(signal.SIGTERM)
    done = running.wait()
    assert done.exit_code == 143
    assert not person.pods()
