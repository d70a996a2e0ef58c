"""The keeper's side of `process`: what it does between agtool and the command."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

from agtool.core.errors import BUG, CANNOT_EXECUTE, NOT_FOUND
from agtool.core.output import write_traceback
from agtool.core.process.tree import (
    descendants,
    die_with_parent,
    kill_descendants,
    sees_processes,
    signal_group,
    signal_processes,
    weaknesses,
)
from agtool.core.signals import Wakeup, ignore, reap, wake_at

_LEAVE_TIME = 2.0
"""Seconds that background processes get to end by themselves after the command has ended."""


class Started(NamedTuple):
    """The command runs."""

    pid: int


class CannotRun(NamedTuple):
    """The command could not be started; exit_code is 126 or 127."""

    exit_code: int
    reason: str


class Uncontained(NamedTuple):
    """The command may outlive us: `reason` says why, `hint` what to do."""

    reason: str
    hint: str


class LeftBehind(NamedTuple):
    """The command has ended and left `number` processes, which are being ended now."""

    number: int


class Silent(NamedTuple):
    """No pulse came for `seconds`; the keeper is ending the command."""

    seconds: float


class Ended(NamedTuple):
    """The whole tree is gone; exit_code is the command's, 128+N for a signal."""

    exit_code: int


Event = Started | CannotRun | Uncontained | LeftBehind | Silent | Ended


class Task(NamedTuple):
    """What the keeper has to know.

    Attributes:
        argv: the command and its arguments.
        env: its environment.
        ignored: signals that it shall find ignored, although we handle them.
        keep_open: a descriptor that the whole tree shall hold (a lock's socket).
        patience: seconds after the last pulse in which the keeper ends the command.
        last_pulse: time.monotonic() of the first pulse; too old, and the command is not started.
        grace: seconds between SIGTERM and SIGKILL when the keeper does so by itself.
        on_orphaned: called in the keeper, after agtool died and the tree has gone.
    """

    argv: Sequence[str]
    env: Mapping[bytes, bytes]
    ignored: Sequence[signal.Signals]
    keep_open: int
    patience: float
    last_pulse: float
    grace: float
    on_orphaned: Callable[[], None]


def keep(control: socket.socket, task: Task, *, on_terminal: bool) -> NoReturn:
    """The keeper's whole life. It must never return into agtool's own code."""
    code = BUG
    try:
        if not on_terminal:
            os.setpgid(0, 0)  # whoever kills agtool's process group leaves the one who cleans up
        # FORWARDED has do-nothing handlers already, from Signals; SIG_IGN would be inherited.
        with Wakeup() as wakeup:
            wake_at(wakeup, signal.SIGCHLD, signal.SIGCONT)
            _Tree(control, task, wakeup, on_terminal).watch()
        code = 0
    except BaseException:  # noqa: BLE001  # reported, then the process is over
        write_traceback("bug")
    finally:
        os._exit(code)


class _Tree:
    """The command and its descendants, from the keeper's side."""

    def __init__(
        self, control: socket.socket, task: Task, wakeup: Wakeup, on_terminal: bool
    ) -> None:
        self.control = control
        self.task = task
        self.wakeup = wakeup
        self.on_terminal = on_terminal
        self.command = 0
        self.status: int | None = None
        self.leave_at = 0.0
        self.kill_at: float | None = None
        self.last_pulse = task.last_pulse
        self.buffer = b""
        self.strangers: set[int] = set()

    def watch(self) -> None:
        if time.monotonic() - self.last_pulse > self.task.patience:
            self.tell(Silent(self.task.patience))
            self.tell(Ended(BUG))
            return
        try:
            self.command = self.start()
        except OSError as error:
            code = NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE
            self.tell(CannotRun(code, error.strerror or str(error)))
            return
        self.tell(Started(self.command))
        while not self.is_gone():
            sources = [self.control.fileno(), self.wakeup.fileno()]
            readable, _, _ = select.select(sources, [], [], self.pause())
            # Read in any case: select() may return, its time over, just before the signal comes.
            if signal.SIGCONT in self.wakeup.drain():
                self.last_pulse = time.monotonic()  # we slept, so silence means nothing
            if self.control.fileno() in readable and not self.obey():
                kill_descendants(None if self.on_terminal else self.command)
                self.task.on_orphaned()
                return
            now = time.monotonic()
            if self.status is not None and self.kill_at is None and now >= self.leave_at:
                self.tell(LeftBehind(len(self.processes())))
                self.end(self.task.grace)
            if self.kill_at is None and now - self.last_pulse > self.task.patience:
                self.tell(Silent(self.task.patience))
                self.end(self.task.grace)
            if self.kill_at is not None and now >= self.kill_at:
                self.signal_each(signal.SIGKILL)
                if not self.on_terminal:
                    signal_group(self.command, signal.SIGKILL)  # where /proc does not show them
        # Without a child left the command has been reaped, so its status is known.
        code = os.waitstatus_to_exitcode(self.status or 0)
        self.tell(Ended(code if code >= 0 else 128 - code))

    def start(self) -> int:
        keeper = os.getpid()
        for weakness in weaknesses():
            self.tell(Uncontained(*weakness))

        def in_the_child() -> None:
            if not self.on_terminal:
                os.setpgid(0, 0)
            die_with_parent()
            if os.getppid() != keeper:  # it died before the line above
                os._exit(CANNOT_EXECUTE)
            ignore(self.task.ignored)

        os.set_inheritable(self.task.keep_open, True)
        # Kept, because a Popen that is deleted reaps its process behind our back.
        self.popen = subprocess.Popen(
            list(self.task.argv),
            env=dict(self.task.env),
            # What agtool was started with is the command's; agtool's own are not inheritable.
            close_fds=False,
            preexec_fn=in_the_child,  # noqa: PLW1509  # the keeper has one thread
        )
        return self.popen.pid

    def pause(self) -> float:
        """Seconds until something must be done without being woken."""
        if self.kill_at is None and self.status is None:
            return max(0.0, self.last_pulse + self.task.patience - time.monotonic()) + 0.01
        return 0.02

    def is_gone(self) -> bool:
        ended, any_left = reap()
        if self.command in ended:
            self.status = ended[self.command]
            self.popen.returncode = 0  # reaped here, so that Popen does not look for it
            self.leave_at = time.monotonic() + _LEAVE_TIME
        return not any_left

    def obey(self) -> bool:
        """Do what agtool says; False when it is gone."""
        try:
            data = self.control.recv(4096)
        except ConnectionError:
            data = b""
        *messages, self.buffer = (self.buffer + data).split(b"\n")
        for message in messages:
            verb, *value = message.split()
            if verb == b"pulse":
                self.last_pulse = max(self.last_pulse, float(value[0]))
            elif verb == b"signal":
                self.deliver(int(value[0]))
            elif verb == b"end":
                self.end(float(value[0]))
        return bool(data)

    def end(self, grace: float) -> None:
        self.kill_at = min(self.kill_at or float("inf"), time.monotonic() + grace)
        self.deliver(signal.SIGTERM)

    def deliver(self, number: int) -> None:
        # SIGCONT, since one that is stopped (reading from a terminal in the background, say)
        # would not see the signal, as timeout(1) does.
        for each in (number, signal.SIGCONT):
            # On a terminal its group is our own; without it, and of what it left, each process.
            by_group = not self.on_terminal and (self.status is None or not sees_processes())
            if not (by_group and signal_group(self.command, each)):
                self.signal_each(each)

    def signal_each(self, number: int) -> None:
        refused = set(signal_processes(self.processes(), number)) - self.strangers
        self.strangers |= refused
        for pid in sorted(refused):
            reason = f"process {pid} of the command is another user's, so agtool cannot end it"
            self.tell(Uncontained(reason, "End it as that user. agtool waits for it."))

    def processes(self) -> list[int]:
        return descendants(os.getpid()) or ([self.command] if self.status is None else [])

    def tell(self, event: Event) -> None:
        message = json.dumps([type(event).__name__, event._asdict()]).encode() + b"\n"
        with suppress(OSError):  # agtool is gone: obey() tells
            self.control.sendall(message)
