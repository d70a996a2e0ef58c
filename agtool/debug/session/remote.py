"""Run a command in a container with our own streams, and give back its exit code."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from agtool.core.errors import NOT_FOUND, UnreachableError
from agtool.core.kube.ended import Ended
from agtool.core.live import said_if_slow
from agtool.debug.model import MARK, PLAIN_SHELL
from agtool.debug.session.exec import Ends, ExecError, run
from agtool.debug.session.messages import PROTOCOL
from agtool.debug.session.terminal import Terminal, unblocked
from agtool.debug.session.websocket import ProtocolError, RefusedError, WebSocket, open_websocket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agtool.core.kube.session import Session
    from agtool.debug.interrupts import Interrupts
    from agtool.debug.session.lifeline import Lifeline
    from agtool.debug.session.streams import Attachment

_STARTING = 5.0
"""Seconds for which a container that has just started may still be unknown to its kubelet."""

_CONNECT = 30.0
"""Seconds for opening the connection."""

_FIND_SHELL = "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi"
"""bash where the image has it, else sh."""


def argv(
    command: Sequence[str], shell: str | None, *, runner: Sequence[str], mark: str
) -> list[str]:
    """What is executed in the container.

    Args:
        command: empty: a shell.
        shell: which one; None: the best that is there.
        runner: how a script is run, see `toolbox`.
        mark: of the session; empty: the container's environment has it already.
    """
    words = list(command) or ([shell] if shell else [])
    if words and tuple(runner) == PLAIN_SHELL and not mark:
        return words
    script = f'export {MARK}="$0"; ' if mark else ""
    script += 'exec "$@"' if words else _FIND_SHELL
    return [*runner, script, mark or "agtool", *words]


def execute(
    session: Session,
    pod: str,
    container: str,
    command: list[str],
    attached: Attachment,
    *,
    interrupts: Interrupts,
    lifeline: Lifeline,
) -> Ended:
    """Run a command to its end.

    Args:
        pod: the path of the pod in the API.
        lifeline: of the session.

    Raises:
        ExecError: the server does not run it.
        LostError: the connection broke: its end is unknown.
        DeniedError: no permission for pods/exec.
        UnreachableError: no connection.
        Stopped: a signal.
    """
    query = {
        "container": container,
        "command": command,
        "stdin": str(attached.stdin).lower(),
        "stdout": "true",
        "stderr": str(not attached.terminal).lower(),
        "tty": str(attached.terminal).lower(),
    }
    path = f"{pod}/exec?{urlencode(query, doseq=True)}"
    with ExitStack() as stack:
        # The API server asks the node's kubelet, which may not answer.
        slow = said_if_slow("waiting for the container's node to answer ...")
        with interrupts.allowed(), slow:
            websocket = stack.enter_context(_open(session, path))
        stack.enter_context(lifeline)
        terminal = stack.enter_context(Terminal(0, 1)) if attached.terminal else None
        stdout, stderr = (stack.enter_context(unblocked(number)) for number in (1, 2))
        stdin = 0 if attached.stdin else None
        return run(websocket, Ends(stdin, stdout, stderr, terminal), interrupts)


def _open(session: Session, path: str) -> WebSocket:
    """Open the connection; a kubelet may need a moment to know the container."""
    until = time.monotonic() + _STARTING
    while True:
        settings = session.websocket_settings()
        try:
            return open_websocket(settings, path, PROTOCOL, timeout=_CONNECT)
        except RefusedError as error:
            if _not_known_yet(error) and time.monotonic() < until:
                time.sleep(0.1)
                continue
            if error.status in {414, 431}:
                raise ExecError(
                    "the command line is longer than this API server accepts",
                    hint="Send a script as input instead: agtool debug -- sh <script.sh",
                ) from error
            if _no_upgrade(error):
                raise _no_protocol() from error
            raise error.reason from error
        except ProtocolError as error:
            raise _no_protocol() from error
        except UnreachableError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.5)


def _not_known_yet(error: RefusedError) -> bool:
    """Whether it is the kubelet that knows no such container, or pod: it has just been started.

    Source: pkg/kubelet/kubelet_pods.go and pkg/kubelet/server/server.go. That of the API server
    for a pod that is gone is another one.
    """
    return "container not found" in error.answer or error.answer == "pod does not exist"


def _no_upgrade(error: RefusedError) -> bool:
    """Whether an answer is about the WebSocket, not about the command.

    Whoever does not know the protocol answers with something else than a Status object. Where the
    header Upgrade was lost on the way, the API server asks for it.
    """
    if error.status not in {400, 403}:
        return False
    return not error.answer.startswith("{") or "Upgrade request required" in error.answer


def _no_protocol() -> ExecError:
    return ExecError(
        f"the API server, or a gateway in front of it, does not open a WebSocket with {PROTOCOL}, "
        "which agtool needs to run a command",
        hint="Kubernetes 1.30 and newer support it. A gateway must pass on the headers Upgrade and "
        "Sec-WebSocket-Protocol.",
    )


def failure(
    ended: Ended, command: Sequence[str], shell: str | None, image: str
) -> ExecError | None:
    """Why a command could not be run, with 126 or 127 if it was tried; None: it ran."""
    if not ended.message:
        return None
    # A pod that is kept starts a command by its shell.
    if ended.exit_code == NOT_FOUND and (not command or re.search(r"[\"`]sh[\"`]", ended.message)):
        error = ExecError(
            f"{image} has no shell: {shell or 'sh'} was not found",
            hint="Add one to a new pod with --tools busybox:musl, choose another --image, or name "
            "the path of a shell with --shell PATH.",
        )
    else:
        name = command[0] if command else shell or "sh"
        error = ExecError(f"cannot run {name}: {ended.message}")
    if ended.exit_code is not None:
        error.exit_code = ended.exit_code
    return error
