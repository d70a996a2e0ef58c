"""What the tests of the cluster share."""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
import websocket

from tests.cluster.api import Api, Login, Object

STDOUT, STDERR, STATUS = 1, 2, 3
"""Channels of exec: the first byte of each message."""


class Executed(NamedTuple):
    """What a command in a container wrote, and its exit code."""

    code: int
    stdout: bytes
    stderr: bytes


def eventually(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Return as soon as `condition()` is true. Raises AssertionError with `what`."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


def run_pod(api: Api, namespace: str, name: str, image: str, **more: object) -> None:
    """Return when a pod of this image runs; more: of its spec."""
    container = {"name": "main", "image": image, "imagePullPolicy": "Never"}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1, **more}
    pods = f"/api/v1/namespaces/{namespace}/pods"
    api.post(pods, {"metadata": {"name": name}, "spec": spec})
    eventually(lambda: phase(api.get(f"{pods}/{name}")) == "Running", f"{name} runs")


def phase(pod: Object) -> str:
    return str(pod["status"]["phase"])


def can_execute(login: Login, namespace: str, pod: str) -> bool:
    """Whether a command can be run in a pod: a kubelet that has just started knows none yet."""
    try:
        return execute(login, namespace, pod, "true").code == 0
    except websocket.WebSocketBadStatusException as refused:
        if refused.status_code == httpx.codes.NOT_FOUND:
            return False
        raise


def execute(login: Login, namespace: str, pod: str, *command: str) -> Executed:
    """Run a command in the only container of a pod, over a WebSocket, to its end."""
    words = [("stdout", "true"), ("stderr", "true"), *(("command", word) for word in command)]
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec?{urlencode(words)}"
    written = {STDOUT: b"", STDERR: b"", STATUS: b""}
    connection: Any = websocket.create_connection(
        str(httpx.URL(login.url).copy_with(scheme="wss").join(path)),
        sslopt={"context": login.context},
        header=login.headers,
        subprotocols=["v4.channel.k8s.io"],
        timeout=30,
    )
    try:
        while isinstance(message := connection.recv(), bytes) and message:
            written[message[0]] += message[1:]
    finally:
        # close() would leave the socket, when the server was the first to close.
        connection.shutdown()
    status = json.loads(written[STATUS])
    code = 0
    if status["status"] != "Success":
        (code,) = [
            int(c["message"]) for c in status["details"]["causes"] if c["reason"] == "ExitCode"
        ]
    return Executed(code, written[STDOUT], written[STDERR])
