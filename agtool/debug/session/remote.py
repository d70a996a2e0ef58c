"""Run a command in a container with our own streams, and give back its exit code."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from agtool.core.errors import NOT_FOUND, UnreachableError
from agtool.core.kube.channels import PROTOCOL
from agtool.core.kube.dial import is_about_the_upgrade, lacks_the_header
from agtool.core.kube.ended import Ended
from agtool.core.kube.exec import dial_container
from agtool.core.kube.plugin import without_a_person
from agtool.core.kube.upgraded import ProtocolError, RefusedError, Upgraded
from agtool.core.live import said_if_slow
from agtool.debug import hints
from agtool.debug.model import MARK, PLAIN_SHELL
from agtool.debug.session.exec import Ends, ExecError, run
from agtool.debug.session.terminal import Terminal, unblocked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agtool.core.kube.session import Session
    from agtool.debug.interrupts import Interrupts
    from agtool.debug.modes import Given
    from agtool.debug.session.forward import Forwards
    from agtool.debug.session.held import Holder
    from agtool.debug.session.lifeline import Lifeline
    from agtool.debug.session.record import Recording
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
    lifeline: Lifeline | None,
    holder: Holder,
    recording: Recording | None = None,
    shown: Sequence[str] = (),
    forwards: Forwards | None = None,
    stdio: tuple[int | None, int, int] = (0, 1, 2),
) -> Ended:
    """Run a command to its end.

    Args:
        pod: the path of the pod in the API.
        lifeline: of the session; None: the holder sees to it that the command ends with us.
        holder: of the command's streams, if it has no terminal.
        shown: the command as it was given, for the recording.
        forwards: ports, for as long as the command runs.
        stdio: our ends of the streams.

    Raises:
        ExecError: the server does not run it.
        NotRunningError: the container has ended.
        LostError: the connection broke: its end is unknown.
        DeniedError: no permission for pods/exec.
        UnreachableError: no connection.
        Stopped: a signal.
    """
    held = None if attached.terminal else holder
    query = {
        "container": container,
        "command": held.argv(command, stdin=attached.stdin) if held else command,
        "stdin": "true" if held else str(attached.stdin).lower(),
        "stdout": "true",
        "stderr": str(not attached.terminal).lower(),
        "tty": str(attached.terminal).lower(),
    }
    path = f"{pod}/exec?{urlencode(query, doseq=True)}"
    with ExitStack() as stack:
        # The API server asks the node's kubelet, which may not answer.
        slow = said_if_slow("waiting for the container's node to answer ...")
        with interrupts.allowed(), slow:
            connection = stack.enter_context(_open(session, path, container))
        if lifeline:
            stack.enter_context(lifeline)
        if forwards:
            stack.enter_context(forwards)
        with interrupts.allowed():  # in the background we are stopped here, until `fg`
            terminal = stack.enter_context(Terminal(0, 1)) if attached.terminal else None
        # A plugin that renews our log-in meanwhile must not read what is for the command.
        stack.enter_context(without_a_person(quiet=attached.terminal))
        stdout, stderr = (stack.enter_context(unblocked(number)) for number in stdio[1:])
        stdin = stdio[0] if attached.stdin else None
        lost = (lambda: lifeline.lost) if lifeline else str
        if recording:
            size = terminal.size() if terminal else (80, 24)
            stack.enter_context(recording).begin(size, shown)
        ends = Ends(stdin, stdout, stderr, terminal, held, command[0], recording, lost)
        return run(connection, ends, interrupts)


def _open(session: Session, path: str, container: str) -> Upgraded:
    """Open the connection; a kubelet may need a moment to know the container."""
    until = time.monotonic() + _STARTING
    while True:
        try:
            return dial_container(session, path, container, timeout=_CONNECT, known_by=until)
        except RefusedError as error:
            if error.status in {414, 431}:
                raise ExecError(
                    "the command line is longer than this API server accepts",
                    hint="Send a script as input instead: agtool debug -- sh <script.sh",
                ) from error
            raise _by_a_gateway(error, session.server) or error.reason from error
        except ProtocolError as error:
            raise _no_protocol() from error
        except UnreachableError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.5)


def _by_a_gateway(error: RefusedError, server: str) -> ExecError | None:
    """What an answer means that is about the connection, not about the command; None: it is not."""
    if not is_about_the_upgrade(error):
        return None
    if lacks_the_header(error):
        return ExecError(
            f"something between here and {server} takes the header Upgrade away, without which no "
            "command can be run",
            hint=_WAY_OUT,
        )
    if error.status in {400, 403} and not error.answer:  # as a server with other protocols says it
        return _no_protocol()
    kind = "an HTML page" if "<html" in error.answer.lower() else "a text of its own"
    return ExecError(
        f"a gateway before {server} answers the request for a WebSocket with {error.status} "
        f"and {kind}: not with what an API server says. With SPDY it does not work either",
        hint="It may be a log-in page, or a gateway that knows neither. " + _WAY_OUT,
    )


_WAY_OUT = (
    "A gateway or proxy must pass on the headers Upgrade, Connection and Sec-WebSocket-Protocol, "
    "or X-Stream-Protocol-Version for SPDY."
)


def _no_protocol() -> ExecError:
    return ExecError(
        f"the API server, or a gateway in front of it, does not open a WebSocket with {PROTOCOL}, "
        "nor a connection by SPDY, one of which agtool needs to run a command",
        hint=f"Kubernetes 1.30 and newer support the first, older ones SPDY. {_WAY_OUT}",
    )


def failure(
    ended: Ended, command: Sequence[str], shell: str | None, image: str, given: Given
) -> ExecError | None:
    """Why a command could not be run, with 126 or 127 if it was tried; None: it ran.

    given: what stands on the command line.
    """
    if not ended.message:
        return None
    # A pod that is kept starts a command by its shell.
    if ended.exit_code == NOT_FOUND and (not command or re.search(r"[\"`]sh[\"`]", ended.message)):
        error = ExecError(
            f"{image} has no {shell}" if shell else f"{image} has no shell: sh was not found",
            hint=hints.missing_program(given) if command else hints.missing_shell(given),
        )
    else:
        name = command[0] if command else shell or "sh"
        error = ExecError(
            f"cannot run {name}: {ended.message}",
            hint=hints.missing_program(given) if ended.exit_code == NOT_FOUND else "",
        )
    if ended.exit_code is not None:
        error.exit_code = ended.exit_code
    return error
