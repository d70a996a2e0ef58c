"""Networks: proxies, and connections that break."""

import base64
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package

from tests.cluster import pki
from tests.cluster.proxy import ApiProxy
from tests.conftest import needed
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person, name_in
from tests.e2e.debug.test_forward import answers
from tests.servers.microsocks import Microsocks
from tests.servers.stunnel import Stunnel
from tests.servers.tinyproxy import Tinyproxy


@pytest.fixture
def person_behind_a_proxy(person: Person, folder: Path) -> Iterator[tuple[Person, Tinyproxy]]:
    """Give somebody whose kubeconfig names a proxy that wants a log-in: me, s3cret."""
    with needed(), Tinyproxy(folder, "me", "s3cret") as proxy:
        set_proxy(person, folder, f"http://me:s3cret@{proxy.host}:{proxy.port}")
        yield person, proxy


def set_proxy(person: Person, folder: Path, url: str) -> None:
    """Set proxy-url in a copy of the kubeconfig."""
    content = yaml.safe_load(person.cluster.kubeconfig.read_text())
    content["clusters"][0]["cluster"]["proxy-url"] = url
    person.kubeconfig = folder / "kubeconfig"
    person.kubeconfig.write_text(yaml.safe_dump(content))


def test_through_a_proxy_that_wants_a_log_in(
    person_behind_a_proxy: tuple[Person, Tinyproxy],
) -> None:
    person, proxy = person_behind_a_proxy
    done = person.run("--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
    # The pod's requests, the exec, and the lifeline.
    assert proxy.tunnels() >= 3
    assert "s3cret" not in done.stderr
    assert not person.pods()


def test_an_idle_shell_outlives_a_proxys_patience(
    person_behind_a_proxy: tuple[Person, Tinyproxy],
) -> None:
    person, proxy = person_behind_a_proxy
    terminal = person.terminal()
    terminal.expect(r"\$ ")
    terminal.drain(proxy.patience + 4)  # thrice the time between two pings
    terminal.type("echo still $((6*7))\r")
    terminal.expect("still 42", 5)


def test_a_proxy_of_the_environment(
    person_behind_a_proxy: tuple[Person, Tinyproxy], folder: Path
) -> None:
    person, proxy = person_behind_a_proxy
    # kubectl asks no proxy of the environment for an API server on this machine. So it gets the
    # name of the machine, which no proxy is to be asked for either unless it is told so.
    set_proxy(person, folder, "")
    url = f"http://me:s3cret@{proxy.host}:{proxy.port}"
    done = person.run("--", "true", env={"HTTPS_PROXY": url, "NO_PROXY": "", "no_proxy": ""})
    assert done.exit_code == 0, done.stderr
    local = urlsplit(person.cluster.url).hostname == "127.0.0.1"
    assert (proxy.tunnels() == 0) is local


def test_a_proxy_that_refuses_the_log_in(
    person_behind_a_proxy: tuple[Person, Tinyproxy], folder: Path
) -> None:
    person, proxy = person_behind_a_proxy
    for login in ("me:wr0ng@", ""):
        set_proxy(person, folder, f"http://{login}{proxy.host}:{proxy.port}")
        done = person.run("--", "true")
        assert done.exit_code == 125
        assert "through the proxy: Tunnel connection failed: 40" in done.stderr
        assert "USER:PASSWORD@" in done.stderr
        assert "wr0ng" not in done.stderr


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_through_socks(person: Person, folder: Path, scheme: str) -> None:
    with needed(), Microsocks(folder, "me", "s3cret") as proxy:
        # The proxy resolves the name, also with socks5, as with kubectl.
        server = urlsplit(person.cluster.url)
        set_proxy(person, folder, f"{scheme}://me:s3cret@{proxy.host}:{proxy.port}")
        done = person.run("--", "echo", "ran")
        assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
        assert all(str(server.port) in line for line in proxy.asked_for())
        assert len(proxy.asked_for()) >= 2  # requests, and the exec
        terminal = person.terminal()
        terminal.expect(r"\$ ")
        terminal.type("exit 5\r")
        assert terminal.wait() == 5
        set_proxy(person, folder, f"{scheme}://me:wr0ng@{proxy.host}:{proxy.port}")
        done = person.run("--", "true")
        assert done.exit_code == 125
        assert "through the proxy" in done.stderr
        assert "wr0ng" not in done.stderr
    assert not person.pods()


def test_through_an_encrypted_proxy(person: Person, folder: Path, tmp_path: Path) -> None:
    # Of another name than the cluster's: of two with one name OpenSSL would take the first.
    authority = pki.Authority(tmp_path / "pki", "the proxy's authority")
    authority.server("proxy", ["127.0.0.1"]).write(folder, "proxy")
    with (
        needed(),
        Tinyproxy(folder, "me", "s3cret") as plain,
        Stunnel(folder / "tls", folder / "proxy.crt", folder / "proxy.key", plain.port) as proxy,
    ):
        set_proxy(person, folder, f"https://me:s3cret@{proxy.host}:{proxy.port}")
        done = person.run("--", "true")
        assert done.exit_code == 125
        assert "through the proxy: TLS with the proxy failed: " in done.stderr
        # As kubectl: what the kubeconfig trusts, it trusts for the proxy too.
        content = yaml.safe_load(person.kubeconfig.read_text())
        cluster = content["clusters"][0]["cluster"]
        both = person.cluster.ca.read_bytes() + authority.certificate.read_bytes()
        cluster.pop("certificate-authority", None)
        cluster["certificate-authority-data"] = base64.b64encode(both).decode()
        person.kubeconfig.write_text(yaml.safe_dump(content))
        done = person.run("--", "echo", "ran")
        assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
        data = bytes(range(256)) * 8192
        sent = person.piped(data, "--", "cat")
        assert (sent.returncode, sent.stdout == data) == (0, True), sent.stderr
        assert plain.tunnels() >= 3
        assert "s3cret" not in done.stderr
    assert not person.pods()


def test_a_gateway_that_lets_no_websocket_through(
    person: Person, api_proxy: Callable[..., ApiProxy], tmp_path: Path
) -> None:
    gateway = api_proxy(person.cluster)
    person.kubeconfig = gateway.kubeconfig
    gateway.answer_with_a_page("websocket")
    data = random.Random(3).randbytes(3_000_000)  # noqa: S311  # no secret
    done = person.piped(data, "--", "sh", "-c", "cat; echo error >&2; exit 3")
    assert (done.returncode, done.stdout == data) == (3, True), done.stderr
    assert b"\nerror\n" in done.stderr
    name = name_in(person.run("--keep").stderr)
    attach = ("--attach", name)
    done = person.piped(data, *attach, "--", "sh", "-c", "exec cat >/dev/shm/f")
    assert done.returncode == 0, done.stderr
    (tmp_path / "f").write_bytes(b"")
    copied = person.run("--cp", f"pod/{name}:/dev/shm/f", tmp_path / "f")
    assert copied.exit_code == 0, copied.stderr
    assert (tmp_path / "f").read_bytes() == data
    terminal = person.terminal(*attach, "--port-forward", ":8000")
    terminal.expect(r"127\.0\.0\.1:(\d+) leads to port 8000")
    port = int(re.findall(r"127\.0\.0\.1:(\d+) leads", terminal.seen)[-1])
    terminal.expect(r"\$ ")
    terminal.type("stty size; nc -l -p 8000 -e cat & sleep 1; echo up-$((6*7))\r")
    terminal.expect("24 80")
    terminal.expect("up-42")
    wait_until(partial(answers, port, data), "the port leads to the pod's")
    terminal.type("exit 5\r")
    assert terminal.wait() == 5


def test_a_gateway_that_answers_with_a_page(
    person: Person, api_proxy: Callable[..., ApiProxy]
) -> None:
    gateway = api_proxy(person.cluster)
    person.kubeconfig = gateway.kubeconfig
    gateway.answer_with_a_page("websocket", "spdy/3.1")
    done = person.run("--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (125, "")
    assert "answers the request for a WebSocket with 200 and an HTML page" in done.stderr
    assert "log-in page" in done.stderr
    assert "1.30" not in done.stderr
    person.nothing_is_left()


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


def test_a_node_that_takes_its_time(person: Person, api_proxy: Callable[..., ApiProxy]) -> None:
    name = name_in(person.run("--keep").stderr)
    proxy = api_proxy(person.cluster)
    proxy.latency = 3.5
    person.kubeconfig = proxy.kubeconfig
    done = person.run("--attach", name, "--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
    assert "waiting for the container's node to answer" in done.stderr


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
    assert f"agtool debug --context proxy -n {person.namespace} --cleanup" in done.stderr
    proxy.accept()
    person.kubeconfig = person.cluster.kubeconfig
    person.run("--cleanup")
    wait_until(lambda: not person.pods(), "cleanup removes what is orphaned")


def test_a_server_that_forbids_everything_when_it_is_back(
    person: Person, api_proxy: Callable[..., ApiProxy]
) -> None:
    """As kube-apiserver does until it has read the roles."""
    proxy = api_proxy(person.cluster)
    person.kubeconfig = proxy.kubeconfig
    running = person.start("--", "sh", "-c", "echo up >&2; sleep 600")
    running.wait_for("up")
    proxy.refuse()
    proxy.cut()
    running.wait_for("trying again")
    proxy.answer_next(4, 403)
    proxy.accept()
    done = running.wait()
    assert done.exit_code == 125
    assert "could not be removed" not in done.stderr
    assert "answered by the proxy" not in done.stderr
    person.nothing_is_left()


def test_an_answer_that_is_lost(person: Person, api_proxy: Callable[..., ApiProxy]) -> None:
    proxy = api_proxy(person.cluster)
    person.kubeconfig = proxy.kubeconfig
    proxy.lose_answers(1, "POST")
    done = person.run("--", "true")
    assert done.exit_code == 125
    assert "cannot reach" in done.stderr
    # The pod was made, although nobody said so.
    assert proxy.requests[-1].method == "DELETE"
    assert not person.pods()


def test_ctrl_c_while_the_server_is_overloaded(
    person: Person, api_proxy: Callable[..., ApiProxy]
) -> None:
    proxy = api_proxy(person.cluster)
    person.kubeconfig = proxy.kubeconfig
    proxy.answer_next(100, 429, {"Retry-After": "1"})
    # With an architecture that is known the first request creates the pod.
    running = person.start("--node-selector", "kubernetes.io/arch=amd64", "--", "true")
    running.wait_for("trying again")
    running.send(signal.SIGINT)
    began = time.monotonic()
    done = running.wait()
    assert time.monotonic() - began < 5
    assert done.exit_code in {130, -signal.SIGINT}, done.stderr


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
