"""Waiting: from nothing to a lock that is safe to work under. Runs in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

from agtool.core.errors import AgtoolError, DeniedError
from agtool.core.finding import Finding
from agtool.core.text import count
from agtool.migrate_once.backend import (
    AlreadyDone,
    Backend,
    Busy,
    Lock,
    LockLost,
    NotYet,
    Session,
)
from agtool.migrate_once.findings import names, not_told_apart
from agtool.migrate_once.model import (
    LOOK,
    Attempt,
    Situation,
    Unfinished,
    new_run_id,
    poll_interval,
    time_to_die,
)


class Unreachable(NamedTuple):
    """The database does not serve us at the moment; we go on trying for `left` seconds."""

    error: NotYet
    left: float


class Waiting(NamedTuple):
    """Somebody else holds the lock."""

    situation: Situation


class Dying(NamedTuple):
    """We hold the lock, but earlier commands may live for `left` seconds more."""

    runs: list[Unfinished]
    left: float


class Stopping(NamedTuple):
    """We hold the lock, but statements of earlier, dead commands still run on the server."""

    statements: int


class Unknown(NamedTuple):
    """We hold the lock, but sessions that may be dead commands' may work for `left` seconds."""

    sessions: list[Session]
    left: float


News = Unreachable | Waiting | Dying | Stopping | Unknown
T = TypeVar("T")


class Cancelled(Exception):
    """We were told to stop waiting."""


class WaitedTooLong(Exception):
    """Somebody else held the lock for all of the time that we had; the text: who, if known."""


class Acquired(NamedTuple):
    """A lock under which the command may start.

    attempt: as it was given, but perhaps with another run_id. proven_at: time.monotonic() at
    which the lock was held for certain. warnings: what is to be said of it.
    """

    lock: Lock
    attempt: Attempt
    proven_at: float
    warnings: list[Finding]


class Job(NamedTuple):
    """What to run, and where the lock is; times in seconds.

    Attributes:
        env: the environment that agtool was given, which is the command's too.
        wait_timeout: for which somebody else may hold the lock; one try is always made.
        connect_timeout: for which the database may be out of reach, at a stretch.
        kill_grace: between SIGTERM and SIGKILL when the lock is lost.
    """

    argv: Sequence[str]
    env: Mapping[bytes, bytes]
    backend: Backend
    attempt: Attempt
    wait_timeout: float
    connect_timeout: float
    kill_grace: float


@dataclass
class Acquisition:
    """One replica's way to the lock.

    Args:
        tell: called with news, from this thread.
        cancelled: set it to make `run` raise Cancelled.
    """

    job: Job
    tell: Callable[[News], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    _failing_since: float | None = None

    def __post_init__(self) -> None:
        self.backend = self.job.backend
        self.attempt = self.job.attempt
        # Seconds in which our own command would be dead after a loss of the lock.
        self.patience = time_to_die(self.job.kill_grace)

    def run(self) -> Acquired | AlreadyDone:
        """Return when the key is done, or when the lock is held and the command may start.

        Raises:
            Cancelled: `cancelled` was set; no lock is held.
            WaitedTooLong: somebody else held the lock for all of wait_timeout.
            AgtoolError: the database could not be reached in time, or refuses us.
        """
        began = time.monotonic()
        look_at: float | None = None  # not at the first try, which mostly succeeds
        waiters = 0
        holder = ""
        while True:
            look = look_at is not None and time.monotonic() >= look_at
            answer = self._patiently(partial(self.backend.attempt, self.attempt, look=look))
            look_at = look_at or began
            if isinstance(answer, AlreadyDone):
                return answer
            if isinstance(answer, Busy):
                if answer.situation is not None:
                    look_at = time.monotonic() + LOOK
                    waiters = answer.situation.waiters
                    holder = answer.situation.holder.place if answer.situation.holder else ""
                    self.tell(Waiting(answer.situation))
            else:
                try:
                    return self._take_over(answer)
                except LockLost:
                    answer.release()
                    # A new name, since somebody slow may still declare the old one lost.
                    self.attempt = self.attempt._replace(run_id=new_run_id())
                except BaseException:
                    answer.release()
                    raise
            waited = time.monotonic() - began
            left = self.job.wait_timeout - waited
            if left <= 0:
                raise WaitedTooLong(holder)
            self._sleep(min(left, poll_interval(waited, waiters) * _jitter()))

    def _take_over(self, lock: Lock) -> Acquired:
        """With the lock held, wait until no earlier command can be alive, then say we begin.

        A server frees a lock at once when it restarts, when somebody terminates the session or
        when a connection is reset, while the command of the former holder still has to be
        killed. So a run that began and has not ended is waited for: until it says so, which is
        its last act, or until its patience has passed since we got the lock. After that its
        statements on the server are stopped.
        """
        held_since = time.monotonic()
        while unfinished := lock.unfinished():
            last = max(run.patience for run in unfinished)
            left = held_since + last - time.monotonic()
            if left <= 0:
                break
            self.tell(Dying(unfinished, left))
            self._sleep(min(0.2, left))
        ids = [run.run_id for run in unfinished]
        give_up = time.monotonic() + self.patience
        while ids and (running := lock.stop_statements(ids)):
            if time.monotonic() >= give_up:
                places = ", ".join(run.place for run in unfinished)
                statements = count(len(running), "statement")
                raise DeniedError(
                    f"{statements} of a previous run ({places}) cannot be stopped on the server "
                    f"({names(running)}); the command was not run",
                    hint="Another database user runs them. Wait for their end, or let an "
                    "administrator end them. On PostgreSQL: GRANT pg_signal_backend TO the user in "
                    "the database URL.",
                )
            self.tell(Stopping(len(running)))
            self._sleep(0.1)
        warnings = self._wait_for_strangers(lock, ids) if ids else []
        for run_id in ids:
            self._patiently(partial(self.backend.record_lost, run_id, None), lock)
        try:
            self._patiently(partial(self.backend.record_start, self.attempt, self.patience), lock)
            # Held after the record was there: so whoever gets the lock next sees the record.
            proven_at = time.monotonic()
            lock.check()
            self._sleep(0)  # the last moment at which we can be told to stop
        except (LockLost, Cancelled):
            with suppress(AgtoolError):
                self.backend.record_lost(self.attempt.run_id, None)
            raise
        return Acquired(lock, self.attempt, proven_at, warnings)

    def _wait_for_strangers(self, lock: Lock, run_ids: list[str]) -> list[Finding]:
        """Until nothing that may be the dead commands' works on the server, or for our patience."""
        began = time.monotonic()
        waited = 0.0
        while found := lock.strangers(run_ids, waited):
            left = began + self.patience - time.monotonic()
            if left <= 0:
                return [not_told_apart(found)]
            self.tell(Unknown(found, left))
            self._sleep(min(0.2, left))
            waited = time.monotonic() - began
        return []

    def _patiently(self, call: Callable[[], T], lock: Lock | None = None) -> T:
        """The result of `call`, tried again while the database is not there yet.

        lock: checked between the tries, since it may be lost meanwhile.
        """
        pause = 0.1
        while True:
            try:
                result = call()
            except NotYet as error:
                if lock is not None:
                    lock.check()
                now = time.monotonic()
                self._failing_since = self._failing_since or now
                left = self._failing_since + self.job.connect_timeout - now
                if left <= 0:
                    raise
                self.tell(Unreachable(error, left))
                self._sleep(min(pause, left) * _jitter())
                pause = min(2.0, pause * 2)
            else:
                self._failing_since = None
                return result

    def _sleep(self, seconds: float) -> None:
        if self.cancelled.wait(seconds):
            raise Cancelled


def _jitter() -> float:
    """Around one, so that replicas that started together do not try together."""
    import random  # only those who wait need it

    return random.uniform(0.5, 1.5)  # noqa: S311
