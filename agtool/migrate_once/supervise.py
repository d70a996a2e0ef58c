"""Working: the command runs under the lock, and neither outlives the other."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from agtool.core.errors import WRAPPER_FAILED, AgtoolError, DeniedError
from agtool.core.output import say
from agtool.core.process.command import Keeper
from agtool.core.process.keeper import CannotRun, Ended, Event, LeftBehind, Silent, Started, Task
from agtool.core.process.tree import kill_descendants, signal_processes
from agtool.core.signals import Signals, reap
from agtool.core.text import count
from agtool.migrate_once.backend import Backend, Lock, LockLost
from agtool.migrate_once.model import (
    HEARTBEAT,
    MARGIN,
    NOTICE,
    REPLY,
    Attempt,
    End,
    Outcome,
    time_to_die,
)

if TYPE_CHECKING:
    from agtool.migrate_once.acquire import Acquired, Job


_CANNOT_LOOK = "cannot look for the command's statements on the server"
T = TypeVar("T")


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
                env={**os.environ, **backend.environment(attempt)},
                keep_open=lock.keep_open,
                patience=NOTICE,
                last_pulse=proven_at,
                grace=grace,
                on_orphaned=lambda: _record_orphaned(backend, attempt),
            )
        )
    except OSError as error:
        lock.finish(End("lost", WRAPPER_FAILED, waited, 0.0, counts=False))
        raise DeniedError(f"cannot start a process: {error.strerror}") from error
    work = _Work(keeper, _Heartbeat(lock, keeper), lock, backend, attempt, grace, waited)
    work.heartbeat.start()
    with job.phase("running"):
        work.watch(signals)
    ran = time.monotonic() - work.began
    work.conclude()
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
        reason=work.lost or work.cannot_run or work.unmarked,
        marked_done=work.marked_done,
    )


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
    waited: float
    over: bool = False
    exit_code: int = WRAPPER_FAILED
    signal: signal.Signals | None = None
    lost: str | None = None
    cannot_run: str | None = None
    left_behind: bool = False
    unmarked: str | None = None
    give_up: float | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def marked_done(self) -> bool:
        """Whether the key is done now."""
        succeeded = self.lost is None and self.exit_code == 0 and self.unmarked is None
        return succeeded and self.attempt.key is not None

    def watch(self, signals: Signals) -> None:
        """Until the command's tree is gone: pass signals on, and see to the lock."""
        while not self.over:
            heartbeat = [self.heartbeat.news] if self.heartbeat.lost is None else []
            left = None if self.give_up is None else max(0.0, self.give_up - time.monotonic())
            select.select([signals.fileno(), self.keeper.fileno(), *heartbeat], [], [], left)
            if left == 0:
                # It is stopped itself, perhaps. It takes the command along, and its events end.
                signal_processes([self.keeper.pid], signal.SIGKILL)
            for number in signals.drain():
                self.signal = number
                self.keeper.forward(number)
            reap()  # as PID 1 we get orphans that are nobody else's
            if self.heartbeat.lost is not None:
                self.lose(str(self.heartbeat.lost))
            self.read_events()

    def read_events(self) -> None:
        """What the keeper has to say."""
        if not select.select([self.keeper.fileno()], [], [], 0)[0]:
            return
        try:
            for event in self.keeper.events():
                self._handle(event)
        except EOFError:
            kill_descendants()  # what is left of its tree
            self.lose("the process that guards the command was killed")
            self.over = True

    def _handle(self, event: Event) -> None:
        match event:
            case Started(pid):
                self.heartbeat.command = pid
            case CannotRun(code, reason):
                self.exit_code, self.cannot_run, self.over = code, reason, True
            case LeftBehind(number):
                self.left_behind = True
                left = count(number, "process", "processes")
                say(
                    f"the command left {left} behind; stopping what it left",
                    "left-behind",
                    level="warning",
                    processes=number,
                )
            case Silent(seconds):
                self.lose(f"no answer from the database for {seconds:.0f} s")
            case Ended(code):
                self.exit_code, self.over = code, True

    def lose(self, reason: str) -> None:
        """The lock is lost: end the command, and what it runs on the server."""
        if self.lost is not None:
            return
        self.lost = reason
        self.keeper.end(self.grace)
        self.give_up = time.monotonic() + self.grace + MARGIN / 2
        say(f"the lock was lost ({reason}); ending the command", "lock-lost", level="warning")
        stop = partial(stop_statements, self.backend, self.attempt.run_id, self.grace)
        threading.Thread(target=stop, daemon=True).start()

    def conclude(self) -> None:
        """Stop what is left on the server, record the end, and release the lock.

        By the lock's own session, as long as it is held: a new one may be refused by now.
        """
        if self.lost is None and not self.heartbeat.stop(NOTICE):
            self.lost = str(self.heartbeat.lost or "no answer from the database")
        if self.lost is None:
            try:
                self._end_under_lock()
            except LockLost as error:
                self.lost = str(error)
        if self.lost is not None:
            self._end_without_lock()

    def _end_under_lock(self) -> None:
        done = self.exit_code == 0 and self.signal is None and not self.left_behind
        # A killed process's statement goes on in the server, and would commit under the next
        # holder's feet. A command that ended well may have killed one too (timeout 1 psql ...);
        # but behind a pooler we would rather not disturb others for that.
        problem = None if done and self.lock.pooled else self._stop_under_lock()
        if problem is not None:
            # The run stays unfinished, so that the successor waits for its statements.
            in_time(self.lock.release)
        else:
            ran = time.monotonic() - self.began
            state, counts = "done" if done else "failed", self.signal is None
            end = End(state, self.exit_code, self.waited, ran, counts)
            if unrecorded := in_time(partial(self.lock.finish, end), answers=9):
                problem = f"the end of this run cannot be recorded: {unrecorded}"
        self.unmarked = problem
        if self.exit_code != 0 or self.attempt.key is None:
            return
        if self.signal is not None:
            self.unmarked = f"it got {self.signal.name}"
        elif self.left_behind:
            self.unmarked = "processes that it left behind had to be stopped"

    def _stop_under_lock(self) -> str | None:
        """End the command's statements; what stands in the way of it."""
        give_up = time.monotonic() + time_to_die(self.grace)
        stop = partial(self.lock.stop_statements, [self.attempt.run_id])
        try:
            while running := in_time(stop):
                if time.monotonic() >= give_up:
                    return _still_running(running)
                time.sleep(0.1)
        except AgtoolError as error:
            return f"{_CANNOT_LOOK}: {error.message}"
        return None

    def _end_without_lock(self) -> None:
        """The command is dead. A successor waits for our word, so give it, if we still can."""

        def record() -> None:
            if problem := stop_statements(self.backend, self.attempt.run_id, REPLY):
                say(problem, "statements-left", level="warning")
                return
            try:
                counts = self.signal is None
                self.backend.record_lost(self.attempt.run_id, self.exit_code, counts=counts)
            except AgtoolError as error:
                say(
                    f"cannot record the end of this run: {error.message}",
                    "end-not-recorded",
                    level="warning",
                )

        if not within(NOTICE, record):
            say(f"{_CANNOT_LOOK}: it does not answer", "statements-left", level="warning")


def stop_statements(backend: Backend, run_id: str, seconds: float) -> str | None:
    """Stop the run's statements on the server; after `seconds`, what stands in the way of it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if not (running := backend.stop_statements([run_id])):
                return None
            problem = _still_running(running)
        except AgtoolError as error:
            problem = f"{_CANNOT_LOOK}: {error.message}"
        if time.monotonic() >= deadline:
            return problem
        time.sleep(0.1)


def _still_running(statements: int) -> str:
    return f"{count(statements, 'statement')} of the command cannot be ended on the server"


def in_time(call: Callable[[], T], answers: int = 3) -> T:
    """The result of a call to the lock's session, or its error.

    Args:
        answers: that the call waits for; each may be late.

    Raises:
        LockLost: there is neither in the time for so many.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001  # raised below
            errors.append(error)

    if not within(answers * REPLY, run):
        raise LockLost("no answer from the database")
    if errors:
        raise errors[0]
    return results[0]


def within(seconds: float, call: Callable[[], None]) -> bool:
    """Call in a thread; whether it returned in time. A network may hang for longer than we can."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def _record_orphaned(backend: Backend, attempt: Attempt) -> None:
    """In the keeper: agtool was killed, and the command with it. The lock is still ours."""

    def record() -> None:
        if problem := stop_statements(backend, attempt.run_id, NOTICE):
            say(problem, "statements-left", level="warning")
        else:
            backend.record_lost(attempt.run_id, None)

    say("agtool was killed, so its command was ended too", "agtool-killed", level="warning")
    within(time_to_die(0), record)
