"""What a command in a container prints, gathered: for commands that are short, and read nothing."""

from __future__ import annotations

import select
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from agtool.core.errors import AgtoolError, UnreachableError
from agtool.core.kube.channels import STATUS, STDERR, STDOUT
from agtool.core.kube.ended import Ended, read_status
from agtool.core.kube.upgraded import LostError, ProtocolError, RefusedError, Upgraded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agtool.core.kube.session import Session

_LAST_WORDS = 2.0
"""Seconds without a message, after the command's end, until nothing more is waited for."""

_MOST = 8 * 1024 * 1024
"""Bytes of output that are taken."""


class OutputTooLongError(AgtoolError):
    """The command prints more than anybody wants to read."""

    exit_code = 4
    code = "exec"


class NotRunningError(AgtoolError):
    """The container's node knows no such container that runs, whatever the pod's status says."""

    exit_code = 4
    code = "not-running"


@dataclass(frozen=True)
class Printed:
    """What a command has printed, and how it ended."""

    stdout: bytes
    stderr: bytes
    ended: Ended


def run(
    session: Session,
    pod: str,
    container: str,
    command: Sequence[str],
    *,
    timeout: float,
    patience: float = 0.0,
) -> Printed:
    """Run a command in a container to its end, without anything to read.

    Args:
        pod: its path in the API.
        timeout: seconds for all of it. A command that has not ended by then goes on without us.
        patience: seconds for which a container that has just been started may be unknown to its
            kubelet.

    Raises:
        UnreachableError: no connection, no answer in time, or it broke.
        ForbiddenError: no permission for pods/exec.
        NotRunningError: the container has ended.
        ConflictError, NotFoundError and others: as the API server refuses.
        OutputTooLongError
    """
    query = {"container": container, "command": list(command), "stdout": "true", "stderr": "true"}
    path = f"{pod}/exec?{urlencode(query, doseq=True)}"
    began = time.monotonic()
    until = began + timeout
    with _open(session, path, container, timeout, began + patience) as connection:
        return _gather(connection, session.server, until, timeout)


def dial_container(
    session: Session, path: str, container: str, *, timeout: float, known_by: float
) -> Upgraded:
    """Ask for a command in a container that runs, or has just been started.

    Args:
        path: of the pod's exec, with its query.
        container: its name, for the error.
        timeout: seconds for connecting and for each answer of the server.
        known_by: until when its kubelet may not know it yet, by time.monotonic().

    Raises:
        NotRunningError: the container has ended.
        RefusedError and others: as of `dial`.
    """
    from agtool.core.kube.dial import dial

    while True:
        try:
            return dial(session, path, timeout=timeout)
        except RefusedError as error:
            if not error.container_does_not_run:
                raise
            if time.monotonic() >= known_by:
                raise NotRunningError(f"container {container} does not run any more") from error
        time.sleep(0.1)


def _open(session: Session, path: str, container: str, timeout: float, known_by: float) -> Upgraded:
    from agtool.core.kube.dial import is_about_the_upgrade

    try:
        return dial_container(session, path, container, timeout=timeout, known_by=known_by)
    except (ProtocolError, RefusedError) as error:
        if isinstance(error, RefusedError) and not is_about_the_upgrade(error):
            raise error.reason from error
        raise UnreachableError(
            f"{session.server}, or a gateway in front of it, opens no WebSocket, nor a connection "
            "by SPDY, one of which a command in a container needs",
            hint="A gateway must pass on the headers Upgrade and Sec-WebSocket-Protocol.",
        ) from error


def _gather(connection: Upgraded, server: str, until: float, timeout: float) -> Printed:
    """Read until the server has said how the command ended, and closes."""
    channels = {channel: bytearray() for channel in (STDOUT, STDERR, STATUS)}
    messages = connection.messages()  # they came together with the server's answer
    while True:
        for message in filter(None, messages):
            channels.get(message[0], bytearray()).extend(message[1:])
        if sum(map(len, channels.values())) > _MOST:
            raise OutputTooLongError("a command in a container prints more than 8 MiB")
        ended = read_status(bytes(channels[STATUS])) if channels[STATUS] else None
        if connection.over:
            break
        left = max(0.0, until - time.monotonic())
        wait = min(left, _LAST_WORDS) if ended else left
        if not (connection.decrypted or select.select([connection], [], [], wait)[0]):
            if ended:
                break
            raise UnreachableError(
                f"a command in a container has not ended within {timeout:.0f} s",
                hint="The container may have too little CPU, or the command waits for something.",
            )
        try:
            messages = connection.receive()
        except LostError:
            break
        connection.flush()  # the answer to a ping
    if ended is None:
        raise UnreachableError(
            f"{server} closed the connection without saying how the command ended",
            hint="Run the command again.",
        )
    return Printed(bytes(channels[STDOUT]), bytes(channels[STDERR]), ended)
