"""The loop of exec with a real server, where its own ends of the streams matter."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from agtool.core.errors import ConfigurationError
from agtool.core.kube import dial
from agtool.core.kube.channels import PROTOCOL
from agtool.core.kube.ended import Ended
from agtool.core.kube.session import Session, connect
from agtool.core.kube.upgraded import RefusedError
from agtool.core.kube.websocket import open_websocket
from agtool.debug.interrupts import Interrupts
from agtool.debug.session import exec as loop
from agtool.debug.session import remote
from agtool.debug.session.exec import Ends, ExecError, run
from agtool.debug.session.held import Holder
from agtool.debug.session.lifeline import LEAVE, Lifeline
from agtool.debug.session.streams import Attachment
from tests.cluster import pki
from tests.cluster.cluster import Cluster
from tests.integration.cluster.conftest import run_pod


class Pod:
    """A pod with busybox, and the session of somebody who may do everything in it."""

    def __init__(self, cluster: Cluster, session: Session, namespace: str) -> None:
        self.cluster = cluster
        self.session = session
        self.path = f"/api/v1/namespaces/{namespace}/pods/it"

    def run(self, ends: Ends, interrupts: Interrupts, *command: str) -> Ended:
        """Run a command to its end, without input."""
        words = {"stdout": "true", "stderr": "true", "command": command}
        path = f"{self.path}/exec?{urlencode(words, doseq=True)}"
        settings = self.session.websocket_settings()
        with open_websocket(settings, path, PROTOCOL, timeout=30) as websocket:
            return run(websocket, ends, interrupts)


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    """Give the signals."""
    with Interrupts() as found:
        yield found


@pytest.fixture
def pod(cluster: Cluster, namespace: str) -> Iterator[Pod]:
    """Give a pod that runs."""
    with cluster.connect() as api:
        run_pod(api, namespace, "it", cluster.images.busybox)
    with connect(kubeconfig=cluster.kubeconfig) as session:
        yield Pod(cluster, session, namespace)


def test_pings_keep_it_alive(
    pod: Pod, interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "PING_EVERY", 0.1)
    monkeypatch.setattr(loop, "DEAF_AFTER", 2)
    # Twice as long as a server that does not answer is believed to live.
    assert pod.run(Ends(None), interrupts, "sh", "-c", "sleep 4; exit 3") == Ended(3)


def test_input_that_is_not_read_for_long_is_no_lost_connection(
    pod: Pod, interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loop, "PING_EVERY", 0.1)
    monkeypatch.setattr(loop, "DEAF_AFTER", 2)
    size = 16 * 1024 * 1024
    (tmp_path / "dump").write_bytes(bytes(size))
    script = f'sleep 5; [ "$(wc -c)" = {size} ]'
    words = {"stdin": "true", "stdout": "true", "command": ["sh", "-c", script]}
    path = f"{pod.path}/exec?{urlencode(words, doseq=True)}"
    with (tmp_path / "dump").open("rb") as file, dial.dial(pod.session, path, timeout=30) as there:
        assert run(there, Ends(file.fileno()), interrupts) == Ended(0)


def test_a_full_disk(pod: Pod, interrupts: Interrupts) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(ConfigurationError, match="No space left"):
            pod.run(Ends(None, full), interrupts, "echo", "text")
    finally:
        os.close(full)


@pytest.mark.parametrize("groups", [["system:masters", "a"], ["a", "system:masters"]])
def test_all_groups_are_sent(pod: Pod, interrupts: Interrupts, groups: list[str]) -> None:
    with connect(kubeconfig=pod.cluster.kubeconfig, as_user="jane", as_groups=groups) as session:
        pod.session = session
        assert pod.run(Ends(None), interrupts, "true") == Ended(0)


def test_a_pod_that_is_not_there(pod: Pod, interrupts: Interrupts) -> None:
    pod.path += "-not"
    with pytest.raises(RefusedError) as raised:
        pod.run(Ends(None), interrupts, "true")
    assert (raised.value.status, raised.value.message) == (404, 'pods "it-not" not found')


def test_a_token_that_is_not_accepted(pod: Pod, interrupts: Interrupts, tmp_path: Path) -> None:
    url, ca = pod.cluster.url, pod.cluster.ca
    kubeconfig = pki.write_kubeconfig(tmp_path / "nobody", url, ca, "no.such.token")
    with connect(kubeconfig=kubeconfig) as session:
        pod.session = session
        with pytest.raises(RefusedError, match="does not accept our credentials") as raised:
            pod.run(Ends(None), interrupts, "true")
    assert raised.value.hint.startswith("Log in again")


def test_a_server_without_our_protocol(
    pod: Pod, interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute() -> Ended:
        return remote.execute(
            pod.session,
            pod.path,
            "main",
            ["sh", "-c", "exit 3"],
            attached=Attachment(stdin=False, terminal=False),
            interrupts=interrupts,
            lifeline=Lifeline(pod.session, pod.path, "main", mark="x", last_word=LEAVE),
            holder=Holder(None, "x"),
        )

    # To a server of before 1.30 ours is as this one is to any. It knows that of SPDY.
    monkeypatch.setattr(dial, "PROTOCOL", "v9.channel.k8s.io")
    assert execute() == Ended(3)
    monkeypatch.setattr(dial, "_BY_SPDY", "v9.channel.k8s.io")
    with pytest.raises(ExecError, match=r"nor a connection by SPDY") as raised:
        execute()
    assert "Kubernetes 1.30 and newer" in raised.value.hint
