"""Run a command whose whole process tree ends with us, whatever happens to us.

    agtool --- keeper --- command --- its children ...

The keeper is a fork of agtool between agtool and the command. It reaps the tree, forwards
signals, stops the tree in bounded steps, and is there when agtool is killed with SIGKILL:

* agtool dies: the keeper reads end of file on their socket, kills the tree, then calls
  `on_orphaned` and exits. What it inherited (the descriptor of a lock) stays open until then.
* the keeper dies: the kernel kills the command (PR_SET_PDEATHSIG), and the rest of the tree
  becomes ours (PR_SET_CHILD_SUBREAPER), so that `kill_descendants` can kill it.
* agtool stops saying that all is well (`pulse`): the keeper ends the tree by itself.

Both are subreapers (prctl(2), Linux 3.4): a process that daemonises cannot leave the tree, and
"no child is left" (ECHILD) proves that the tree is gone. Systems other than Linux have neither
call, and a seccomp profile may deny them; there the process group stands for the tree, and the
keeper says so (`Uncontained`).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

from agtool.core.process.keeper import (
    CannotRun,
    Ended,
    Event,
    LeftBehind,
    Silent,
    Started,
    Task,
    Uncontained,
    keep,
)
from agtool.core.process.tree import adopt_orphans
from agtool.core.signals import in_foreground

_EVENTS: dict[str, Callable[..., Event]] = {
    kind.__name__: kind for kind in (Started, CannotRun, Uncontained, LeftBehind, Silent, Ended)
}


class Keeper:
    """A running command and what guards it; see the module's text."""

    def __init__(self, task: Task) -> None:
        # On a terminal the command stays in the foreground group with us, so that Ctrl-C,
        # Ctrl-Z, pipes to a pager and reading from the keyboard are as without agtool.
        self.on_terminal = in_foreground()
        adopt_orphans()
        self._socket, theirs = socket.socketpair()
        self._buffer = b""
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._socket.close()
            keep(theirs, task, on_terminal=self.on_terminal)
        theirs.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def events(self) -> Iterator[Event]:
        """What happened, to be called when readable.

        Raises:
            EOFError: the keeper is gone; call `kill_descendants`.
        """
        try:
            data = self._socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            raise EOFError
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            kind, values = json.loads(line)
            yield _EVENTS[kind](**values)

    def pulse(self, moment: float) -> None:
        """At `moment` (time.monotonic()) all was well. May be called from another thread."""
        self._send(f"pulse {moment}")

    def forward(self, number: signal.Signals) -> None:
        """Send a signal to the command's process group (on a terminal: to its processes).

        The keyboard's signals have reached the command already, so they are not repeated.
        """
        if not (self.on_terminal and number in (signal.SIGINT, signal.SIGQUIT)):
            self._send(f"signal {int(number)}")

    def end(self, grace: float) -> None:
        """End the tree: SIGTERM now, SIGKILL after `grace` seconds. `Ended` follows."""
        self._send(f"end {grace}")

    def _send(self, message: str) -> None:
        with suppress(OSError):  # the keeper is gone: events() tells
            self._socket.sendall(message.encode() + b"\n")

    def close(self) -> None:
        """Reap the keeper after `Ended`."""
        self._socket.close()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
