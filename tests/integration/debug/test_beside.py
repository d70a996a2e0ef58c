"""What is said of a container that was added to a pod, and what ends it, on each way out."""

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from agtool.core.errors import ConfigurationError, UnreachableError
from agtool.core.kube.errors import ForbiddenError, NotFoundError
from agtool.core.kube.outage import Outage
from agtool.core.kube.pool import WebSocketSettings
from agtool.core.kube.session import Session
from agtool.core.options import ClusterOptions
from agtool.debug.beside import added
from agtool.debug.interrupts import Interrupts, Stopped
from agtool.debug.model import MARK, Job, Request, Workload
from agtool.debug.session.place import STOP
from agtool.debug.session.streams import Attachment
from agtool.debug.ways import Ways
from tests.integration.debug.imitation import SUCCESS, Conversation, Imitation

REQUEST = Request(name="debug-x", namespace="shop", image="alpine", lifetime=60)
JOB = Job(
    cluster=ClusterOptions(),
    request=REQUEST,
    command=["true"],
    shell=None,
    stdin=False,
    terminal=False,
    timeout=20,
    target=Workload("pod", "web-0"),
)
STAYS = "it stays in the list of containers of the pod"
HAS_ENDED = f"container debug-x has ended; {STAYS}"
BY_ITSELF = f"container debug-x ends by itself within 60 s (--ttl), if it starts; {STAYS}"
FORBIDDEN = json.dumps(
    {
        "kind": "Status",
        "status": "Failure",
        "reason": "Forbidden",
        "code": 403,
        "message": 'pods "web-0" is forbidden: User "jane" cannot create resource "pods/exec"',
    }
)
GONE = json.dumps(
    {"kind": "Status", "status": "Failure", "code": 500, "message": "cannot exec: not running"}
)


class Cluster:
    """A session with an API server that has one pod, and whose exec is an imitation's."""

    namespace, context, options, server = "shop", "c", "", "http://api"

    def __init__(self, settings: WebSocketSettings) -> None:
        self.pause = self.usual_pause = lambda _seconds: False
        self.outage = Outage()
        self.settings = settings
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens while the container is added."""
        self.state: dict[str, Any] = {"running": {}}
        running = {"name": "web", "containerID": "c://1", "state": {"running": {}}}
        self.pod: dict[str, Any] = {
            "metadata": {"name": "web-0", "namespace": "shop", "uid": "u", "resourceVersion": "1"},
            "spec": {"containers": [{"name": "web", "image": "i"}]},
            "status": {"phase": "Running", "containerStatuses": [running]},
        }

    def get(self, path: str, **_: Any) -> dict[str, Any]:
        """The pod, or what we are not asked for."""
        if path.endswith("/pods/web-0"):
            return self.pod
        raise NotFoundError("there is no such thing")

    def watch(self, path: str, **_: Any) -> Iterator[dict[str, Any]]:
        """What a watch tells: nothing, for a while."""
        if path.endswith("/events"):
            raise ForbiddenError("nobody may watch them")
        time.sleep(0.2)
        yield from ()

    def patch(self, path: str, body: Any, **_: Any) -> dict[str, Any]:
        """Add a container."""
        assert path.endswith("/pods/web-0/ephemeralcontainers")
        (container,) = body["spec"]["ephemeralContainers"]
        status = {"name": container["name"], "state": self.state}
        self.pod["status"]["ephemeralContainerStatuses"] = [status]
        self.pod["spec"]["ephemeralContainers"] = [container]
        self.meanwhile()
        return self.pod

    def websocket_settings(self) -> WebSocketSettings:
        """How to get to its exec."""
        return self.settings

    def renew(self, _: WebSocketSettings) -> bool:
        """There are no new credentials."""
        return False


class Exec:
    """What answers a command in a container: success, or a refusal."""

    def __init__(self, status: int = 200, text: str = "") -> None:
        self.status, self.text = status, text
        self.commands: list[list[str]] = []

    def __call__(self, conversation: Conversation) -> None:
        query = parse_qs(urlsplit(conversation.asked()).query)
        self.commands.append(query["command"])
        if self.status != 200:
            conversation.refuse(self.status, self.text)
            return
        conversation.shake_hands(SUCCESS)
        conversation.close()
        conversation.read()


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    """Give the signals."""
    with Interrupts() as found:
        yield found


def said(capfd: pytest.CaptureFixture[str]) -> str:
    return " ".join(re.sub("^agtool: ", "", capfd.readouterr().err, flags=re.M).split())


def test_a_signal_while_it_is_added(
    interrupts: Interrupts, capfd: pytest.CaptureFixture[str]
) -> None:
    entered = []
    with Imitation(behaviour := Exec()) as imitation:
        cluster = Cluster(imitation.settings)
        cluster.meanwhile = lambda: os.kill(os.getpid(), signal.SIGTERM)
        session = cast("Session", cluster)
        with pytest.raises(Stopped), added(JOB, session, interrupts, cluster.pod):
            entered.append(True)
    assert not entered
    assert cluster.pod["spec"]["ephemeralContainers"]
    assert cluster.pause is cluster.usual_pause
    assert [command[-1] for command in behaviour.commands] == ["AGTOOL_SESSION=debug-x"]
    assert said(capfd) == HAS_ENDED


def test_no_answer_while_it_is_added(
    interrupts: Interrupts, capfd: pytest.CaptureFixture[str]
) -> None:
    def vanish() -> None:
        raise UnreachableError("no answer")

    with Imitation(Exec()) as imitation:
        cluster = Cluster(imitation.settings)
        cluster.meanwhile = vanish
        session = cast("Session", cluster)
        with pytest.raises(UnreachableError), added(JOB, session, interrupts, cluster.pod):
            pass
    assert "container debug-x may have been added to pod web-0 nevertheless" in said(capfd)


@pytest.mark.parametrize(
    ("behaviour", "state", "told"),
    [
        (Exec(), {"running": {}}, HAS_ENDED),
        (Exec(403, FORBIDDEN), {"running": {}}, BY_ITSELF),
        # The session's lifeline was faster.
        (Exec(500, GONE), {"terminated": {}}, HAS_ENDED),
        (Exec(500, GONE), {"waiting": {"reason": "PodInitializing"}}, BY_ITSELF),
    ],
)
def test_what_is_said_after_a_failure(
    interrupts: Interrupts,
    capfd: pytest.CaptureFixture[str],
    behaviour: Exec,
    state: dict[str, Any],
    told: str,
) -> None:
    with Imitation(behaviour) as imitation:
        cluster = Cluster(imitation.settings)
        cluster.state = state
        session = cast("Session", cluster)
        with (
            pytest.raises(ConfigurationError),
            added(JOB, session, interrupts, cluster.pod),
        ):
            raise ConfigurationError("its processes do not see ours")
    assert told in said(capfd)


def test_a_session_that_may_not_run_a_command(
    interrupts: Interrupts, capfd: pytest.CaptureFixture[str]
) -> None:
    attached = Attachment(stdin=True, terminal=False)
    with Imitation(Exec(403, FORBIDDEN)) as imitation:
        session = cast("Session", Cluster(imitation.settings))
        ways = Ways(JOB, session, attached, interrupts, None)
        assert JOB.target
        with pytest.raises(ForbiddenError, match="forbidden"):
            ways.beside(JOB.target)
    told = said(capfd)
    assert BY_ITSELF in told
    assert "has ended" not in told


def test_what_ends_a_container() -> None:
    mark = f"{MARK}=debug-{secrets.token_hex(6)}"
    name, _, value = mark.partition("=")
    words = ["sh", "-c", STOP, mark]
    stubborn = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done"]
    # Our own process, which has the mark too, is none of those to be ended.
    env = {**os.environ, name: value}
    assert subprocess.run(words, env=env, check=False).returncode == 1
    with subprocess.Popen(["sleep", "60"], env=env) as main:
        assert subprocess.run(words, env=env, check=False).returncode == 0
        assert main.wait() == -signal.SIGTERM
    with subprocess.Popen(
        stubborn, env=env, stdout=subprocess.PIPE, start_new_session=True
    ) as main:
        assert main.stdout
        assert main.stdout.readline() == b"ready\n"
        assert subprocess.run(words, env=env, check=False).returncode == 1
        os.killpg(main.pid, signal.SIGKILL)
