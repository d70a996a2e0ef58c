"""Working: the command runs under the lock, and neither outlives the other."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from agtool.core.errors import WRAPPER_FAILED, AgtoolError, DeniedError
from agtool.core.finding import Finding
from agtool.core.output import say
from agtool.core.process.command import Keeper
from agtool.core.process.keeper import (
    CannotRun,
    Ended,
    Event,
    LeftBehind,
    Silent,
    Started,
    Task,
    Uncontained,
)
from agtool.core.process.tree import kill_descendants, signal_processes
from agtool.core.signals import Signals, reap
from agtool.core.text import count
from agtool.migrate_once.backend import Backend, Lock, LockLost
from agtool.migrate_once.model import HEARTBEAT, MARGIN, NOTICE, Attempt, Outcome, time_to_die

if TYPE_CHECKING:
    from agtool.migrate_once.acquire import Acquired, Job


def supervise(job: Job, got: Acquired, signals: Signals, waited: float) -> Outcome:
    """Run the command to its end under the lock, record how it ended, and release the lock.

    Returns when the whole process tree is gone, and not before. The lock is released in
    `_Work._finish`, or it is lost.

    Args:
        waited: seconds until the lock was held.

    Raises:
        DeniedError: the system lets us start no process.
    """
    lock, attempt, proven_at = got
    backend, grace = job.backend, job.kill_grace
    started_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    try:
        keeper = Keeper(
            Task(
                job.argv,
                env={**job.env, **_encoded(backend.environment(attempt))},
                ignored=signals.ignored,
                keep_open=lock.keep_open,
                patience=NOTICE,
                last_pulse=proven_at,
                grace=grace,
                on_orphaned=lambda: _record_orphaned(backend, attempt),
            )
        )
    except OSError as error:
        lock.finish("lost", WRAPPER_FAILED)
        raise DeniedError(f"cannot start a process: {error.strerror}") from error
    work = _Work(keeper, _Heartbeat(lock, keeper), lock, backend, attempt, grace)
    work.heartbeat.start()
    began = time.monotonic()
    while not work.over:
        heartbeat = [work.heartbeat.news] if work.heartbeat.lost is None else []
        left = None if work.give_up is None else max(0.0, work.give_up - time.monotonic())
        select.select([signals.fileno(), keeper.fileno(), *heartbeat], [], [], left)
        if left == 0:
            # It is stopped itself, perhaps. It takes the command along, and its events end.
            signal_processes([keeper.pid], signal.SIGKILL)
        for number in signals.drain():
            work.signal = number
            keeper.forward(number)
        reap()  # as PID 1 we get orphans that are nobody else's
        if work.heartbeat.lost is not None:
            work.lose(str(work.heartbeat.lost))
        work.read_events()
    ran = time.monotonic() - began
    marked_done = work.conclude()
    keeper.close()
    lost = work.lost is not None
    return Outcome(
        outcome="lock-lost" if lost else "ran" if work.cannot_run is None else "cannot-run",
        exit_code=WRAPPER_FAILED if lost else work.exit_code,
        run_id=attempt.run_id,
        waited_seconds=waited,
        ran_seconds=round(ran, 3),
        started_at=started_at,
        signal=work.signal.name if work.signal else None,
        reason=work.lost or work.cannot_run,
        marked_done=marked_done,
        warnings=work.warnings,
    )


def _encoded(variables: Mapping[str, str]) -> dict[bytes, bytes]:
    return {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}


class _Heartbeat:
    """The thread that proves every second that the lock is held, and tells the keeper so."""

    def __init__(self, lock: Lock, keeper: Keeper) -> None:
        self._lock = lock
        self._keeper = keeper
        self.command: int | None = None
        self.lost: Exception | None = None
        self.news, self._tell = os.pipe()
        self._stopped, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self.start = self._thread.start

    def stop(self, seconds: float) -> bool:
        """Stop beating; whether the lock is free to be used by the caller, and held."""
        os.close(self._stop)
        self._thread.join(seconds)
        return not self._thread.is_alive() and self.lost is None

    def _beat(self) -> None:
        began = time.monotonic()
        while True:
            watched = [self._stopped, *self._lock.watch]
            # From beginning to beginning: a slow answer must not delay the next proof.
            pause = max(0.0, began + HEARTBEAT - time.monotonic())
            readable, _, _ = select.select(watched, [], [], pause)
            if self._stopped in readable:
                return
            began = time.monotonic()
            try:
                self._lock.check(self.command)
            except Exception as error:  # noqa: BLE001  # what cannot be proven is lost
                self.lost = error
                os.close(self._tell)
                return
            self._keeper.pulse(began)


@dataclass
class _Work:
    keeper: Keeper
    heartbeat: _Heartbeat
    lock: Lock
    backend: Backend
    attempt: Attempt
    grace: float
    over: bool = False
    exit_code: int = WRAPPER_FAILED
    signal: signal.Signals | None = None
    lost: str | None = None
    cannot_run: str | None = None
    left_behind: bool = False
    warnings: list[Finding] = field(default_factory=list)
    stopper: threading.Thread | None = None
    give_up: float | None = None

    def read_events(self) -> None:
        """What the keeper has to say."""
        if not select.select([self.keeper.fileno()], [], [], 0)[0]:
            return
        try:
            for event in self.keeper.events():
                self._handle(event)
        except EOFError:
            # Its own group only where it has one: on a terminal that is ours.
            group = None if self.keeper.on_terminal else self.heartbeat.command
            kill_descendants(group)  # what is left of its tree
            self.lose("the process that guards the command was killed")
            self.over = True

    def _handle(self, event: Event) -> None:
        match event:
            case Started(pid):
                self.heartbeat.command = pid
            case CannotRun(code, reason):
                self.exit_code, self.cannot_run, self.over = code, reason, True
            case Uncontained(reason, hint):
                self.warn(Finding("uncontained", reason, hint))
            case LeftBehind(number):
                self.left_behind = True
                # None where /proc shows none: then it is only known that there are some.
                left = count(number, "process", "processes") if number else "processes"
                say(f"the command left {left} behind; stopping what it left")
            case Silent(seconds):
                self.lose(f"no answer from the database for {seconds:.0f} s")
            case Ended(code):
                self.exit_code, self.over = code, True

    def warn(self, finding: Finding) -> None:
        """Say it now, and in the result."""
        self.warnings.append(finding)
        say(f"warning: {finding.message}\n{finding.hint}")

    def lose(self, reason: str) -> None:
        """The lock is lost: end the command, and what it runs on the server."""
        if self.lost is not None:
            return
        self.lost = reason
        self.keeper.end(self.grace)
        self.give_up = time.monotonic() + self.grace + MARGIN / 2
        say(f"the lock was lost ({reason}); ending the command")
        self.stopper = threading.Thread(target=self._stop_statements, daemon=True)
        self.stopper.start()

    def conclude(self) -> bool:
        """Record the end, release the lock; whether the key is done now."""
        done = self.exit_code == 0 and self.signal is None and not self.left_behind
        quiet = True
        # A killed process's statement goes on in the server, and would commit under the next
        # holder's feet. A command that ended well may have killed one too (timeout 1 psql ...);
        # but behind a pooler we would rather not disturb others for that.
        if self.lost is None and not (done and self.lock.pooled):
            quiet = self._stop_statements()
        if self.lost is None:
            self._finish("done" if done else "failed", quiet)
        if self.lost is not None:
            self._end_without_lock()
        return self.lost is None and done and quiet and self.attempt.key is not None

    def _finish(self, state: str, quiet: bool) -> None:
        """Record the end and release the lock, or set `lost`.

        quiet: nothing of the command runs on the server. Otherwise the run stays unfinished, so
        that the successor waits for its statements.
        """

        def finish() -> None:
            try:
                if quiet:
                    self.lock.finish(state, self.exit_code)
                else:
                    self.lock.release()
            except LockLost as error:
                self.lost = str(error)

        if not (self.heartbeat.stop(NOTICE) and within(NOTICE, finish)) and self.lost is None:
            self.lost = str(self.heartbeat.lost or "no answer from the database")

    def _end_without_lock(self) -> None:
        """The command is dead. A successor waits for our word, so give it, if we still can."""

        def record() -> None:
            if self.stopper is not None:
                self.stopper.join()
            if not self._stop_statements():
                return
            try:
                self.backend.record_end(self.attempt.run_id, "lost", self.exit_code)
            except AgtoolError as error:
                say(f"cannot record the end of this run: {error.message}")

        within(NOTICE, record)

    def _stop_statements(self) -> bool:
        return stop_statements(self.backend, self.attempt.run_id, time_to_die(self.grace))


def stop_statements(backend: Backend, run_id: str, seconds: float) -> bool:
    """Stop the run's statements on the server; whether none is left after `seconds`."""
    deadline = time.monotonic() + seconds
    problem = "they have not ended yet"
    while time.monotonic() < deadline:
        try:
            if backend.stop_statements([run_id]) == 0:
                return True
        except AgtoolError as error:
            problem = error.message
        time.sleep(0.1)
    say(f"cannot stop the command's statements on the server: {problem}")
    return False


def within(seconds: float, call: Callable[[], None]) -> bool:
    """Call in a thread; whether it returned in time. A network may hang for longer than we can."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def _record_orphaned(backend: Backend, attempt: Attempt) -> None:
    """In the keeper: agtool was killed, and the command with it. The lock is still ours."""

    def record() -> None:
        if stop_statements(backend, attempt.run_id, NOTICE):
            backend.record_end(attempt.run_id, "lost", None)

    say("agtool was killed, so its command was ended too")
    within(time_to_die(0), record)
