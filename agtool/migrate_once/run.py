"""One invocation: wait for the lock, run the command under it, say how it ended."""

from __future__ import annotations

import select
import signal
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from agtool.core.errors import TIMED_OUT, WRAPPER_FAILED
from agtool.core.output import say
from agtool.core.signals import Signals, Wakeup, reap
from agtool.migrate_once.acquire import Acquired, Acquisition, Job, News, WaitedTooLong
from agtool.migrate_once.backend import AlreadyDone, LockLost
from agtool.migrate_once.model import End, Outcome
from agtool.migrate_once.story import Story

_LAST_CHANCE = 0.7
"""Seconds for the waiting thread to let go of what it has when we are told to end."""


def run(job: Job) -> Outcome:
    """Run the job's command once among all replicas with this lock.

    Raises:
        AgtoolError: the database could not be reached in time, or refuses us.
    """
    began = time.monotonic()
    name = f"the lock ({job.backend.lock_name})"
    with Signals() as signals:
        waiter = _Waiter(job)
        interrupted = _wait(waiter, signals, job.backend.lock_name)
        waited = time.monotonic() - began
        outcome = Outcome("interrupted", 0, job.attempt.run_id, round(waited, 3))
        if interrupted is not None:
            say(f"got {interrupted.name} while waiting for {name}; the command was not run")
            return outcome._replace(exit_code=128 + interrupted, signal=interrupted.name)
        try:
            got = waiter.result()
        except WaitedTooLong as error:
            holder = f"held by {error}" if str(error) else "whose holder is not known"
            reason = f"waited {waited:.0f} s for {name}, {holder}"
            say(
                f"error: {reason}; the command was not run\n"
                "To see who holds the lock: agtool migrate-once --status"
            )
            return outcome._replace(outcome="waited-too-long", exit_code=TIMED_OUT, reason=reason)
        if isinstance(got, AlreadyDone):
            say(f"{job.attempt.name}: key {job.attempt.key} is already done; nothing to do")
            return outcome._replace(outcome="already-done")
        return _work(job, got, signals, outcome.waited_seconds)


def _wait(waiter: _Waiter, signals: Signals, lock_name: str) -> signal.Signals | None:
    """Until the waiter has a result, or a signal comes (returned)."""
    with Story(lock_name) as story:
        while not waiter.is_over():
            select.select([signals.fileno(), waiter.fileno()], [], [], story.tick)
            reap()  # as PID 1 we get the orphans of the container
            if received := signals.drain():
                waiter.cancel()
                return received[0]
            story.tell(waiter.news())
    return None


class _Waiter:
    """The waiting, in a thread.

    A driver's calls cannot be interrupted by a signal (a name that does not resolve blocks for
    half a minute), and we must end within a second.
    """

    def __init__(self, job: Job) -> None:
        self._news: deque[News] = deque()
        self._results: list[Acquired | AlreadyDone | BaseException] = []
        self._wakeup = Wakeup()  # never closed: the thread may live as long as we
        self._acquisition = Acquisition(job, self._tell)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def is_over(self) -> bool:
        return bool(self._results)

    def news(self) -> list[News]:
        """What came since the last call."""
        self._wakeup.drain()
        return [self._news.popleft() for _ in range(len(self._news))]

    def result(self) -> Acquired | AlreadyDone:
        """What the waiting came to; its error is raised."""
        self._thread.join()  # so that the fork that follows sees a single thread
        (result,) = self._results
        if isinstance(result, BaseException):
            raise result
        return result

    def cancel(self) -> None:
        """Give up waiting, and what may have been got in the last moment."""
        self._acquisition.cancelled.set()
        self._thread.join(_LAST_CHANCE)
        for result in self._results:
            if isinstance(result, Acquired):
                # With a last word, for which a successor would wait.
                with suppress(LockLost):
                    result.lock.finish(End("lost", WRAPPER_FAILED, 0.0, 0.0))

    def _tell(self, news: News) -> None:
        self._news.append(news)
        self._wakeup.wake()

    def _run(self) -> None:
        try:
            self._results.append(self._acquisition.run())
        except BaseException as error:  # noqa: BLE001  # raised by `result`, in the main thread
            self._results.append(error)
        self._wakeup.wake()


def _work(job: Job, got: Acquired, signals: Signals, waited: float) -> Outcome:
    from agtool.migrate_once.supervise import supervise

    # Only the program's name is told: arguments may hold secrets.
    program = Path(job.argv[0]).name
    say(f"got the lock after {waited:.1f} s; running {program}")
    end = supervise(job, got, signals, waited)
    if end.outcome == "lock-lost":
        say(
            f"error: the lock was lost: {end.reason}\n"
            "The command was ended and nothing is marked as done. Run it again."
        )
    elif end.outcome == "cannot-run":
        say(f"error: cannot run {job.argv[0]}: {end.reason}")
    else:
        say(f"{program} ended with exit code {end.exit_code} after {end.ran_seconds:.1f} s")
        if end.reason and (end.exit_code or job.attempt.key is None):
            say(end.reason)
        elif end.reason:
            say(f"key {job.attempt.key} is not marked as done: {end.reason}")
    return end
