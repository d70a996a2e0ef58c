"""Start processes, measure what they cost, and leave none behind."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PATIENCE = 300.0
"""Seconds after which a process that should have ended long ago stops the bench."""


class Process(NamedTuple):
    """A running process, leader of a session of its own. began: on time.monotonic."""

    pid: int
    watch: int
    argv: Sequence[str]
    began: float


class Cost(NamedTuple):
    """What a process, or several at once, cost, in seconds.

    wall: from the (first) start to the (last) end. cpu: user and system, of the process and of
    all below it that was waited for. ended: the last end, on the clock of time.time, which is
    also PostgreSQL's.
    """

    wall: float
    cpu: float
    ended: float


class Failed(Exception):
    """A process ended otherwise than it should; the message ends with what all have said."""


class Processes:
    """Starts processes; on leaving the `with`, whatever still runs of them is killed."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "processes.log"
        self._null = os.open(os.devnull, os.O_RDONLY)
        self._output = os.open(self._log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._running: dict[int, Process] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill(list(self._running.values()))
        os.close(self._null)
        os.close(self._output)

    def start(self, argv: Sequence[str | Path], env: Mapping[str, str]) -> Process:
        """Start a program with its output in a log, and without a terminal."""
        words = [str(word) for word in argv]
        began = time.monotonic()
        pid = os.posix_spawnp(
            words[0],
            words,
            dict(env),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, self._null, 0),
                (os.POSIX_SPAWN_DUP2, self._output, 1),
                (os.POSIX_SPAWN_DUP2, self._output, 2),
            ],
            setsid=True,
        )
        process = Process(pid, os.pidfd_open(pid), words, began)
        self._running[pid] = process
        return process

    def run(self, argv: Sequence[str | Path], env: Mapping[str, str]) -> Cost:
        """Run a program to its end, which must be 0."""
        return self.wait([self.start(argv, env)])

    def wait(self, processes: Sequence[Process]) -> Cost:
        """Wait for all of them; each must end with 0. Raises Failed, after PATIENCE too."""
        cost, left = self.wait_until(time.monotonic() + PATIENCE, processes)
        if left:
            raise Failed(f"not ended after {PATIENCE:.0f} s: {left[0].argv}{self._said()}")
        return cost

    def wait_until(
        self, give_up: float, processes: Sequence[Process]
    ) -> tuple[Cost, list[Process]]:
        """Wait for all of them, but not beyond `give_up`; also return those that still run."""
        left = {process.watch: process for process in processes}
        poll = select.poll()
        for watch in left:
            poll.register(watch, select.POLLIN)
        cpu = 0.0
        while left:
            ready = poll.poll(max(0.0, give_up - time.monotonic()) * 1000)
            if not ready:
                break
            for watch, _ in ready:
                poll.unregister(watch)
                cpu += self._reap(left.pop(watch))
        began = min(process.began for process in processes)
        return Cost(time.monotonic() - began, cpu, time.time()), list(left.values())

    def kill(self, processes: Sequence[Process]) -> None:
        """Kill them with everything in their sessions, and reap them."""
        for process in processes:
            while members := _members(process.pid):
                for pid in members:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.005)
            if process.pid in self._running:
                os.waitpid(process.pid, 0)
                self._forget(process)

    def _reap(self, process: Process) -> float:
        """Return its CPU seconds. Raises Failed unless it exited with 0."""
        _, status, usage = os.wait4(process.pid, 0)
        self._forget(process)
        code = os.waitstatus_to_exitcode(status)
        if code != 0:
            raise Failed(f"ended with {code}: {process.argv}{self._said()}")
        return usage.ru_utime + usage.ru_stime

    def _forget(self, process: Process) -> None:
        del self._running[process.pid]
        os.close(process.watch)

    def _said(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-60:]
        return "".join(f"\n  {line}" for line in lines)


def _members(session: int) -> list[int]:
    """The live processes of a session, zombies left out, from /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            # The name in parentheses may hold anything, so count from the last parenthesis.
            state, _, _, number, *_ = (
                (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            )
            if int(number) == session and state != "Z":
                found.append(int(entry.name))
    return found


def cpu_with_children(pid: int) -> float:
    """CPU seconds of a process and of all its children that have ended, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
