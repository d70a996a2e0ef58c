"""What ends a session's processes when its connection is gone.

A container runtime leaves a command alone whose client has vanished: a shell on a terminal goes
on for as long as its pod (kubernetes/kubernetes#89031). But a command without a terminal reads
the end of its input then. So a second command runs beside each session, with nothing to do but
to wait for that, and to end every process that has the session's mark in its environment.
"""

from __future__ import annotations

import os
import select
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from agtool.core.errors import AgtoolError
from agtool.core.kube.channels import STATUS, STDIN
from agtool.core.kube.dial import dial
from agtool.debug.model import MARK
from agtool.debug.session.exec import PING_EVERY
from agtool.debug.session.held import holder_of
from agtool.debug.session.messages import decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agtool.core.kube.session import Session
    from agtool.core.kube.upgraded import Upgraded

GRACE = 20
"""Seconds after which a lost session is ended. When only this connection broke, a new one is made
in that time, or the session's own shows that it stands."""

END, LEAVE = b"end\n", b"leave\n"
"""The last word: end the processes now; leave them alone."""

# $1 is the session's mark; $0 names us in the list of processes. It needs sleep and grep. It is
# sent as the first line of input, since the list of processes would show all of it else.
#
# Where this connection is lost, the session's own may stand. On a terminal nothing shows that but
# its size, which agtool changes for a moment then (`stty` tells it). Without a terminal, what holds
# the command's streams ends when they break; and so it is waited for.
_SCRIPT = (
    "each() {{ for file in /proc/[0-9]*/$1; do "
    "id=${{file%/*}}; id=${{id##*/}}; "
    '[ "$id" = $$ ] || ! grep -q "$2" "$file" 2>/dev/null || $3 "$id" 2>/dev/null; '
    "done; }}; "
    "leave() {{ exit 0; }}; "
    'on=; find() {{ if [ -z "$on" ] && [ -t 0 ] <"/proc/$1/fd/0"; then on=$1; fi; }}; '
    'size() {{ stty size <"/proc/$on/fd/0"; }}; '
    "held=; hold() {{ held=y; }}; "
    "lost() {{ "
    'each environ "{mark}=$1" find; '
    'if [ -n "$on" ]; then was=$(size 2>/dev/null); n=0; while [ $n -lt {grace} ]; do sleep 1; '
    'now=$(size 2>/dev/null); [ -z "$now" ] || [ "$now" = "$was" ] || exit 0; n=$((n+1)); done; '
    '[ -n "$was" ] || exit 0; '
    "else sleep {grace}; while :; do held=; "
    'each cmdline "$0" leave; each cmdline "{holder}" hold; [ -n "$held" ] || break; sleep 5; '
    "done; fi; }}; "
    'word=; read -r word || lost "$1"; '
    '[ "$word" != leave ] || exit 0; '
    '[ "$word" = end ] || each cmdline "$0" leave; '
    'each environ "{mark}=$1" "kill -HUP"; sleep 1; each environ "{mark}=$1" "kill -KILL"\n'
)

_READ_SCRIPT = 'read -r script && eval "$script"'

_PATIENCE = 2.0
"""Seconds for a new connection, before anybody is told of it."""

_RARELY = 60.0
"""Seconds between two attempts, at most: each may run a log-in plugin."""

_GOODBYE = 3.0
"""Seconds for the last word to be obeyed."""


class Lifeline:
    """A session's lifeline; use as a context. Without a shell in the container there is none.

    Args:
        pod: the path of the pod in the API.
        shell: how the container's shell is called.
        mark: what the session's processes have in their environment, in the variable MARK.
        last_word: what is said when the context ends.
    """

    def __init__(
        self,
        session: Session,
        pod: str,
        container: str,
        *,
        shell: Sequence[str] = ("sh", "-c"),
        mark: str,
        last_word: bytes,
    ) -> None:
        query = {
            "container": container,
            "command": [*shell, _READ_SCRIPT, f"agtool-lifeline-{mark}", mark],
            "stdin": "true",
            "stdout": "true",
        }
        self._mark = mark
        self._broke: float | None = None
        self._why = ""
        self._session = session
        self._path = f"{pod}/exec?{urlencode(query, doseq=True)}"
        self._last_word = last_word
        self._thread = threading.Thread(target=self._hold, daemon=True)

    def __enter__(self) -> Lifeline:
        self._reader, self._writer = os.pipe()
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        os.close(self._writer)  # the thread reads the end of the pipe
        # Whoever was interrupted does not wait: without a last word the session ends a bit later.
        self._thread.join(0 if kind else _GOODBYE + 1)

    @property
    def lost(self) -> str:
        """Why the connection is not there, once it was and could not be made anew at once.

        Empty: it is there.
        """
        if self._broke is None or time.monotonic() - self._broke < _PATIENCE:
            return ""
        return self._why

    def _hold(self) -> None:
        """Keep a connection open, a new one after each that breaks."""
        wait, pause = 0.0, 1.0
        while not select.select([self._reader], [], [], wait)[0]:
            wait = pause = min(2 * pause, _RARELY)
            try:
                with dial(self._session, self._path, timeout=10) as connection:
                    script = _SCRIPT.format(grace=GRACE, mark=MARK, holder=holder_of(self._mark))
                    connection.send(encode(STDIN, script.encode()))
                    self._broke, wait, pause = None, 0.0, 1.0
                    try:
                        if self._watch(connection):
                            return
                    finally:
                        self._broke = time.monotonic()
                self._why = "it broke"
            except AgtoolError as error:
                self._why = error.message

    def _watch(self, connection: Upgraded) -> bool:
        """Return True when there is nothing more to hold."""
        goodbye = 0.0
        while not connection.over and not (goodbye and time.monotonic() > goodbye):
            connection.flush()
            waiting = [connection.fileno(), *([] if goodbye else [self._reader])]
            ready = select.select(waiting, [], [], 1 if goodbye else PING_EVERY)[0]
            if self._reader in ready:
                connection.send(encode(STDIN, self._last_word))
                goodbye = time.monotonic() + _GOODBYE
            if connection.fileno() in ready:
                if any(decode(message)[0] == STATUS for message in connection.receive()):
                    return True  # there is no shell, or it has done what it was told
            else:
                connection.ping()
        return bool(goodbye)
