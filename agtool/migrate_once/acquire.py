"""Waiting: from nothing to a lock that is safe to work under. Runs in a thread of its own.

Not with postponed annotations: a NamedTuple would compile them at each start.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from agtool.core.errors import WRAPPER_FAILED, AgtoolError, DeniedError
from agtool.core.text import count
from agtool.migrate_once.backend import AlreadyDone, Backend, Busy, Exhausted, Lock, LockLost
from agtool.migrate_once.model import (
    LOOK,
    Attempt,
    End,
    Situation,
    Unfinished,
    new_run_id,
    poll_interval,
    time_to_die,
)
from agtool.migrate_once.patience import Cancelled, Patient, Unreachable, WaitedTooLong, jitter

if TYPE_CHECKING:
    from agtool.core.finding import Finding
    from agtool.migrate_once.leftovers import Left


class Waiting(NamedTuple):
    """Somebody else holds the lock."""

    situation: Situation


class NotDone(NamedTuple):
    """We only wait for the key, and it is not done; the situation: who runs, if anybody does."""

    key: str | None
    situation: Situation


class Dying(NamedTuple):
    """We hold the lock, but earlier commands may live for `left` seconds more."""

    runs: list[Unfinished]
    left: float


class Leftover(NamedTuple):
    """We hold the lock, but earlier, dead commands may still work on the server."""

    left: "Left"


News = Unreachable | Waiting | NotDone | Dying | Leftover


class Acquired(NamedTuple):
    """A lock under which the command may start.

    attempt: as it was given, but perhaps with another run_id. proven_at: time.monotonic() at
    which the lock was held for certain. warnings: what is to be said of it.
    """

    lock: Lock
    attempt: Attempt
    proven_at: float
    warnings: "list[Finding]"


class Job(NamedTuple):
    """What to run, and where the lock is; times in seconds.

    Attributes:
        env: the environment that agtool was given, which is the command's too.
        wait_timeout: for which somebody else may hold the lock; one try is always made.
        connect_timeout: for which the database may be out of reach, at a stretch.
        kill_grace: between SIGTERM and SIGKILL when the lock is lost.
        phase: a context for the time in which we wait ("waiting") or COMMAND runs ("running").
    """

    argv: Sequence[str]
    env: Mapping[bytes, bytes]
    backend: Backend
    attempt: Attempt
    wait_timeout: float
    connect_timeout: float
    kill_grace: float
    phase: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()


class Acquisition(Patient):
    """One replica's way to the lock."""

    def __init__(self, job: Job, tell: Callable[[News], None]) -> None:
        super().__init__(job.backend, job.connect_timeout, tell)
        self.job = job
        self.attempt = self.job.attempt
        # Seconds in which our own command would be dead after a loss of the lock.
        self.patience = time_to_die(self.job.kill_grace)

    def run(self) -> Acquired | AlreadyDone | Exhausted:
        """Return when the lock is held and the command may start, or when it is not to run.

        Raises:
            Cancelled: `cancelled` was set; no lock is held.
            WaitedTooLong: somebody else held the lock for all of wait_timeout.
            AgtoolError: the database could not be reached in time, or refuses us; or we are part
                of the command that holds the lock.
        """
        began = time.monotonic()
        look_at: float | None = None  # not at the first try, which mostly succeeds
        waiters: int | None = 0
        holder = ""
        while True:
            look = look_at is not None and time.monotonic() >= look_at
            answer = self._patiently(partial(self.backend.attempt, self.attempt, look=look))
            look_at = look_at or began
            if isinstance(answer, (AlreadyDone, Exhausted)):
                return answer
            if isinstance(answer, Busy):
                self._refuse_to_wait_for_ourselves()
                if answer.situation is not None:
                    look_at = time.monotonic() + LOOK
                    waiters = answer.situation.waiters
                    holder = answer.situation.holder.place if answer.situation.holder else ""
                    self.tell(Waiting(answer.situation))
            else:
                try:
                    got = self._take_over(answer)
                    if isinstance(got, Exhausted):
                        answer.release()
                    return got
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
            self._sleep(min(left, poll_interval(waited, waiters) * jitter()))

    def _take_over(self, lock: Lock) -> Acquired | Exhausted:
        """With the lock held, wait until no earlier command can be alive, then say we begin.

        A server frees a lock at once when it restarts, when somebody terminates the session or
        when a connection is reset, while the command of the former holder still has to be
        killed. So a run that began and has not ended is waited for: until it says so, which is
        its last act, or until its patience has passed since we got the lock. After that its
        statements on the server are stopped.
        """
        held_since = time.monotonic()
        while unfinished := self._patiently(lock.unfinished, lock):
            last = max(run.patience for run in unfinished)
            left = held_since + last - time.monotonic()
            if left <= 0:
                break
            self.tell(Dying(unfinished, left))
            self._sleep(min(0.2, left))
        ids = [run.run_id for run in unfinished]
        warnings = self._end_statements_of(lock, unfinished) if ids else []
        for run_id in ids:
            self._patiently(partial(self.backend.record_lost, run_id, None), lock)
        if exhausted := lock.exhausted():
            return exhausted
        try:
            self._patiently(partial(self.backend.record_start, self.attempt, self.patience), lock)
            # Held after the record was there: so whoever gets the lock next sees the record.
            proven_at = time.monotonic()
            lock.check()
            self._sleep(0)  # the last moment at which we can be told to stop
        except (LockLost, Cancelled):
            with suppress(AgtoolError):
                self.backend.record_lost(self.attempt.run_id, None, counts=False)
            raise
        return Acquired(lock, self.attempt, proven_at, warnings)

    def _end_statements_of(self, lock: Lock, runs: Sequence[Unfinished]) -> "list[Finding]":
        """End what dead commands left on the server; what is to be said of it.

        Raises:
            DeniedError: the server does not let us.
        """
        from agtool.migrate_once.findings import names
        from agtool.migrate_once.leftovers import end_statements

        ids = [run.run_id for run in runs]
        left = end_statements(
            partial(lock.stop_statements, ids),
            partial(lock.strangers, ids),
            self.patience,
            tell=lambda left: self.tell(Leftover(left)),
            sleep=self._sleep,
        )
        if left is None:
            return []
        if not left.sessions:
            return [left.finding]
        places = ", ".join(run.place or "not known which" for run in runs)
        statements = count(len(left.sessions), "statement")
        raise DeniedError(
            f"{statements} of a previous run ({places}) cannot be stopped on the server "
            f"({names(left.sessions)}); the command was not run",
            hint="Another database user runs them. Wait for their end, or let an "
            "administrator end them. On PostgreSQL: GRANT pg_signal_backend TO the user in "
            "the database URL.",
        )

    def give_back(self, result: Acquired | AlreadyDone | Exhausted) -> None:
        """Release the lock, with a last word, for which a successor would wait."""
        if isinstance(result, Acquired):
            with suppress(LockLost):
                result.lock.finish(End("lost", WRAPPER_FAILED, 0.0, 0.0, counts=False))
