"""Run a command whose whole process tree ends with us, whatever happens to us.

    agtool --- keeper --- command --- its children ...

The keeper is a fork of agtool between agtool and the command. It reaps the tree, forwards
signals, stops the tree in bounded steps, and is there when agtool is killed with SIGKILL:

* agtool dies: the keeper reads end of file on their socket, kills the tree, then calls
  `on_orphaned` and exits. What it inherited (the descriptor of a lock) stays open until then.
* the keeper dies: the kernel kills the command (PR_SET_PDEATHSIG), and the rest of the tree
  becomes ours (PR_SET_CHILD_SUBREAPER), so that `Keeper.bury` can kill it.
* agtool stops saying that all is well (`pulse`): the keeper ends the tree by itself.

Both are subreapers (prctl(2), Linux 3.4): a process that daemonises cannot leave the tree, and
"no child is left" (ECHILD) proves that the tree is gone. Systems other than Linux have neither
call; there the process group stands for the tree.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from agtool.core.errors import BUG, CANNOT_EXECUTE, NOT_FOUND
from agtool.core.signals import do_nothing, in_foreground, reap

_LEAVE_TIME = 2.0
"""Seconds that background processes get to end by themselves after the command has ended."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


@dataclass(frozen=True)
class Started:
    """The command runs."""

    pid: int


@dataclass(frozen=True)
class CannotRun:
    """The command could not be started; exit_code is 126 or 127."""

    exit_code: int
    reason: str


@dataclass(frozen=True)
class LeftBehind:
    """The command has ended and left `count` processes, which are being ended now."""

    count: int


@dataclass(frozen=True)
class Silent:
    """No pulse came for `seconds`; the keeper is ending the command."""

    seconds: float


@dataclass(frozen=True)
class Ended:
    """The whole tree is gone; exit_code is the command's, 128+N for a signal."""

    exit_code: int


Event = Started | CannotRun | LeftBehind | Silent | Ended
_EVENTS: dict[str, Callable[..., Event]] = {
    kind.__name__: kind for kind in (Started, CannotRun, LeftBehind, Silent, Ended)
}


class Keeper:
    """A running command and what guards it; see the module's text.

    Args:
        argv: the command and its arguments.
        env: its environment.
        keep_open: a descriptor that the whole tree shall hold (a lock's socket).
        patience: seconds after the last pulse in which the keeper ends the command.
        last_pulse: time.monotonic() of the first pulse; too old, and the command is not started.
        grace: seconds between SIGTERM and SIGKILL when the keeper does so by itself.
        on_orphaned: called in the keeper, after agtool died and the tree has gone.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        keep_open: int,
        patience: float,
        last_pulse: float,
        grace: float,
        on_orphaned: Callable[[], None],
    ) -> None:
        # On a terminal the command stays in the foreground group with us, so that Ctrl-C,
        # Ctrl-Z, pipes to a pager and reading from the keyboard are as without agtool.
        self.on_terminal = in_foreground()
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._socket, theirs = socket.socketpair()
        self._buffer = b""
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._socket.close()
            _keep(
                theirs,
                _Plan(
                    argv=argv,
                    env=env,
                    keep_open=keep_open,
                    on_terminal=self.on_terminal,
                    patience=patience,
                    last_pulse=last_pulse,
                    grace=grace,
                    on_orphaned=on_orphaned,
                ),
            )
        theirs.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def events(self) -> Iterator[Event]:
        """What happened, to be called when readable.

        Raises:
            EOFError: the keeper is gone; call `bury`.
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

    def kill(self) -> None:
        """SIGKILL the keeper, which takes the command along; then `events` raises EOFError."""
        _signal_processes([self.pid], signal.SIGKILL)

    def bury(self) -> None:
        """After the keeper died: kill what is left of the tree, and reap it."""
        _kill_descendants()

    def close(self) -> None:
        """Reap the keeper after `Ended`."""
        self._socket.close()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def descendants(root: int) -> list[int]:
    """The process ids below `root`, parents first, from /proc (empty where there is none)."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            # The name in parentheses may hold anything, so count from the last parenthesis.
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found = [root]
    for pid in found:
        found.extend(parents.get(pid, ()))
    return found[1:]


def _signal_processes(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _kill_descendants() -> None:
    """SIGKILL until no child is left; what a dead parent leaves becomes our child."""
    pause = 0.005
    while reap()[1]:
        _signal_processes(descendants(os.getpid()), signal.SIGKILL)
        time.sleep(pause)
        pause = min(0.5, pause * 2)  # one that is not ours to kill may take long


@dataclass(frozen=True)
class _Plan:
    argv: Sequence[str]
    env: Mapping[str, str]
    keep_open: int
    on_terminal: bool
    patience: float
    last_pulse: float
    grace: float
    on_orphaned: Callable[[], None]


def _keep(control: socket.socket, plan: _Plan) -> NoReturn:
    """The keeper's whole life. It must never return into agtool's own code."""
    code = BUG
    try:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _Tree(control, plan, _keeper_signals()).watch()
        code = 0
    except BaseException:  # noqa: BLE001  # reported, then the process is over
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _keeper_signals() -> int:
    """A descriptor to select on. Only SIGCHLD and SIGCONT matter to the keeper.

    Signals for the command come from agtool.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    # FORWARDED has do-nothing handlers already, from Signals; SIG_IGN would be inherited.
    for number in (signal.SIGCHLD, signal.SIGCONT):
        signal.signal(number, do_nothing)
    return reader


class _Tree:
    """The command and its descendants, from the keeper's side."""

    def __init__(self, control: socket.socket, plan: _Plan, wakeup: int) -> None:
        self.control = control
        self.plan = plan
        self.wakeup = wakeup
        self.on_terminal = plan.on_terminal
        self.command = 0
        self.status: int | None = None
        self.leave_at = 0.0
        self.kill_at: float | None = None
        self.last_pulse = plan.last_pulse
        self.buffer = b""

    def watch(self) -> None:
        if time.monotonic() - self.last_pulse > self.plan.patience:
            self.tell(Silent(self.plan.patience))
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
            sources = [self.control.fileno(), self.wakeup]
            readable, _, _ = select.select(sources, [], [], self.pause())
            # Read in any case: select() may return, its time over, just before the signal comes.
            with suppress(BlockingIOError):
                if signal.SIGCONT in os.read(self.wakeup, 512):
                    self.last_pulse = time.monotonic()  # we slept, so silence means nothing
            if self.control.fileno() in readable and not self.obey():
                _kill_descendants()
                self.plan.on_orphaned()
                return
            now = time.monotonic()
            if self.status is not None and self.kill_at is None and now >= self.leave_at:
                self.tell(LeftBehind(len(self.processes())))
                self.end(self.plan.grace)
            if self.kill_at is None and now - self.last_pulse > self.plan.patience:
                self.tell(Silent(self.plan.patience))
                self.end(self.plan.grace)
            if self.kill_at is not None and now >= self.kill_at:
                _signal_processes(self.processes(), signal.SIGKILL)
        # Without a child left the command has been reaped, so its status is known.
        code = os.waitstatus_to_exitcode(self.status or 0)
        self.tell(Ended(code if code >= 0 else 128 - code))

    def start(self) -> int:
        keeper = os.getpid()

        def in_the_child() -> None:
            if not self.on_terminal:
                os.setpgid(0, 0)
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != keeper:  # it died before the line above
                os._exit(CANNOT_EXECUTE)

        # Kept, because a Popen that is deleted reaps its process behind our back.
        self.popen = subprocess.Popen(
            list(self.plan.argv),
            env=dict(self.plan.env),
            pass_fds=(self.plan.keep_open,),
            preexec_fn=in_the_child,  # noqa: PLW1509  # the keeper has one thread
        )
        return self.popen.pid

    def pause(self) -> float:
        """Seconds until something must be done without being woken."""
        if self.kill_at is None and self.status is None:
            return max(0.0, self.last_pulse + self.plan.patience - time.monotonic()) + 0.01
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
            if self.status is None and not self.on_terminal:
                with suppress(ProcessLookupError):
                    os.killpg(self.command, each)
            else:
                # The group may be somebody else's by now, or our own: signal each process.
                _signal_processes(self.processes(), each)

    def processes(self) -> list[int]:
        return descendants(os.getpid()) or ([self.command] if self.status is None else [])

    def tell(self, event: Event) -> None:
        message = json.dumps([type(event).__name__, event.__dict__]).encode() + b"\n"
        with suppress(OSError):  # agtool is gone: obey() tells
            self.control.sendall(message)
