"""What a command in a container prints, gathered: for commands that are short, and read nothing.

Over a WebSocket of the library websockets, which waits for us; a session at a terminal needs more
than that (debug.session).
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from agtool.core.errors import AgtoolError, UnreachableError
from agtool.core.kube.ended import Ended, read_status
from agtool.core.kube.errors import PROXY_HINT, CredentialsError, refusal
from agtool.core.kube.tunnel import FAILURES
from agtool.core.kube.tunnel import connect as tunnelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.sync.client import ClientConnection

    from agtool.core.kube.pool import WebSocketSettings
    from agtool.core.kube.session import Session

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
"""Each message is one byte, the channel, and data. We send none, in which alone they differ."""

_STDOUT, _STDERR, _STATUS = 1, 2, 3

_LAST_WORDS = 2.0
"""Seconds without a message, after the command's end, until nothing more is waited for."""

_MOST = 8 * 1024 * 1024
"""Bytes of output that are taken."""


class OutputTooLongError(AgtoolError):
    """The command prints more than anybody wants to read."""

    exit_code = 4
    code = "exec"


@dataclass(frozen=True)
class Printed:
    """What a command has printed, and how it ended."""

    stdout: bytes
    stderr: bytes
    ended: Ended


def run(
    session: Session, pod: str, container: str, command: Sequence[str], *, timeout: float
) -> Printed:
    """Run a command in a container to its end, without anything to read.

    Args:
        pod: its path in the API.
        timeout: seconds for all of it. A command that has not ended by then goes on without us.

    Raises:
        UnreachableError: no connection, no answer in time, or it broke.
        ForbiddenError: no permission for pods/exec.
        ConflictError, NotFoundError and others: as the API server refuses.
        OutputTooLongError
    """
    query = {"container": container, "command": list(command), "stdout": "true", "stderr": "true"}
    path = f"{pod}/exec?{urlencode(query, doseq=True)}"
    until = time.monotonic() + timeout
    with ExitStack() as stack:
        settings = session.websocket_settings()
        try:
            websocket = _open(stack, settings, path, timeout)
        except CredentialsError:
            if not session.renew(settings):
                raise
            websocket = _open(stack, session.websocket_settings(), path, timeout)
        return _gather(websocket, session.server, until, timeout)


def _open(
    stack: ExitStack, settings: WebSocketSettings, path: str, timeout: float
) -> ClientConnection:
    from websockets.exceptions import InvalidHandshake, InvalidStatus
    from websockets.sync.client import connect
    from websockets.typing import Subprotocol

    server = settings.url.replace("ws", "http", 1)
    pairs = (header.partition(": ") for header in settings.headers)
    headers = [(name, value) for name, _, value in pairs]
    tls = settings.tls if settings.url.startswith("wss:") else None
    try:
        tunnel = None
        if settings.proxy:
            url = urlsplit(settings.url)
            port = url.port or (443 if tls else 80)
            tunnel = tunnelled(url.hostname or "", port, settings.proxy, timeout)
            tunnel.settimeout(None)
        return stack.enter_context(
            connect(
                settings.url + path,
                sock=tunnel,
                ssl=tls,
                server_hostname=settings.server_name if tls else None,
                subprotocols=[Subprotocol(each) for each in PROTOCOLS],
                additional_headers=headers,
                user_agent_header=None,
                proxy=None,
                compression=None,
                open_timeout=timeout,
                close_timeout=2,
                ping_interval=None,  # `timeout` ends it before a proxy would
                max_size=_MOST,
            )
        )
    except InvalidStatus as error:
        body = bytes(error.response.body or b"")
        request = f"GET {path.partition('?')[0]}"
        status = error.response.status_code
        # Whoever does not know the protocol answers with something else than a Status object.
        unknown = status in (400, 403) and not body.startswith(b"{")
        if status < 400 or unknown or b"Upgrade request required" in body:
            raise UnreachableError(
                f"{server}, or a gateway in front of it, opens no WebSocket, which a command in a "
                "container needs",
                hint="A gateway must pass on the headers Upgrade and Sec-WebSocket-Protocol.",
            ) from error
        raise refusal(status, body, request=request, server=server, context="") from error
    except TimeoutError as error:
        raise UnreachableError(
            f"{server} took the request for a command in a container and has not answered for "
            f"{timeout:.0f} s",
            hint="Check that the container's node is up: kubectl get nodes",
        ) from error
    except (*FAILURES, InvalidHandshake) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        through, hint = (" through the proxy", PROXY_HINT) if settings.proxy else ("", "")
        raise UnreachableError(f"cannot reach {server}{through}: {why}", hint=hint) from error


def _gather(websocket: ClientConnection, server: str, until: float, timeout: float) -> Printed:
    """Read until the server has said how the command ended, and closes."""
    from websockets.exceptions import ConnectionClosed

    channels = {_STDOUT: bytearray(), _STDERR: bytearray()}
    ended: Ended | None = None
    while True:
        left = max(0.0, until - time.monotonic())
        try:
            message = websocket.recv(
                timeout=min(left, _LAST_WORDS) if ended else left, decode=False
            )
        except (ConnectionClosed, TimeoutError) as error:
            if ended:
                return Printed(bytes(channels[_STDOUT]), bytes(channels[_STDERR]), ended)
            if isinstance(error, TimeoutError):
                raise UnreachableError(
                    f"a command in a container has not ended within {timeout:.0f} s",
                    hint="The container may have too little CPU, or the command waits for "
                    "something.",
                ) from error
            raise UnreachableError(
                f"{server} closed the connection without saying how the command ended",
                hint="Run the command again.",
            ) from error
        channel, data = (message[0], message[1:]) if message else (_STDOUT, b"")
        if channel in channels:
            channels[channel] += data
            if sum(map(len, channels.values())) > _MOST:
                raise OutputTooLongError("a command in a container prints more than 8 MiB")
        elif channel == _STATUS and data:
            ended = read_status(bytes(data))
